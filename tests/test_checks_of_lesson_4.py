"""What lesson 4's logs tell and what they do not, and what its checks show beside each other."""

import re
from contextlib import nullcontext
from statistics import fmean

import numpy as np
import pytest
import torch
from test_checks import BANK, WRONG, answer_in, verdict_on
from torch.autograd.graph import saved_tensors_hooks

from helpers.checks.registry import exercise

SEEDS = range(60)
LOGS = [list(exercise("4.4").inputs(seed).values()) for seed in SEEDS]
OF_THE_REWARD = {
    "last": lambda scores: scores[-1],
    "mean": fmean,
    "rise": lambda scores: scores[-1] - scores[0],
    "lowest": min,
}
LIMITS = {"last": (-2, 4), "mean": (-2, 4), "rise": (-2, 0.9), "lowest": (-2, -0.2)}  # beyond: what noise may tell
OTHER_FIGURES = ["falling_reward", "last_reward_below_0", "lowest_reward", "first_kl_above_5", "last_kl_above_5"]
OTHER_FIGURES += ["last_kl_above_50", "largest_ratio_above_30", "mean_of_the_ratio_above_3", "first_kl_above_1"]
OTHER_FIGURES += ["smallest_kl_above_a_half", "mean_of_the_ratio_above_2", "largest_step_of_the_kl", "kl_in_the_middle"]
OTHER_FIGURES += ["last_entropy", "first_ratio_left_out", "last_ratio_left_out", "falling_entropy", "mean_of_the_kl"]
SHOWN = re.compile(r"\(56,\) (\w+): (… )?([^…]*?)( …)?")


def drawn_as(log: dict) -> str:
    return answer_in(BANK / "4.4" / "right_tightest_limits.py")(log)


@pytest.mark.parametrize("name", OTHER_FIGURES)
def test_diagnosis_that_asks_another_figure_is_wrong_at_every_seed(name):
    assert not [seed for seed in SEEDS if verdict_on(BANK / "4.4" / f"wrong_{name}.py", seed).passed]


@pytest.mark.parametrize("path", sorted((BANK / "4.4").glob("right_*.py")), ids=lambda path: path.stem)
def test_right_diagnosis_passes_at_every_seed(path):
    assert all(verdict_on(path, seed).passed for seed in SEEDS)


@pytest.mark.parametrize("name", OF_THE_REWARD)
def test_no_limit_on_a_reward_tells_too_high_a_learning_rate_from_a_missing_penalty(name):
    low, high = LIMITS[name]
    for logs in LOGS:
        figures = {"learning_rate_too_high": [], "no_kl_penalty": []}
        for log in logs:
            figures.get(drawn_as(log), []).append(OF_THE_REWARD[name](log["objective/scores"]))
        bad, drifted = figures.values()
        assert len(bad) == len(drifted) == 2
        for below, above in ((bad, drifted), (drifted, bad)):  # a limit between them would tell
            assert not (max(below) < min(above) and max(below) < high and min(above) > low)


def test_no_limit_on_the_last_reward_tells_a_missing_penalty_from_a_healthy_run():
    for logs in LOGS:
        last = {kind: [] for kind in ("healthy", "no_kl_penalty", "learning_rate_too_high", "wrong_reference")}
        for log in logs:
            last[drawn_as(log)].append(log["objective/scores"][-1])
        assert min(last["no_kl_penalty"]) < max(last["healthy"]) and max(last["no_kl_penalty"]) > min(last["healthy"])


def test_logs_hold_a_wrong_reference_below_half_a_nat_and_one_above_20_and_no_other_starts_above_a_hundredth():
    for logs in LOGS:
        first = sorted(log["objective/kl"][0] for log in logs)
        assert first[5] < 0.01 and 0.15 < first[6] < 0.5 and first[7] > 20


def four(tokens: torch.Tensor, start: int) -> str:
    return ", ".join(f"{token:.4g}" for token in tokens[start : start + 4].tolist())


@pytest.mark.parametrize("path", [path for path in WRONG if path.parent.name == "4.3"], ids=lambda path: path.stem)
def test_check_of_samples_shows_the_same_places_of_got_and_due(path):
    asked = exercise("4.3")
    inputs = asked.inputs(11)
    outputs, verdict = asked.call(answer_in(path), inputs), verdict_on(path, 11)
    is_of_other_rows = "logits up to" in verdict.got
    assert is_of_other_rows or "(56,) int64" in verdict.due
    if outputs["kind"] != "Tensor" or outputs["output"].dim() != 1 or is_of_other_rows:
        return
    due = answer_in(BANK / "4.3" / "right_searchsorted.py")(*inputs.values())
    got, shown_due = SHOWN.fullmatch(verdict.got), SHOWN.fullmatch(verdict.due)
    assert got.group(2, 4) == shown_due.group(2, 4)
    assert any((got[3], shown_due[3]) == (four(outputs["output"], start), four(due, start)) for start in range(53))
    assert (got[3] == shown_due[3]) == torch.equal(outputs["output"].double(), due.double())


@pytest.mark.parametrize("value", [None, [1], np.ones(56), torch.ones(56, 2)])
def test_check_of_samples_says_that_whole_numbers_are_due_whatever_came(value):
    asked = exercise("4.3")
    verdict = asked.verdict(asked.inputs(0), asked.call(lambda *given: value, asked.inputs(0)))
    assert verdict.due.startswith("(56,) int64: ")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda returns: (returns,), "You have a tuple where one tensor of shape (4, 7) is due. Python makes"),
        (lambda returns: (returns,), "one thing with a comma behind it, as in"),
        (lambda returns: (returns, returns), "Python makes a tuple of several things with commas between them"),
        (lambda returns: list(returns.T), "You have a list where one tensor of shape (4, 7) is due. torch.stack makes"),
        (lambda returns: returns.numpy(), "Your function returned ndarray; an ordinary tensor"),
    ],
)
def test_check_says_what_makes_one_tensor_of_what_came(made, said):
    asked, right = exercise("4.1"), answer_in(BANK / "4.1" / "right_row_by_row.py")
    verdict = asked.verdict(asked.inputs(0), asked.call(lambda *given: made(right(*given)), asked.inputs(0)))
    assert said in verdict.hint and ("comma" in verdict.hint) == ("tuple" in verdict.hint)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.ones(3), "Your function returned ndarray; one number is due"),
        (torch.ones(3), "Your function returned Tensor; one number is due: an int, a float, or a tensor"),
        (None, "Your function returned nothing (None); one number is due"),
        ((3, 4), "Python makes a tuple of several things with commas between them"),
        (5, "None of the usual slips gives this. Print each number on the way"),
    ],
)
def test_check_of_bytes_says_what_came_in_place_of_the_number(value, said):
    asked = exercise("4.5")
    verdict = asked.verdict(asked.inputs(0), asked.call(lambda *given: value, asked.inputs(0)))
    assert said in verdict.hint


def test_check_of_logs_says_what_changes_a_list():
    verdict = verdict_on(BANK / "4.4" / "wrong_first_kl_taken_out.py", 0)
    assert "pop, sort, del" in verdict.hint


@pytest.mark.parametrize("name", ["wrong_hooks_left", "wrong_gradients_switched_off", "right_own_hooks", "error"])
def test_check_of_bytes_leaves_hooks_and_gradients_as_they_were(name):
    asked, seen = exercise("4.5"), []
    answer = answer_in(BANK / "4.5" / f"{name}.py") if name != "error" else lambda policy_with, tokens: policy_with(0)
    with saved_tensors_hooks(lambda tensor: seen.append(tensor) or tensor, lambda tensor: tensor):
        with pytest.raises(ValueError, match="1 to 4 can be adapted") if name == "error" else nullcontext():
            asked.call(answer, asked.inputs(0))
        seen.clear()
        torch.ones(1, requires_grad=True).exp()
    assert len(seen) == 1
