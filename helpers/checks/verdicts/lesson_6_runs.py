"""Verdicts of exercises 6.3 and 6.4: seven runs to tell apart by what they keep, and six by their first log."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product

from helpers.checks.calls.lesson_6_runs import first_logs, ledgers
from helpers.checks.verdicts.compare import Verdict, text_verdict
from helpers.checks.verdicts.draws import FOUND_NONE

_NONE_MET = "In this table no run met your condition, or `return` is missing. "

_KEPT_HINTS = {
    "is_shared_dpo": "That run writes no responses: its KV cache is empty. It learns from pairs that were there "
    "before, and that is DPO.",
    "is_copied_dpo": "That run writes no responses (its KV cache is empty), and it holds its base twice: DPO with a "
    "copied reference.",
    "is_copied_grpo": "That run is GRPO, but its weights are those of two models: the reference is a copy. A shared "
    "one has no weights of its own.",
    "is_grpo_alone": "That run keeps no log-probabilities of a reference: it is GRPO with beta = 0, TRL's default, and"
    " it has no reference at all.",
    "is_shared_ppo": "That run has a value head, to guess the reward that is still to come. GRPO compares with the "
    "other responses of the group instead, and needs none.",
    "is_copied_ppo": "That run has a value head and two sets of weights: PPO with a copied reference.",
    "none_met": f"{_NONE_MET}Sizes differ from table to table: compare the runs with each other, or with what must be "
    "0, and not with a number.",
}

_SAME_NAME = (
    "You returned {got} for each of the tables, and in each the runs stand in another order. Which figure makes it "
    "that run? If you look for the largest or the smallest of something: where all runs are equal, `max` and `min` "
    "return the first."
)


_LOG_HINTS = {
    "is_healthy": "That run is healthy: it starts at log 2 with both rewards 0, and people agree more from step to "
    "step.",
    "is_swapped": "That run starts at log 2, as it should: its reference is right. But as its loss falls, people agree"
    " less: its pairs are the wrong way round.",
    "is_dropout": "In that run the same batch gives two losses: something random is left on. A reference that is too "
    "old is wrong in the same way each time.",
    "is_other_mode": "That run does start away from log 2, the same each time, but its two rewards go apart to both "
    "sides of 0. A policy that already knows reviews finds *both* texts likelier than an old reference does.",
    "far_from_log_2": "Of the runs whose first loss is far from log 2 you name one. With an old reference it is *near* "
    "log 2, for what both texts have in common cancels in it. Which other metric of the first step shows that?",
    "is_stuck": "That run stays at log 2, with all rewards 0: its reference moves along with the policy, or nothing is"
    " trained. The reference is no older than the policy.",
    "none_met": f"{_NONE_MET}With an old reference the first loss is log 2 up to 0.01; the first rewards may be as "
    "small as 0.5.",
}


def grpo_run_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against the rule of each method: what it must keep to compute its loss."""
    tables = ledgers(inputs)
    kinds = [{name: _kind_of_ledger(ledger, kept) for name, ledger in kept.items()} for kept in tables]
    return _verdict_on_tables(outputs, "shared_grpo", kinds, _KEPT_HINTS)


def _kind_of_ledger(ledger: dict[str, int], kept: dict[str, dict[str, int]]) -> str:
    one_model = min(other["weights"] for other in kept.values())
    reference = "shared" if ledger["weights"] == one_model else "copied"
    if ledger["KV cache"] == 0:
        return f"{reference}_dpo"
    if ledger["value head"]:
        return f"{reference}_ppo"
    return f"{reference}_grpo" if ledger["reference log-probs"] else "grpo_alone"


def outdated_reference_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against what each fault does to the first step, where a right reference equals the policy."""
    tables = first_logs(inputs)
    kinds = [{name: _kind_of_log(log) for name, log in logs.items()} for logs in tables]
    return _verdict_on_tables(outputs, "outdated", kinds, _LOG_HINTS, lambda picks: _cause_of_logs(picks, tables))


def _cause_of_logs(picks: list[str], tables: list[dict]) -> str:
    """Whether each pick is the first, or each the last, of the runs whose first loss is far from log 2."""
    for log_2, distance in product((math.log(2), 0.693, 0.6931), (0.01, 0.02, 0.05)):
        far = [[name for name, log in logs.items() if abs(log["loss"][0] - log_2) > distance] for logs in tables]
        if picks in ([names[0] for names in far], [names[-1] for names in far]):
            return "far_from_log_2"
    return ""


def _kind_of_log(log: dict[str, list[float]]) -> str:
    chosen, rejected = log["rewards/chosen"], log["rewards/rejected"]
    if log["loss"][0] != log["loss again"][0]:
        return "dropout"
    if (chosen[0], rejected[0]) != (0, 0):
        return "outdated" if chosen[0] * rejected[0] > 0 else "other_mode"
    if math.isclose(log["loss"][-1], math.log(2), abs_tol=1e-6):
        return "stuck"
    return "healthy" if log["people agree"][-1] > log["people agree"][0] else "swapped"


def _verdict_on_tables(
    outputs: dict, asked: str, tables: list[dict[str, str]], hints: dict, cause: Callable = lambda picks: ""
) -> Verdict:
    """The verdict on an answer that names the run of the `asked` kind in each table of kinds by name.

    `cause` names the hint on a mistake that shows in the picks of all tables together, "" where it knows none.
    """
    got = [outputs[f"run_{number}"] for number in range(1, len(tables) + 1)]
    wrong = {kinds.get(name) for name, kinds in zip(got, tables, strict=True)} - {asked}
    alike = len(set(got)) == 1 and len(wrong) > 1  # else it is by chance that one slip gives one name
    hints = {**hints, "one_name_for_all": _SAME_NAME.format(got=repr(got[0]))}
    together = "one_name_for_all" if alike else cause(got)
    for number, kinds in enumerate(tables, start=1):
        (due,) = [name for name, kind in kinds.items() if kind == asked]
        causes = {name: together or f"is_{kind}" for name, kind in kinds.items()}
        one = {"output": got[number - 1], "kind": outputs[f"kind_{number}"]}
        verdict = text_verdict({**one, "inputs_changed": outputs["inputs_changed"]}, due, causes, hints)
        if one["kind"] in FOUND_NONE:
            verdict = replace(verdict, hint=hints["none_met"], hint_name="none_met")
        if not verdict.passed:
            return replace(verdict, got=f"{verdict.got} in table {number} of {len(tables)}")
    return Verdict(True, ", ".join(got), ", ".join(got))
