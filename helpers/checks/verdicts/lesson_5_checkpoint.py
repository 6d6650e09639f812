"""The verdict of exercise 5.3: which checkpoint to keep."""

import math
from dataclasses import replace

import torch

from helpers.checks.calls.lesson_5 import at_an_end, judged_checkpoints
from helpers.checks.verdicts.compare import Verdict, number_verdict

_CHECKPOINT_HINTS = {
    "one_too_early": "This is the checkpoint before the one that is due. In a list that begins with checkpoint "
    "save_every, place 0 belongs to checkpoint save_every, not to 0.",
    "own_line": "You judged each checkpoint by the line of its own number. That line describes responses that were "
    "written *before* the update: by the policy of one update earlier than the checkpoint.",
    "next_line": "This checkpoint's line is not the best; the line after that one is. Lines are counted from 1 and "
    "places from 0, so line c + 1 stands at index c.",
    "over_budget": "This checkpoint has the best score of all, and its KL is over the budget.",
    "below_budget": "This is the best checkpoint *below* the budget. A better one has a KL that is just the budget's, "
    "and at most the budget is allowed.",
    "budget_of_another_line": "The KL of this checkpoint is over the budget. You did ask, but another line: score and "
    "KL of checkpoint c stand in the same line, c + 1, at index c.",
    "zero_for_a_bar": "This checkpoint is the first over the budget. If its score was replaced by 0: all scores "
    "of this log are below 0, so that 0 would be the best.",
    "checkpoint_0": "There is no checkpoint 0. The first line describes the policy before its first update; the first "
    "checkpoint is written after update save_every. And if 0 stands for none found: there is one, but every score in "
    "this log is below 0.",
    "not_one_number": "Your function returned {kind}; one number is due. If it searches for a score above 0: every "
    "score in this log is below 0, the best one, too.",
    "rounded_down": "You took the best line of all and the last checkpoint before it. That line is about a later "
    "policy, which nobody saved: judge each checkpoint by its own line.",
    "rounded_up": "This is the next checkpoint after the best line of all. That line is about an earlier policy, which "
    "nobody saved: judge each checkpoint by its own line.",
    "mean_of_lines": "The lines beside this checkpoint are the best on average. Each of them is about another policy: "
    "of a checkpoint, only one line tells.",
    "not_saved": "No checkpoint was written after this update, however fine a line is there: save_every is "
    "{save_every} in this run.",
    "line_not_checkpoint": "You found the right line and returned its number. The checkpoint that it describes was "
    "written one update earlier.",
    "score_itself": "This is the score of the checkpoint that is due. Asked is the number of the update after which "
    "that was written.",
    "place_in_list": "This is a place in a list of checkpoints. Asked is the number of the update after which it was "
    "written.",
    "last_within": "You took the last checkpoint within the budget. Asked is the best.",
    "behind_the_log": "Your function ended in an error: it looks for a line that the log does not have. The last "
    "checkpoint has none yet: leave it out.",
    "kl_subtracted": "This checkpoint is the best if KL is subtracted from the score. Here KL has a limit and no "
    "price: of the checkpoints within the budget, the score alone decides.",
    "kl_divided": "You divide the score by the KL. Here KL has a limit and no price: of the checkpoints within the "
    "budget, the score alone decides.",
    "nearest": "This checkpoint is the closest to the reference. Its KL is small, and so is what it learned: among "
    "those within the budget the score decides.",
    "first_crossing": "You stopped at the first line over the budget. KL goes up and down from batch to batch, and a "
    "later checkpoint that is within the budget again may be kept.",
    "first_left_out": "You never choose the first checkpoint, that of update save_every, even where it is the best. "
    "Line save_every + 1 describes it.",
    "last_left_out": "You never choose the last checkpoint that a line describes, even where it is the best. Only the "
    "one written after the last update has no line: with 50 updates and a checkpoint every 10, number 40 has one.",
    "last_of_all": "This is the last checkpoint. No line describes it, for the log ends with the responses before its "
    "last update.",
    "worst": "This is the lowest score within the budget: a higher one is better.",
}


def best_checkpoint_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against a walk over the checkpoints."""
    due, best = 0, -math.inf
    for checkpoint in judged_checkpoints(inputs["scores"], inputs["save_every"]):
        score, kl = inputs["scores"][checkpoint].item(), inputs["kl"][checkpoint].item()
        if kl <= inputs["kl_budget"] and score > best:
            due, best = checkpoint, score
    causes = _by_score(**inputs) + _by_place(**inputs, due=due)
    got, every = outputs["output"], inputs["save_every"]
    if outputs["kind"] == "number" and got in range(len(inputs["scores"])) and got % every:
        causes.append(("not_saved", got))
    hints = {**_CHECKPOINT_HINTS, "not_saved": _CHECKPOINT_HINTS["not_saved"].format(save_every=every)}
    if outputs["kind"] != "NoneType":
        del hints["not_one_number"]  # what every exercise says
    if outputs["kind"].startswith("an error"):
        return Verdict(False, outputs["kind"], f"{due}", hints["behind_the_log"], "behind_the_log")
    verdict, at_ends = number_verdict(outputs, due, causes, hints), _verdict_at_the_ends(inputs, outputs)
    if verdict.hint_name == "nearest" and at_ends and at_ends.hint_name == "kl_subtracted":
        return replace(verdict, hint=hints["kl_subtracted"], hint_name="kl_subtracted")
    return at_ends if verdict.passed and at_ends else verdict


def _verdict_at_the_ends(inputs: dict, outputs: dict) -> Verdict | None:
    """On the two short logs, in which the first and the last checkpoint are the best; None where both were found."""
    for end in ("first", "last"):
        log = at_an_end(inputs, end)
        judged = [*judged_checkpoints(log["scores"], log["save_every"])]
        best, priced = (judged[0], judged[2]) if end == "first" else (judged[-1], judged[1])
        got = outputs[f"{end}_output"] if outputs[f"{end}_kind"] == "number" else outputs[f"{end}_kind"]
        if got != best:
            shown = f"{got:g}" if isinstance(got, float) else got
            price = "kl_divided" if end == "first" else "kl_subtracted"
            name = price if got == priced else f"{end}_left_out"
            said = f"of {len(log['scores'])} updates, saved every {log['save_every']}"
            return Verdict(False, f"{shown}, {said}", f"{best}", _CHECKPOINT_HINTS[name], name)
    return None


def _by_score(scores: torch.Tensor, kl: torch.Tensor, save_every: int, kl_budget: float) -> list[tuple[str, float]]:
    """Another line asked, or another condition."""
    judged = judged_checkpoints(scores, save_every)
    within = [c for c in judged if kl[c] <= kl_budget]
    crossing = next(c for c in judged if kl[c] > kl_budget)
    of_score = scores.tolist().__getitem__
    own = [c for c in (*judged, len(scores)) if kl[c - 1] <= kl_budget]
    followed = int(scores.view(-1, save_every).mean(1).argmax()) * save_every
    return [
        ("own_line", max(own, key=lambda c: of_score(c - 1))),
        ("next_line", max((c for c in judged if kl[c + 1] <= kl_budget), key=lambda c: of_score(c + 1))),
        ("over_budget", max(judged, key=of_score)),
        ("below_budget", max((c for c in judged if kl[c] < kl_budget), key=of_score)),
        ("budget_of_another_line", max((c for c in judged if kl[c - 1] <= kl_budget), key=of_score)),
        ("zero_for_a_bar", crossing),
        ("mean_of_lines", followed),
        ("mean_of_lines", followed + save_every),
        ("first_crossing", max((c for c in within if c < crossing), key=of_score)),
        ("nearest", min(judged, key=lambda c: kl[c].item())),
        ("worst", min(within, key=of_score)),
    ]


def _by_place(
    scores: torch.Tensor, kl: torch.Tensor, save_every: int, kl_budget: float, due: int
) -> list[tuple[str, float]]:
    """Another line or checkpoint than the one that was found, or another number for it."""
    within = [c for c in judged_checkpoints(scores, save_every) if kl[c] <= kl_budget]
    best_line = max((line for line in range(len(scores)) if kl[line] <= kl_budget), key=scores.tolist().__getitem__)
    before_it = best_line // save_every * save_every
    return [
        ("one_too_early", due - save_every),
        ("checkpoint_0", 0),
        ("not_saved", best_line),
        ("line_not_checkpoint", due + 1),
        ("not_saved", best_line + 1),
        ("rounded_down", before_it),
        ("rounded_up", before_it + save_every),
        ("score_itself", scores[due].item()),
        ("place_in_list", due // save_every - 1),
        ("place_in_list", within.index(due)),
        ("place_in_list", due // save_every),
        ("last_within", within[-1]),
        ("last_of_all", len(scores)),
    ]
