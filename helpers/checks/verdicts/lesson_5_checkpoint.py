"""The verdict of exercise 5.3: which checkpoint to keep."""

import math

import torch

from helpers.checks.calls.lesson_5 import judged_checkpoints
from helpers.checks.verdicts.compare import Verdict, number_verdict

_CHECKPOINT_HINTS = {
    "own_line": "You judged each checkpoint by the line of its own number. That line describes responses that were "
    "written *before* the update: by the policy one update younger than the checkpoint.",
    "over_budget": "This checkpoint has the best score of all, and its KL is over the budget.",
    "budget_of_another_line": "The KL of this checkpoint is over the budget. You did ask, but another line: score and "
    "KL of checkpoint c stand in the same line, c + 1, at index c.",
    "checkpoint_0": "There is no checkpoint 0. The first line describes the policy before its first update; the first "
    "checkpoint is written after update save_every.",
    "rounded_down": "You took the best line of all and the last checkpoint before it. That line is about a later "
    "policy, which nobody saved: judge each checkpoint by its own line.",
    "not_saved": "This update has a fine line, but no checkpoint was written there: only every save_every updates.",
    "no_checkpoint": "No checkpoint was written after this update: there is one after each save_every-th alone.",
    "line_not_checkpoint": "You found the right line and returned its number. The checkpoint it describes is one "
    "update older.",
    "place_in_list": "This is a place in a list of checkpoints. Asked is the number of the update after which it was "
    "written.",
    "last_within": "You took the last checkpoint within the budget. Asked is the best.",
    "nearest": "This checkpoint is the closest to the reference. Its KL is small, and so is what it learned: among "
    "those within the budget the score decides.",
    "first_crossing": "You stopped at the first line over the budget. KL goes up and down from batch to batch, and a "
    "later checkpoint that is within the budget again may be kept.",
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
    causes = _checkpoint_causes(**inputs, due=due)
    got = outputs["output"]
    if outputs["kind"] == "number" and got in range(len(inputs["scores"])) and got % inputs["save_every"]:
        causes.append(("no_checkpoint", got))
    return number_verdict(outputs, due, causes, _CHECKPOINT_HINTS)


def _checkpoint_causes(
    scores: torch.Tensor, kl: torch.Tensor, save_every: int, kl_budget: float, due: int
) -> list[tuple[str, float]]:
    judged, lines = judged_checkpoints(scores, save_every), range(len(scores))
    within = [c for c in judged if kl[c] <= kl_budget]
    crossing = next(c for c in judged if kl[c] > kl_budget)
    in_time = [line for line in lines if kl[line] <= kl_budget]
    of_score = scores.tolist().__getitem__
    own = [c for c in (*judged, len(scores)) if kl[c - 1] <= kl_budget]
    return [
        ("own_line", max(own, key=lambda c: of_score(c - 1))),
        ("over_budget", max(judged, key=of_score)),
        ("budget_of_another_line", max((c for c in judged if kl[c - 1] <= kl_budget), key=of_score)),
        ("checkpoint_0", 0),
        ("not_saved", max(in_time, key=of_score)),
        ("not_saved", max(in_time, key=of_score) + 1),
        ("rounded_down", max(in_time, key=of_score) // save_every * save_every),
        ("line_not_checkpoint", due + 1),
        ("place_in_list", due // save_every - 1),
        ("place_in_list", within.index(due)),
        ("place_in_list", due // save_every),
        ("last_within", within[-1]),
        ("nearest", min(judged, key=lambda c: kl[c].item())),
        ("first_crossing", max((c for c in within if c < crossing), key=of_score)),
        ("last_of_all", len(scores)),
        ("worst", min(within, key=of_score)),
    ]
