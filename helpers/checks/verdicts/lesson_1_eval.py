"""Verdict on exercise 1.5: which run was left in eval()."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.verdicts.compare import Verdict
from helpers.checks.verdicts.draws import Picks, draws_verdict

_IN_EVAL_HINTS = {
    "by_distance": "In every draw your run has the same place in the order of distances from `original`: you went by "
    "them, it seems. They say how much was rounded, not in which mode a run is. What does `eval()` depend on that "
    "`train()` does not?",
    "dropout": "This run changes with the batch, but look at `again`: it changes without any reason, too. Dropout is "
    "on. In eval() two equal calls give equal results. (If you did look: a mean of changes with their signs is near 0 "
    "whatever changes.)",
    "steady": "In this run `alone`, `again` and `in_a_batch` all agree up to 1e-5, as they do with weights in bf16, in "
    "4-bit and in 8-bit in train(). In eval() the outlier columns of *other* rows decide what is rounded in yours: "
    "such a run repeats, and yet changes in a batch.",
    "signed": "You compare differences with their signs: what only lowers every number looks like no change at all. "
    "Take abs() first, then the largest of all tokens.",
    "one_token": "You look at one token, or ask any() for one. Dropout leaves some as they were, too: a run repeats "
    "where all of them agree, so take the largest difference of all tokens.",
    "means": "You compare sums or means, in which changes of both signs cancel: what dropout changes can add up to 0. "
    "Look at the largest change of a token, without its sign.",
    "other_name": "That is none of the names of the runs. Return one of the keys of `runs`, letter for letter.",
    "tolerance_too_large": "In draws where other texts change little, once by about 0.02 at most, you found no run, "
    "or a wrong one. Either your tolerance is too large: equal calculations agree up to 1e-5, so 1e-4 is enough. Or "
    "you want every token to change: one that does is enough.",
    "none_met": "No run met your conditions in some draws, or in all. Equal calculations agree only up to 1e-5: so "
    "torch.equal finds none, and torch.allclose few, for its tolerance shrinks with the value. Give it atol=1e-4; "
    "other texts may change as little as 0.02. (Of none, next() and [0] make an error; a function that ends without "
    "return gives None, too.)",
}


def eight_bit_in_eval_verdict(inputs: dict, outputs: dict) -> Verdict:
    """The run that was computed so: its log-probabilities repeat, and change when other texts stand beside it."""
    from helpers.checks.calls.lesson_1_models import drawn, ways_of

    draws = drawn(inputs)
    made = [
        {name: way if way in ("8-bit eval", "dropout") else "steady" for name, way in ways_of(draw).items()}
        for draw in draws
    ]
    return draws_verdict(outputs, made, "8-bit eval", _IN_EVAL_HINTS, lambda picks: _in_eval_cause(draws, made, picks))


def _in_eval_cause(draws: list[dict], made: list[dict[str, str]], picks: Picks) -> str:
    """What all picks have in common: how the differences were compared, a place in the order of distances, or that only
    large changes were seen."""
    ways = [pick and of_draw[pick] for of_draw, pick in zip(made, picks, strict=True)]
    if any(picks) and list(picks) == [_with_default_tolerance(draw) for draw in draws]:
        return "none_met"
    if any(picks) and "steady" not in ways and (found := _way_found(draws, picks)):
        return found
    if None not in picks:  # a place in that order holds a steady run in some draw, and the one in eval() in another
        return "by_distance" if {"steady"} < set(ways) and _has_one_place(draws, picks) else ""
    changes = {way: [0.0] for way in ("none", "8-bit eval")}  # of the runs in eval() that were missed, and found
    for draw, of_draw, way in zip(draws, made, ways, strict=True):
        due = next(name for name, way in of_draw.items() if way == "8-bit eval")
        change = (draw[f"{due}: in_a_batch"] - draw[f"{due}: alone"]).abs().max().item()
        changes.setdefault(way or "none", []).append(change)
    found = changes["8-bit eval"][1:]
    only_large = not found or max(changes["none"]) < min(found)
    return "tolerance_too_large" if any(ways) and "steady" not in ways and only_large else ""


def _largest(changes: Tensor) -> Tensor:
    return changes.abs().max()


def _smallest(changes: Tensor) -> Tensor:
    return changes.abs().min()


def _mean(changes: Tensor) -> Tensor:
    return changes.mean().abs()


_FIRST, _LAST = (lambda changes, at=at: changes[at].abs() for at in (0, -1))
_UP, _DOWN = (lambda changes, sign=sign: (sign * changes).max() for sign in (1, -1))
_WAYS_TO_COMPARE = (  # (name of the hint, how an answer sums up the changes of `again`, those of `in_a_batch`, a bound)
    *(("signed", repeats, differs, 1e-4) for repeats in (_UP, _DOWN) for differs in (_largest, _UP, _DOWN)),
    *(("one_token", token, differs, 1e-4) for token in (_FIRST, _LAST) for differs in (_largest, token)),
    *(("tolerance_too_large", _largest, _largest, bound) for bound in (0.05, 0.1, 0.2, 0.5)),
    *(("one_token", _smallest, _largest, bound) for bound in (1e-4, 1.5e-4)),  # isclose adds a little of the value
    *(("tolerance_too_large", _largest, _smallest, bound) for bound in (1e-4, 1.5e-4)),
    *(("means", _mean, _mean, bound) for bound in (1e-2, 5e-3, 2e-3, 1e-3, 1e-4, 1e-5)),
)


def _way_found(draws: list[dict], picks: Picks) -> str:
    """The hint on the first way to compare that leads to these picks; '' if none does."""
    for hint, repeats, differs, bound in _WAYS_TO_COMPARE:
        if list(picks) == [_first_found(draw, repeats, differs, bound) for draw in draws]:
            return hint
    return ""


def _first_found(draw: dict, repeats: Callable, differs: Callable, bound: float) -> str | None:
    """The first run whose changes in a second call sum up to less than the bound, and those in a batch to more."""
    for name in draw["names"]:
        alone, again, in_a_batch = (draw[f"{name}: {measured}"] for measured in ("alone", "again", "in_a_batch"))
        if repeats(again - alone) < bound < differs(in_a_batch - alone):
            return name
    return None


def _with_default_tolerance(draw: dict) -> str | None:
    """The run that torch.allclose, as it comes, finds to repeat and to change in a batch."""
    for name in draw["names"]:
        alone, again, in_a_batch = (draw[f"{name}: {measured}"] for measured in ("alone", "again", "in_a_batch"))
        if torch.allclose(again, alone) and not torch.allclose(in_a_batch, alone):
            return name
    return None


def _has_one_place(draws: list[dict], picks: Picks) -> bool:
    """Whether each pick has one and the same place when the runs of its draw are ordered by a distance."""
    for measured in ("alone", "again", "in_a_batch"):
        for order in (1, 2, math.inf):
            places = set()
            for draw, pick in zip(draws, picks, strict=True):
                off = {name: draw[f"{name}: {measured}"] - draw["original"] for name in draw["names"]}
                places.add(sorted(off, key=lambda name: off[name].norm(order)).index(pick))
            if len(places) == 1:
                return True
    return False
