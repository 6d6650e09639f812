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
    "on. In eval() two equal calls give equal results. (If you did look: means, norms and extremes can stay where "
    "each token changes, and a wide tolerance sees no change.)",
    "steady": "In this run `alone`, `again` and `in_a_batch` all agree up to 1e-5, as they do with weights in bf16, in "
    "4-bit and in 8-bit in train(). In eval() the outlier columns of *other* rows decide what is rounded in yours: "
    "such a run repeats, and yet changes in a batch.",
    "signed": "You compare differences with their signs: what only lowers every number looks like no change at all. "
    "Take abs() first, then the largest of all tokens.",
    "one_token": "Your condition on `again` is weak: it looks at one token or some, or asks any() for one, or allows "
    "too much. Dropout leaves some as they were, too: a run repeats where all agree, so take the largest difference of "
    "all tokens, and a tolerance of 1e-4.",
    "means": "You compare sums or means, in which changes of both signs cancel: what dropout changes can add up to 0. "
    "Look at the largest change of a token, without its sign.",
    "difference_of_changes": "You subtract one change from the other, it seems. A large change in a batch does not "
    "make up for one in `again`: ask of each by itself whether there is any.",
    "rounded": "You rounded before you compared, it seems. Two figures that differ by 4e-6 can lie on both sides of a "
    "half, and round apart. Round nothing, and give the difference a tolerance.",
    "only_the_first": "In each draw you return the first run, or nothing: the loop ends at its first turn. Is a "
    "return, or an else with one, reached there? Or does any run meet your conditions?",
    "only_the_last": "In each draw you return the last of the runs. Is the name set again in each turn of the loop, or "
    "read after it?",
    "returned_nothing": "Your function returned nothing (None) in every draw. Is there a return, and does a run reach "
    "it? Equal calculations agree up to 1e-5, not bit for bit (torch.equal, ==). And `again` is to agree with `alone`, "
    "while `in_a_batch` is not: are the two swapped, or one asked twice?",
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
    from helpers.checks.calls.lesson_1_eval import drawn, ways_of

    draws = drawn(inputs)
    made = [
        {name: way if way in ("8-bit eval", "dropout") else "steady" for name, way in ways_of(draw).items()}
        for draw in draws
    ]
    is_nothing = all(outputs[f"kind_{number}"] == "NoneType" for number in range(1, len(draws) + 1))

    def cause(picks: Picks) -> str:
        return "returned_nothing" if is_nothing else _in_eval_cause(draws, made, picks)

    return draws_verdict(outputs, made, "8-bit eval", _IN_EVAL_HINTS, cause)


def _in_eval_cause(draws: list[dict], made: list[dict[str, str]], picks: Picks) -> str:
    """What all picks have in common: a place in the loop or in the order of distances, how the differences were
    compared, or that only large changes were seen."""
    ways = [pick and of_draw[pick] for of_draw, pick in zip(made, picks, strict=True)]
    due = [next(name for name, way in of_draw.items() if way == "8-bit eval") for of_draw in made]
    if any(picks) and list(picks) == [_with_default_tolerance(draw) for draw in draws]:
        return "none_met"
    if found := _place_in_the_loop(draws, due, picks):
        return found
    if any(picks) and "steady" not in ways and (found := _way_found(draws, picks)):
        return found
    is_only_large = any(picks) and "steady" not in ways and _are_only_large_found(draws, due, ways)
    if is_only_large and "dropout" not in ways:
        return "tolerance_too_large"
    if any(picks) and "dropout" not in ways and _is_rounded(draws, picks):
        return "rounded"
    if None not in picks:  # a place in that order holds a steady run in some draw, and the one in eval() in another
        return "by_distance" if {"steady"} < set(ways) and _has_one_place(draws, picks) else ""
    return "tolerance_too_large" if is_only_large else ""


def _place_in_the_loop(draws: list[dict], due: list[str], picks: Picks) -> str:
    """Whether the first run was returned, in all draws or where it is the right one, or the last in all."""
    firsts, lasts = ([draw["names"][place] for draw in draws] for place in (0, -1))
    right_firsts = [first if first == name else None for first, name in zip(firsts, due, strict=True)]
    if list(picks) in (firsts, right_firsts):
        return "only_the_first"
    return "only_the_last" if list(picks) == lasts else ""


def _are_only_large_found(draws: list[dict], due: list[str], ways: list[str | None]) -> bool:
    """Whether the run in eval() was missed, for none, only where other texts change less than where it was found."""
    changes = {"none": [0.0], "8-bit eval": [], "dropout": []}
    for draw, name, way in zip(draws, due, ways, strict=True):
        changes[way or "none"].append(_largest(draw[f"{name}: alone"], draw[f"{name}: in_a_batch"]).item())
    return None in ways and (not changes["8-bit eval"] or max(changes["none"]) < min(changes["8-bit eval"]))


Compared = Callable[[Tensor, Tensor], Tensor]  # how much one call differs from another, as an answer sums it up


def _largest(alone: Tensor, other: Tensor) -> Tensor:
    return (other - alone).abs().max()


def _smallest(alone: Tensor, other: Tensor) -> Tensor:
    return (other - alone).abs().min()


def _smallest_beyond(alone: Tensor, other: Tensor) -> Tensor:
    """The same less what isclose allows of a value."""
    return ((other - alone).abs() - 1e-5 * alone.abs()).min()


def _mean(alone: Tensor, other: Tensor) -> Tensor:
    return (other - alone).mean().abs()


def _size(alone: Tensor, other: Tensor) -> Tensor:
    return (other - alone).abs().mean()


def _norm(alone: Tensor, other: Tensor) -> Tensor:
    return (other - alone).norm()


def _nothing(alone: Tensor, other: Tensor) -> Tensor:
    return torch.zeros(())


def _at(token: int | slice) -> Compared:
    return lambda alone, other: (other - alone)[token].abs().max()


def _signed(sign: int) -> Compared:
    return lambda alone, other: (sign * (other - alone)).max()


def _rounded(digits: int) -> Compared:
    return lambda alone, other: (other.round(decimals=digits) != alone.round(decimals=digits)).sum()


def _in_a_batch(size: Compared) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    return lambda alone, again, in_a_batch: size(alone, in_a_batch)


def _mean_in_a_batch(alone: Tensor, again: Tensor, in_a_batch: Tensor) -> Tensor:
    return (in_a_batch - alone).mean()


def _less_again(size: Compared) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    return lambda alone, again, in_a_batch: size(alone, in_a_batch) - size(alone, again)


_RANKS_BY_THE_BATCH = (  # how an answer sums up what a batch changes, and the place of the run that it takes
    *((_in_a_batch(size), place) for size in (_largest, _size, _norm) for place in (-1, -2)),
    (_mean_in_a_batch, 0),
)
_UP, _DOWN = _signed(1), _signed(-1)
_TOKENS = [_at(token) for token in (0, -1, 1, -2, 50, slice(10), slice(5), slice(3))]
# (name of the hint, how an answer sums up the changes of `again` and a bound, how those of `in_a_batch` and a bound)
_WAYS_TO_COMPARE = (
    ("dropout", _nothing, 1e-4, _largest, 1e-4),
    *(("signed", repeats, 1e-4, differs, 1e-4) for repeats in (_UP, _DOWN) for differs in (_largest, _UP, _DOWN)),
    *(("one_token", token, 1e-4, differs, 1e-4) for token in _TOKENS for differs in (_largest, token)),
    *(("tolerance_too_large", _largest, 1e-4, smallest, 1e-4) for smallest in (_smallest, _smallest_beyond)),
    *(("means", _mean, bound, _mean, bound) for bound in (2e-3, 1e-3, 1e-4, 1e-5)),
    *(("tolerance_too_large", _largest, bound, _largest, bound) for bound in (0.05, 0.1, 0.2, 0.5)),
    *(("means", _mean, bound, _mean, bound) for bound in (1e-2, 5e-3)),
    *(("one_token", _smallest, bound, _largest, bound) for bound in (1e-4, 1.5e-4)),  # isclose adds some of the value
)


def _way_found(draws: list[dict], picks: Picks) -> str:
    """The hint on the first way to compare that leads to these picks; '' if none does."""
    for change, place in _RANKS_BY_THE_BATCH:
        if list(picks) == [_ranked(draw, change)[place] for draw in draws]:
            return "dropout"
    for hint, *way in _WAYS_TO_COMPARE:
        if list(picks) == [_first_found(draw, *way) for draw in draws]:
            return hint
    for less in (_less_again(size) for size in (_largest, _size, _norm)):
        if list(picks) == [_ranked(draw, less)[-1] for draw in draws]:
            return "difference_of_changes"
    return ""


def _is_rounded(draws: list[dict], picks: Picks) -> bool:
    """Whether these are the runs that agree in two calls to so many decimals, and do not in a batch."""
    ways = [(_rounded(digits), 0.5, _rounded(digits), 0.5) for digits in (1, 2, 3)]
    return any(list(picks) == [_first_found(draw, *way) for draw in draws] for way in ways)


def _measured(draw: dict, name: str) -> list[Tensor]:
    return [draw[f"{name}: {measured}"] for measured in ("alone", "again", "in_a_batch")]


def _first_found(draw: dict, repeats: Compared, least: float, differs: Compared, most: float) -> str | None:
    """The first run whose changes in a second call sum up to less than a bound, and those in a batch to more."""
    for name in draw["names"]:
        alone, again, in_a_batch = _measured(draw, name)
        if repeats(alone, again) < least and differs(alone, in_a_batch) > most:
            return name
    return None


def _ranked(draw: dict, change: Callable[[Tensor, Tensor, Tensor], Tensor]) -> list[str]:
    """The runs, that which changes the least first."""
    return sorted(draw["names"], key=lambda name: change(*_measured(draw, name)).item())


def _with_default_tolerance(draw: dict) -> str | None:
    """The run that torch.allclose, as it comes, finds to repeat and to change in a batch."""
    for name in draw["names"]:
        alone, again, in_a_batch = _measured(draw, name)
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
