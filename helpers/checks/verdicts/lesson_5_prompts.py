"""The verdict of exercise 5.1: how many prompts it takes."""

import math

import torch
from torch import Tensor

from helpers.checks.verdicts.compare import Verdict, number_verdict

_HINTS = {
    "unpaired": "You added the variances of before and after, as for two groups of different prompts. Here each prompt "
    "is its own comparison: take the differences first, then their spread.",
    "spread_of_one_side": "This is the spread of the scores of one side. Most of it is that prompts differ, before as "
    "well as after. What has to be averaged out is the spread of the *differences*.",
    "difference_of_spreads": "You took the difference of two spreads. What has to be averaged out is the spread of the "
    "*differences*: subtract prompt by prompt first.",
    "spread_of_all_scores": "This is a spread of *scores*, those of both sides taken together. Most of it is that "
    "prompts differ. What has to be averaged out is the spread of the *differences*.",
    "spread_of_sizes": "This is the spread of the *sizes* of the differences. What went down counts as if it had gone "
    "up: leave the signs, and take no abs().",
    "beyond_the_pilot": "You left out the prompts of the pilot. Asked is how many prompts the whole measurement takes, "
    "not how many more than the pilot had.",
    "never_below_the_pilot": "For a large change you say as many prompts as the pilot had, or one more. Fewer are "
    "enough for it: a search has to begin at 1.",
    "root_mean_square": "You have the root of the mean squared difference. That measures from 0, so the change itself "
    "is in it; a standard deviation measures from the mean of the differences.",
    "divided_by_all": "Your spread divides by the number of prompts. The mean was estimated from the same numbers, so "
    "divide by one less: `std()` of torch does.",
    "one_too_many": "That is one prompt more than it takes: one fewer already makes the interval short enough. To "
    "round up and to add 1 are two ways to the same end; one of them is due. Or you divide by √(n - 1): it is √n.",
    "rounded_down": "With this many the interval still just contains 0: round up to the next whole number.",
    "not_whole": "This is where the interval ends exactly at 0; there is no part of a prompt. Which whole number is "
    "the first above it?",
    "not_squared": "You have 1.96 s / change, which is √n. Square it.",
    "one_standard_error": "You asked for one standard error below change. 95% of an interval are 1.96 of them.",
    "one_sided": "1.645 leaves 5% on one side. The intervals of the course leave 2.5% on each: 1.96.",
    "two_for_1.96": "You rounded 1.96 to 2. That is a rule of thumb; asked is 1.96.",
    "power": "You planned for power, it seems: 0.84 is added to have the change shown in 80 of 100 measurements, 1.28 "
    "in 90. Asked is less: that the half-width, 1.96 s / √n, is below change.",
    "whole_width": "You made the *whole* interval shorter than change. It reaches half of its width to each side of "
    "the mean, and 1.96 s / √n is that half.",
    "half_of_the_half": "Your interval is half as wide as it is: 1.96 s / √n is already what lies on each side.",
    "variance_for_spread": "You used the variance where the standard deviation belongs, its square root.",
    "pilot_divided_twice": "You divided the spread by the root of the pilot's size, too. That is the uncertainty of "
    "the *pilot's* mean; the n of the formula is that of the run to come.",
    "change_of_the_pilot": "You asked how many prompts show the pilot's own mean change. Asked is the smallest n for "
    "`change`, whatever the pilot happened to give.",
    "variance_rule": "The variance of a difference is the sum of both variances less *twice* their covariance, all "
    "three with the same divisor. Yours is another rule, right in special cases alone. Subtract prompt by prompt, and "
    "take std() of that.",
    "divided_by_two_less": "Your spread divides by the number of prompts less 2. One number was estimated from the "
    "differences, their mean: divide by one less, as `std()` of torch does.",
    "students_t": "You took Student's t, it seems, which is larger than 1.96 where prompts are few. The intervals of "
    "the course, and this exercise, take 1.96 however many there are.",
    "99_percent": "2.576 leaves 0.5% on each side: an interval of 99%. The intervals of the course leave 2.5%: 1.96.",
    "1.96_not_squared": "You squared s / change and not 1.96. √n is above 1.96 s / change: square all of that.",
    "change_not_squared": "You squared 1.96 s and not change. √n is above 1.96 s / change: square all of that.",
    "spread_rounded": "You rounded the spread on the way, or typed it in. Over a thousand prompts, its third decimal "
    "is worth several: round nothing but n.",
    "outliers_dropped": "You left out the differences that are far from the others. They are part of how changes "
    "spread, and the prompts to come will have such ones, too.",
    "pilot_added": "You added the prompts of the pilot. Asked is how many prompts the whole measurement takes.",
    "search_ended": "Your search ends before it is there. A small change takes more than a thousand prompts: go on "
    "while the interval is too wide, whatever n has come to.",
    "steps_too_large": "Your search goes on in large steps, and passes the smallest n. Go on by one.",
    "a_least_number": "You never say fewer than some number: a rule of thumb, or a search that does not begin at 1. "
    "Where changes are large, or hardly spread, few prompts are enough, be it one.",
    "none_needed": "In one pilot all differences are equal, and you say that 0 prompts are enough. n has to be "
    "*above* (1.96 s / change)², which is 0 there, and the first whole number above 0 is 1. ceil() leaves a number "
    "that is whole already.",
    "flat": "In one pilot each prompt gained exactly 1: the differences do not spread at all, (1.96 s / change)² is "
    "0, and the smallest whole number above it is 1.",
    "not_one_number": "Your function returned {kind}; one number is due. If it searches, and found none: a small "
    "change takes more than a thousand prompts.",
}
_EQUAL_DIFFERENCES_DIVIDED = "an error (ZeroDivisionError)"  # of who divides change by the spread, which is right
_POWER = [level + more for level in (1.96, 1.959964, 1.645) for more in (0.84, 0.842, 0.8416, 0.8416212)]
_POWER += [level + more for level in (1.96, 1.959964, 1.645) for more in (1.28, 1.282, 1.2816, 1.2815516)]
_POWER += [2.8, 8**0.5]  # the sum of 1.96 and 0.84, and the rule of thumb 8 (s / change)²


def prompts_needed_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against a search, for a small change and for a larger one: a prompt more, until the interval is short enough."""
    verdict = _number_needed(inputs, outputs)
    if verdict.passed:
        other = {**outputs, "output": outputs["other_output"], "kind": outputs["other_kind"]}
        verdict = _number_needed({**inputs, "change": inputs["other_change"]}, other)
    if not verdict.passed or outputs["flat_kind"] == _EQUAL_DIFFERENCES_DIVIDED:
        return verdict
    got, flat = outputs["flat_output"], {**outputs, "output": outputs["flat_output"], "kind": outputs["flat_kind"]}
    if outputs["flat_kind"].startswith("an error"):
        return Verdict(False, outputs["flat_kind"], "1", _HINTS["flat"], "flat")
    name = "none_needed" if got == 0 else "a_least_number" if got > 1 else "flat"
    on_flat = number_verdict(flat, 1, [(name, got)], _HINTS)
    return verdict if on_flat.passed else on_flat


def _number_needed(inputs: dict, outputs: dict) -> Verdict:
    pilot, change = len(inputs["before"]), inputs["change"]
    pairs = _differences(inputs)
    spread = pairs.std().item()
    due = 1
    while 1.96 * spread / math.sqrt(due) >= change:
        due += 1
    exact = (1.96 * spread / change) ** 2
    causes = [
        ("beyond_the_pilot", abs(due - pilot)),
        ("pilot_added", due + pilot),
        ("steps_too_large", 2 ** due.bit_length()),
    ]
    causes += [("rounded_down", math.floor(exact)), ("not_whole", exact), ("one_too_many", math.floor(exact) + 2)]
    for name, values in [*_of_another_spread(inputs).items(), *_of_another_level(inputs).items()]:
        causes += [(name, way(exact * value)) for value in values for way in (_next, float, math.floor, round)]
    causes += [("students_t", _searched(pairs.std().item(), change)), *_of_a_search(due, pilot)]
    if due < pilot:
        causes = [("never_below_the_pilot", pilot + more) for more in (0, 1)] + causes
    hints = _HINTS if outputs["kind"] == "NoneType" else {n: _HINTS[n] for n in _HINTS if n != "not_one_number"}
    return number_verdict(outputs, due, causes, hints)


def _differences(inputs: dict) -> Tensor:
    return inputs["after"].double() - inputs["before"].double()


def _of_another_spread(inputs: dict) -> dict[str, list[float]]:
    """By how much n is multiplied where the variance of the differences is replaced by something else."""
    pairs, count = _differences(inputs), len(inputs["before"])
    both = torch.stack([inputs["before"], inputs["after"]]).double()
    (before, shared), (_, after) = torch.cov(both).tolist()
    due, mean, spread = pairs.var().item(), pairs.mean().item(), pairs.std().item()
    r, fewer = shared / math.sqrt(before * after), (count - 1) / count
    left = after * (1 - r**2)  # what a regression of after on before leaves
    squares = pairs.square().sum().item()
    variances = {
        "unpaired": [before + after],
        "spread_of_one_side": [before, after],
        "difference_of_spreads": [(math.sqrt(after) - math.sqrt(before)) ** 2],
        "spread_of_all_scores": [both.var().item(), (both.std(1).mean() ** 2).item(), (before + after) / 2],
        "variance_rule": [
            *(after - before, before - after, after - shared, before + after - shared, before + after + 2 * shared),
            *(left, left * fewer, left * (count - 1) / (count - 2), 2 * (1 - r) * before, 2 * (1 - r) * after),
            *((1 - r) * (before + after), (before + after) * fewer - 2 * shared, before + after - 2 * shared * fewer),
        ],
        "root_mean_square": [squares / count, squares / (count - 1)],
        "spread_of_sizes": [pairs.abs().var().item()],
        "divided_by_all": [due * fewer],
        "divided_by_two_less": [due * (count - 1) / (count - 2)],
        "variance_for_spread": [due**2],
        "pilot_divided_twice": [due / count],
        "spread_rounded": [round(spread, places) ** 2 for places in (1, 2, 3)],
        "change_of_the_pilot": [due * (inputs["change"] / mean) ** 2],
    }
    return {name: [value / due for value in values] for name, values in variances.items()}


def _without_outliers(inputs: dict) -> list[float]:
    pairs = _differences(inputs)
    off = (pairs - pairs.mean()).abs() / pairs.std()
    return [(pairs[off < bound].var() / pairs.var()).item() for bound in (2, 2.5, 3)]


def _of_another_level(inputs: dict) -> dict[str, list[float]]:
    """By how much n is multiplied where 1.96 is replaced by something else, or a square forgotten."""
    change, spread = inputs["change"], _differences(inputs).std().item()
    unpaired = (inputs["before"].double().var() + inputs["after"].double().var()).item() / spread**2
    exact = (1.96 * spread / change) ** 2
    return {
        "not_squared": [1 / math.sqrt(exact)],
        "1.96_not_squared": [1 / 1.96],
        "change_not_squared": [change],
        "one_standard_error": [1 / 1.96**2],
        "one_sided": [(z / 1.96) ** 2 for z in (1.64, 1.645, 1.6448536)],
        "two_for_1.96": [(2 / 1.96) ** 2],
        "99_percent": [(z / 1.96) ** 2 for z in (2.57, 2.576, 2.58, 2.5758293)],
        "students_t": [(t / 1.96) ** 2 for t in (2.02, 2.0227, 2.022691, 2.023, 2.021, 2.0211)],
        "whole_width": [4],
        "half_of_the_half": [1 / 4],
        "power": [(z / 1.96) ** 2 * groups for z in _POWER for groups in (1, 2, unpaired)],
        "outliers_dropped": _without_outliers(inputs),
    }


def _searched(spread: float, change: float) -> int:
    """The n of a search in which 1.96 is replaced by Student's t of n - 1, to the second order in 1 / n."""
    z, n = 1.959964, 2
    while (z + (z**3 + z) / (4 * (n - 1))) * spread / math.sqrt(n) >= change:
        n += 1
    return n


def _of_a_search(due: int, pilot: int) -> list[tuple[str, float]]:
    doubled = [pilot * 2 ** math.ceil(math.log2(due / pilot))] if due > pilot else []
    stepped = [math.ceil(due / step) * step for step in (5, 10, 20, 50, 100)]
    few = [("a_least_number", number) for number in (15, 20, 25, 30, 50, 100) if due < number]
    ended = [("search_ended", number - less) for number in (200, 400, 500, 1000) for less in (0, 1) if number < due]
    return [*few, *ended, *(("steps_too_large", n) for n in (*doubled, *stepped))]


def _next(value: float) -> int:
    return math.floor(value) + 1
