"""The verdict of exercise 5.3: which checkpoint to keep."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch

from helpers.checks.calls.lesson_5 import OTHER_LOGS, judged_checkpoints, other_log
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
    "budget_of_another_line": "The KL of this checkpoint is over the budget. You did ask, but another line or another "
    "checkpoint: score and KL of checkpoint c stand in the same line, c + 1, at index c.",
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
    "behind_the_log": "Your function ended in an error: it looks for a line that the log does not have. A checkpoint "
    "written after the very last update has none yet: leave it out.",
    "kl_subtracted": "This checkpoint is the best if KL is subtracted from the score. Here KL has a limit and no "
    "price: of the checkpoints within the budget, the score alone decides.",
    "kl_divided": "You divide the score by the KL, or add KL to it. Here KL has a limit and no price: of the "
    "checkpoints within the budget, the score alone decides.",
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
    "places_shifted": "You left out what is over the budget, and counted places afterwards: leaving out shifts them. "
    "Keep the number of each checkpoint beside its score.",
    "most_of_the_budget": "You took the one that uses most of the budget; the score decides.",
    "scores_rounded": "You round the scores, or make them half precision: two that differ a little become equal. "
    "Compare them as they are.",
    "stepped_back": "The best checkpoint of all is over the budget, and you went back from it to the next one that is "
    "within. Asked is the best of *all* that are within.",
    "uneven_left_out": "You left out the last checkpoint of a log in which it has a line, for updates followed it. "
    "Only a checkpoint written after the very last update has none: checkpoint c has one if c < len(scores).",
    "uneven_split": "Your function ended in an error on a log whose number of updates is no multiple of save_every, "
    "and whose scores are all below -19. Is it cut into equal pieces (a slice with a step, "
    "scores[save_every::save_every], takes any length)? Or was nothing found above the number you begin with?",
    "bar_too_high": "In this log every score is below -19. A number that stands for a score not allowed, or for the "
    "best so far, has to be below all scores, whatever they are: -torch.inf is.",
    "first_unchecked": "This is the first checkpoint, and its KL is over the budget. Wherever your search begins, ask "
    "for the KL of the first as for that of any other.",
    "with_a_margin": "The KL of this checkpoint is over the budget, by 0.004. At most the budget is allowed: compare "
    "the two as they are, with no margin, and not rounded.",
    "lines_beside": "You left out the best checkpoint within the budget. The lines beside its own are over the budget, "
    "but each of them is about another policy: ask for the KL of the checkpoint's own line alone.",
    "tempted": "Right on other logs, wrong on this one. Three checkpoints have better scores and a KL over the "
    "budget, one only just; the lines beside the best checkpoint are over it, too, and many lines between "
    "checkpoints are better. Ask each checkpoint's own line, for score and KL.",
}


def best_checkpoint_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against a walk over the checkpoints."""
    due = _due(inputs)
    causes = [*_of_all_logs(inputs, outputs), *_by_score(**inputs), *_by_place(**inputs, due=due)]
    got, every = outputs["output"], inputs["save_every"]
    if outputs["kind"] == "number" and got in range(len(inputs["scores"])) and got % every:
        causes.append(("not_saved", got))
    hints = {**_CHECKPOINT_HINTS, "not_saved": _CHECKPOINT_HINTS["not_saved"].format(save_every=every)}
    if outputs["kind"] != "NoneType":
        del hints["not_one_number"]  # what every exercise says
    if outputs["kind"].startswith("an error"):
        return Verdict(False, outputs["kind"], f"{due}", hints["behind_the_log"], "behind_the_log")
    verdict, other = number_verdict(outputs, due, causes, hints), _verdict_of_other_logs(inputs, outputs)
    if verdict.hint_name in ("nearest", "below_budget") and other and other.hint_name == "kl_subtracted":
        return replace(verdict, hint=hints["kl_subtracted"], hint_name="kl_subtracted")
    return other if verdict.passed and other else verdict


def _due(log: dict) -> int:
    due, best = 0, -math.inf
    for checkpoint in judged_checkpoints(log["scores"], log["save_every"]):
        score, kl = log["scores"][checkpoint].item(), log["kl"][checkpoint].item()
        if kl <= log["kl_budget"] and score > best:
            due, best = checkpoint, score
    return due


def _verdict_of_other_logs(inputs: dict, outputs: dict) -> Verdict | None:
    """On the short logs, one after the other; None where the best was found in each."""
    for name in OTHER_LOGS:
        log = other_log(inputs, name)
        due, kind = _due(log), outputs[f"{name}_kind"]
        got = outputs[f"{name}_output"] if kind == "number" else kind
        if got != due:
            shown = f"{got:g}" if isinstance(got, float) else got
            said = f"of {len(log['scores'])} updates, saved every {log['save_every']}"
            together = [hint for hint, _ in _of_all_logs(inputs, outputs)]
            hint = together[0] if together else _of_other_log(name, got, log["save_every"])
            return Verdict(False, f"{shown}, {said}", f"{due}", _CHECKPOINT_HINTS[hint], hint)
    return None


def _of_other_log(name: str, got: float | str, every: int) -> str:
    """The hint on a checkpoint, or the kind of what is no number, that an answer has for one of the short logs."""
    place = got / every if isinstance(got, float) else got
    if name == "uneven":
        is_error = str(got).startswith("an error")
        return "uneven_split" if is_error else "uneven_left_out" if place == 4 else "bar_too_high"
    if name == "tempting":
        return {1: "first_unchecked", 3: "with_a_margin", 9: "lines_beside"}.get(place, "tempted")
    priced, price = (3, "kl_divided") if name == "first" else (2, "kl_subtracted")
    return price if place == priced else f"{name}_left_out"


def _of_all_logs(inputs: dict, outputs: dict) -> list[tuple[str, float]]:
    """The name of the way that gives what the answer gave for every log, and what it gave for the first."""
    logs = [inputs, *(other_log(inputs, name) for name in OTHER_LOGS)]
    kinds = [outputs["kind"], *(outputs[f"{name}_kind"] for name in OTHER_LOGS)]
    got = [outputs["output"], *(outputs[f"{name}_output"] for name in OTHER_LOGS)]
    if set(kinds) != {"number"} or got == [_due(log) for log in logs]:
        return []
    pairs = list(zip(logs, got, strict=True))
    return [(name, got[0]) for name, way in _ways() if all(way(**log) == one for log, one in pairs)][:1]


def _ways() -> list[tuple[str, Callable]]:
    """(Name of the hint, a way to pick a checkpoint that several logs tell from others, and one alone does not.)"""
    return [
        ("places_shifted", _place_among_those_within),
        ("places_shifted", _of_lines_within),
        ("stepped_back", _stepped_back),
        ("most_of_the_budget", _best_by(lambda scores, kl, c: kl[c])),
        *(("mean_of_lines", _best_by_mean(*lines)) for lines in ((1, 2), (1, 1), (0, 2), (0, 3), (2, 1), (2, 3))),
        *(("scores_rounded", _best_rounded(places)) for places in (0, 1, 2, 3)),
        *(("scores_rounded", _best_in(dtype)) for dtype in (torch.float16, torch.bfloat16)),
    ]


def _best_by(key: Callable) -> Callable:
    def way(scores: torch.Tensor, kl: torch.Tensor, save_every: int, kl_budget: float) -> int:
        within = [c for c in judged_checkpoints(scores, save_every) if kl[c] <= kl_budget]
        return max(within, key=lambda c: key(scores, kl, c).item())

    return way


def _best_by_mean(before: int, after: int) -> Callable:
    return _best_by(lambda scores, kl, c: scores[c - before : c + after].mean())


def _best_rounded(places: int) -> Callable:
    return _best_by(lambda scores, kl, c: scores[c].double().round(decimals=places))


def _best_in(dtype: torch.dtype) -> Callable:
    return _best_by(lambda scores, kl, c: scores[c].to(dtype))


def _place_among_those_within(scores: torch.Tensor, kl: torch.Tensor, save_every: int, kl_budget: float) -> int:
    judged = slice(save_every, None, save_every)
    return (int(scores[judged][kl[judged] <= kl_budget].argmax()) + 1) * save_every


def _of_lines_within(scores: torch.Tensor, kl: torch.Tensor, save_every: int, kl_budget: float) -> int:
    lines = scores[kl <= kl_budget]
    return max(judged_checkpoints(lines, save_every), key=lambda c: lines[c].item())


def _stepped_back(scores: torch.Tensor, kl: torch.Tensor, save_every: int, kl_budget: float) -> int:
    best = max(judged_checkpoints(scores, save_every), key=lambda c: scores[c].item())
    while best > 0 and kl[best] > kl_budget:
        best -= save_every
    return best


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
