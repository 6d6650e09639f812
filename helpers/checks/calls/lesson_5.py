"""Inputs and calls of lesson 5: how many prompts, what a run shows, and which checkpoint to keep."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.observe import (
    NUMBER_OUTPUTS,
    call_again,
    call_for_number,
    call_for_texts,
    kind_of_error,
    texts_outputs,
)

PROMPTS_NEEDED_OUTPUTS = {**NUMBER_OUTPUTS} | {
    f"{call}_{part}": NUMBER_OUTPUTS[part] for call in ("other", "flat") for part in ("output", "kind")
}
OTHER_LOGS = ("first", "last", "uneven", "tempting")
BEST_CHECKPOINT_OUTPUTS = {
    **NUMBER_OUTPUTS,
    **{f"{log}_{part}": NUMBER_OUTPUTS[part] for log in OTHER_LOGS for part in ("output", "kind")},
}

FIELDS = (
    "reward_change",
    "reward_half",
    "lexicon_change",
    "lexicon_half",
    "kl",
    "distinct_2_before",
    "distinct_2_after",
    "nll_before",
    "nll_after",
)
# One run of each kind. The figures are close to those of real runs of the course's trainer, but for some that a wrong
# bound would take for the right one. How far the reward rose does not tell sound runs from hacked ones: both kinds are
# found among the small rises and among the large ones.
DRAWN = {
    "small": (0.08, 0.05, 0.06, 0.02, 0.8, 0.50, 0.40, 3.5, 3.4),  # kept just 0.8 of a low distinct-2
    "near": (0.60, 0.42, 0.30, 0.20, 2.0, 0.91, 0.88, 3.5, 3.4),  # 1.5 times a half holds 0, the other judge's, too
    "odd": (0.95, 0.11, 0.44, 0.06, 4.5, 0.91, 0.88, 3.5, 4.5),  # the NLL grew by just 1
    "far": (1.10, 0.12, 0.50, 0.06, 40.0, 0.90, 0.84, 3.5, 3.4),
    "sharper": (0.80, 0.12, 0.45, 0.06, 5.5, 0.60, 0.80, 9.4, 8.1),  # the NLL fell by more than 1, distinct-2 rose
    "clear": (2.30, 0.14, 0.62, 0.06, 6.0, 0.91, 0.75, 3.5, 3.3),  # distinct-2 lost more than repeating, and less of it
    "unconfirmed": (2.10, 0.20, 0.30, 0.30, 3.0, 0.91, 0.88, 3.5, 3.4),  # the lexicon's interval begins at 0
    "straddling": (0.90, 0.12, 0.05, 0.12, 5.0, 0.91, 0.88, 3.5, 3.4),
    "disliked": (1.30, 0.14, -0.15, 0.07, 5.0, 0.91, 0.89, 3.5, 3.4),
    "repeating": (1.85, 0.15, 0.52, 0.06, 9.0, 0.60, 0.474, 3.5, 3.4),  # kept 0.79
    "garbled": (0.50, 0.12, 0.41, 0.07, 9.0, 0.91, 0.90, 6.0, 7.15),  # the NLL grew by more than 1, a smaller share
    "wide": (0.30, 0.38, 0.60, 0.08, 2.0, 0.91, 0.90, 3.5, 3.4),
    "touching": (0.25, 0.25, 0.20, 0.08, 2.0, 0.91, 0.90, 3.5, 3.4),  # the interval begins at 0
    "wide_below": (-0.33, 0.33, -0.04, 0.08, 9.5, 0.91, 0.30, 3.5, 5.2),  # the interval ends at 0; no language any more
    "fallen": (-0.50, 0.12, -0.03, 0.07, 12.0, 0.91, 0.40, 3.5, 6.4),
    "slipped": (-0.20, 0.12, 0.25, 0.07, 2.0, 0.91, 0.90, 3.5, 3.4),  # fell a little, and the rest is sound
}
RUNS = len(DRAWN)
CLAIM_OF_OUTPUTS = texts_outputs(RUNS)
_PILOT = 40
_EVERY = (19, 20, 21, 22, 24, 25)  # save_every; above the number of checkpoints, so that no place in a list is one
_SAVED = 18


def prompts_needed_inputs(seed: int) -> dict:
    """Paired scores of a pilot: prompts differ by a standard deviation of 1, changes by 0.6, nearly exactly.

    Who scored high before gained more: so the variance of the differences is not the difference of the variances, nor
    what a regression leaves. One difference is far from the others. The pilot's mean is so large that the root mean
    square of the differences is seen to be another figure than their spread, which no rounding leaves as it is.

    The number that is due, before rounding, ends in .2 to .4, so that rounding to the nearest is seen. Of
    `other_change`, which is larger, fewer prompts than the pilot's show it; there it ends in .6 to .8, for who rounds
    to the nearest and adds 1.
    """
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn(2, _PILOT, generator=generator, dtype=torch.float64)
    draws[:, int(torch.randint(_PILOT, (), generator=generator))] = torch.tensor([0.8, 7.0], dtype=torch.float64)
    draws -= draws.mean(1, keepdim=True)
    draws[1] -= draws[0] * (draws[0] @ draws[1]) / (draws[0] @ draws[0])  # what is left is not correlated
    draws /= draws.std(1, keepdim=True)
    size = (0.5734 + 0.01 * int(torch.randint(7, (), generator=generator))) / 0.6
    due, other_due = int(torch.randint(1100, 1400, (), generator=generator)), 12
    fraction = 0.2 + 0.2 * torch.rand(2, generator=generator, dtype=torch.float64)
    before = (size * draws[0]).float()
    after = (size * (1.15 * draws[0] + 0.3375**0.5 * draws[1] + 0.6 * 0.075**0.5)).float()
    spread = (after.double() - before.double()).std().item()  # rounding to float32 has moved it a little
    exact = {"change": due + fraction[0].item(), "other_change": other_due + 0.4 + fraction[1].item()}
    return {"before": before, "after": after, **{name: 1.96 * spread / n**0.5 for name, n in exact.items()}}


def flat_pilot(inputs: dict) -> dict:
    """A pilot of nine prompts, each of which gained exactly 1: the differences do not spread, and one is enough."""
    before = (4 * inputs["before"][:9]).round()
    return {"before": before, "after": before + 1, "change": 0.5}


def call_prompts_needed(answer: Callable, inputs: dict) -> dict:
    """Call the answer for a small change and for a larger one, and on a pilot whose differences do not spread."""
    pilot = {name: inputs[name] for name in ("before", "after")}
    first, other = (call_for_number(answer, {**pilot, "change": inputs[name]}) for name in ("change", "other_change"))
    flat = call_again(call_for_number, answer, flat_pilot(inputs))
    found = {**first, "inputs_changed": any(one["inputs_changed"] for one in (first, other, flat))}
    for name, one in (("other", other), ("flat", flat)):
        found |= {f"{name}_output": one["output"], f"{name}_kind": one["kind"]}
    return found


def claim_of_inputs(seed: int) -> dict:
    """A row of figures (`FIELDS`) for each of sixteen runs, in an order that the seed decides; each a little moved."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.tensor(list(DRAWN.values()), dtype=torch.float64)
    rows *= 0.96 + 0.08 * torch.rand(RUNS, 1, generator=generator, dtype=torch.float64)
    rows = rows.round(decimals=4)
    _put_on_bounds(rows)
    return {"runs": rows[torch.randperm(RUNS, generator=generator)]}


def _put_on_bounds(rows: Tensor) -> None:
    """Move five figures onto a bound that the exercise names, to the last bit, however a comparison is written."""
    at = {(kind, name): rows[row, column] for row, kind in enumerate(DRAWN) for column, name in enumerate(FIELDS)}
    at["touching", "reward_half"].copy_(at["touching", "reward_change"])
    at["wide_below", "reward_half"].copy_(-at["wide_below", "reward_change"])
    at["unconfirmed", "lexicon_half"].copy_(at["unconfirmed", "lexicon_change"])
    at["small", "distinct_2_before"].fill_(0.5)  # of half, 0.8 is exactly 0.4, as a product and as a quotient
    at["small", "distinct_2_after"].fill_(0.4)
    before = at["odd", "nll_before"]
    before.copy_((16 * before).round() / 16)  # a difference of 1 is exact in binary
    at["odd", "nll_after"].copy_(before + 1)


def call_claim_of(answer: Callable, inputs: dict) -> dict:
    """Call the answer once for each run, with its figures by name."""
    return call_for_texts(answer, (dict(zip(FIELDS, row, strict=True)) for row in inputs["runs"].tolist()))


def best_checkpoint_inputs(seed: int) -> dict:
    """A log of 18 checkpoints, all scores below 0. Each way to pick has a peak of its own, at another update.

    Of the checkpoints, in an order that the seed decides: one is the best within the budget, and just on it; one is
    the best below it; one is better, and over it, as are the lines beside it; one is better, too, and over it alone;
    one has the best line under its own number instead of the next, one has it two lines later; one has the lowest KL,
    one the lowest score; one is followed by many good lines. An early one is over the budget before the best comes.
    Between two checkpoints lies the best line of all; the first line, and line 31, are better than the best checkpoint.
    """
    generator = torch.Generator().manual_seed(seed)
    every = _EVERY[int(torch.randint(len(_EVERY), (), generator=generator))]
    updates = _SAVED * every
    budget = (5 + 2 * torch.rand((), generator=generator)).item()  # of float32, so that a KL can be equal to it
    scores = 0.2 + 0.1 * torch.rand(updates, generator=generator)
    kl = budget * (0.5 + 0.3 * torch.rand(updates, generator=generator))
    at = _placed(every, torch.randperm(10, generator=generator).tolist())
    scores[at["best"]], scores[at["next_best"]], scores[at["over"]], scores[at["alone"]] = 1.0, 0.8, 1.4, 1.3
    kl[at["best"]] = budget
    kl[[at["alone"] - 1, at["alone"] + 1]] = 0.5 * budget  # so that a mean with them is within
    kl[at["over"] - 1 : at["over"] + 2] = kl[at["alone"]] = 1.3 * budget
    scores[at["shifted"] - 1], scores[at["late"] + 1], scores[at["unsaved"] + 2] = 1.6, 1.8, 2.0
    scores[at["followed"] + 4 : at["followed"] + 10] = 0.9
    scores[at["worst"]], kl[at["nearest"]] = 0.0, 0.1 * budget
    scores[every], kl[2 * every] = 0.6, 1.1 * budget  # who stops at the first crossing keeps the first checkpoint
    scores[0], scores[30] = 1.1, 1.05  # line 31 is for who looks at every tenth
    scores[-1] = 1.2  # of the last update, whose checkpoint no line describes
    scores -= 2.5 + 0.3 * torch.rand((), generator=generator)
    return {"scores": scores, "kl": kl, "save_every": every, "kl_budget": budget}


def other_log(inputs: dict, name: str) -> dict:
    """One of `OTHER_LOGS`, with half as many updates from checkpoint to checkpoint; `log_of_an_end` says more."""
    every, budget = inputs["save_every"] // 2, inputs["kl_budget"]
    if name == "tempting":
        return tempting_log(every)
    scores, kl = log_of_an_end(every, budget, name) if name != "uneven" else _uneven(every, budget)
    return {"scores": scores, "kl": kl, "save_every": every, "kl_budget": budget}


def log_of_an_end(every: int, budget: float, end: str) -> tuple[Tensor, Tensor]:
    """Scores and KL of 5 checkpoints, all within the budget: scores that fall, or rise, so that an end is the best.

    They differ so little that rounded ones are equal. The first two checkpoints are much closer to the reference than
    the others, the second by a hair less than the first. So who divides the score by the KL takes the third where the
    scores fall, and who subtracts any price of KL the second where they rise.
    """
    scores = torch.linspace(-1.0106, -1.0111, 5 * every)
    kl = torch.linspace(0.9, 0.8, 5 * every) * budget
    kl[every], kl[2 * every] = 0.1 * budget, 0.1 * budget + 1e-5
    return scores if end == "first" else scores.flip(0), kl


def _uneven(every: int, budget: float) -> tuple[Tensor, Tensor]:
    """Of 5 checkpoints and three updates more: the last has a line, and is the best. One is over the budget.

    No score is above -20, so that -1 or -10 in the place of a score is better than each.
    """
    scores = torch.linspace(-21, -20, 5 * every + 3)
    kl = torch.linspace(0.9, 0.5, len(scores)) * budget
    kl[2 * every] = 1.3 * budget
    return scores, kl


def tempting_log(every: int) -> dict:
    """A log of 10 checkpoints with three that are better than the best within the budget, and over it.

    These are the first, one that is over by a hair, which no rounding shows, and another. The lines beside the best are
    over the budget, too, and every other line between checkpoints is better than it. Who asks the line before, or the
    line after, or takes means, finds three others: 2, 4 and 6.
    """
    scores = (torch.arange(10 * every) % 2).float()
    scores[::every] = 0.1
    kl = torch.full_like(scores, 4)
    first, hair, best, over, second = (number * every for number in (1, 3, 5, 7, 9))
    scores[first], scores[hair], scores[over], scores[best], scores[second] = 0.9, 0.8, 0.7, 0.6, 0.4
    scores[[best - 1, best + 1, second - 1, second + 1]] = torch.tensor([0.65, 0.65, 0.8, 0.8])
    for number, around in ((2, [1.3, -0.5, 0]), (4, [0, -0.5, 1.3]), (6, [1.1, 0.3, 1.1])):
        scores[number * every - 1 : number * every + 2] = torch.tensor(around)
    kl[first] = kl[over] = kl[best - 1] = kl[best + 1] = 8.2
    kl[hair], kl[second] = 6.304, 3.5
    return {"scores": scores - 2.5, "kl": kl, "save_every": every, "kl_budget": 6.3}


def call_best_checkpoint(answer: Callable, inputs: dict) -> dict:
    """Call the answer on the log, and on `OTHER_LOGS`, which are short.

    Where it looks for a line behind the last, and ends in no error on a log that goes on, the error is a kind.
    """
    try:
        found = call_for_number(answer, inputs)
    except IndexError as error:
        longer = {name: torch.cat([inputs[name], inputs[name][-1:].repeat(2)]) for name in ("scores", "kl")}
        on_longer = call_again(call_for_number, answer, {**inputs, **longer})
        if on_longer["kind"].startswith("an error"):
            raise
        found = {**on_longer, "output": 0.0, "kind": kind_of_error(error)}
    for name in OTHER_LOGS:
        other = call_again(call_for_number, answer, other_log(inputs, name))
        found |= {f"{name}_output": other["output"], f"{name}_kind": other["kind"]}
        found["inputs_changed"] |= other["inputs_changed"]
    return found


def _placed(every: int, order: list[int]) -> dict[str, int]:
    """The update of each checkpoint that is special, from the third on; "" is one that is not.

    Before "best" and "over", and after "unsaved" and "followed", is an ordinary one, for who misses by one checkpoint.
    """
    groups = [["", "best"], ["unsaved", ""], ["followed", ""], ["", "over"]]
    groups += [[name] for name in ("next_best", "alone", "shifted", "late", "nearest", "worst")]
    names = [name for place in order for name in groups[place]]
    return {name: every * number for number, name in enumerate(names, start=3)}


def judged_checkpoints(scores: Tensor, save_every: int) -> range:
    """The checkpoints that a line of the log describes: the one after their own."""
    return range(save_every, len(scores), save_every)
