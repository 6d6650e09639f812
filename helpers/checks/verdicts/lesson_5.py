"""Verdicts of lesson 5: how many prompts, and what a run shows."""

import math

from helpers.checks.calls.lesson_5 import FIELDS
from helpers.checks.verdicts.compare import Verdict, number_verdict, texts_verdict
from helpers.checks.verdicts.lesson_5_checkpoint import best_checkpoint_verdict

__all__ = ["best_checkpoint_verdict"]

_NEEDED_HINTS = {
    "unpaired": "You added the variances of before and after, as for two groups of different prompts. Here each prompt "
    "is its own comparison: take the differences first, then their spread.",
    "spread_of_one_side": "This is the spread of the scores of one side. Most of it is that prompts differ, before as "
    "well as after. What has to be averaged out is the spread of the *differences*.",
    "difference_of_spreads": "You took the difference of two spreads. What has to be averaged out is the spread of the "
    "*differences*: subtract prompt by prompt first.",
    "divided_by_all": "Your spread divides by the number of prompts. The mean was estimated from the same numbers, so "
    "divide by one less: `std()` of torch does.",
    "rounded_down": "With this many the interval still just contains 0: round up to the next whole number.",
    "not_whole": "This is where the interval ends exactly at 0; there is no part of a prompt. Which whole number is "
    "the first above it?",
    "not_squared": "You have 1.96 s / change, which is √n. Square it.",
    "one_standard_error": "You asked for one standard error below change. 95% of an interval are 1.96 of them.",
    "one_sided": "1.645 leaves 5% on one side. The intervals of the course leave 2.5% on each: 1.96.",
    "two_for_1.96": "You rounded 1.96 to 2. That is a rule of thumb; asked is 1.96.",
    "whole_width": "You made the *whole* interval shorter than change. It reaches half of its width to each side of "
    "the mean, and 1.96 s / √n is that half.",
    "half_of_the_half": "Your interval is half as wide as it is: 1.96 s / √n is already what lies on each side.",
    "variance_for_spread": "You used the variance where the standard deviation belongs, its square root.",
    "pilot_divided_twice": "You divided the spread by the root of the pilot's size, too. That is the uncertainty of "
    "the *pilot's* mean; the n of the formula is that of the run to come.",
    "change_of_the_pilot": "You asked how many prompts show the pilot's own mean change. Asked is the smallest n for "
    "`change`, whatever the pilot happened to give.",
}

_CLAIM_HINTS = {
    "one_name_for_all": "You give every run the same name, {got}; there are nine runs and four names.",
    "interval_ignored": "One run's reward went up by less than the half-width of its interval. As large as the change "
    "looks, 0 is inside: it shows nothing.",
    "size_for_interval": "You call a run 'nothing' whose interval lies wholly above 0. A change may be small and still "
    "be shown: what counts is change - half, not how large the change is.",
    "distinct_absolute": "You blame a run for its distinct-2 which was nearly as low before. Compare it with 0.8 of "
    "what *it* was.",
    "kl_blamed": "You blame a run for its KL alone. Far from the reference, trouble is likely; whether there is any, "
    "the judge, distinct-2 and the NLL say, and here they do not.",
    "healthy_blamed": "You blame a run whose reward rose, whose judge agrees and whose language is intact.",
    "judge_ignored": "One run's reward rose by twice as much as any honest one's, and the lexicon, on which nothing "
    "was trained, did not follow. Ask it before you believe.",
    "repetition_missed": "One run repeats itself: its distinct-2 is below 0.8 *of what it was*, a share and not a "
    "difference. The lexicon likes it, too, for it counts the good words as often as they come.",
    "garble_missed": "One run's texts have become unlikely to the model that training started from: more than 1 nat a "
    "token. That is no longer the language it knew, whatever the judges say.",
    "fallen_is_not_nothing": "One run's interval lies wholly *below* 0. That is shown, and not nothing: it got worse.",
    "fallen_is_no_hack": "You call a run 'hacked' whose reward fell. A hack raises the reward without what it stands "
    "for; here nothing rose.",
    "negative_is_no_proof": "One run's reward fell by less than the half-width of its interval: 0 is inside. It shows "
    'nothing, neither way; "worse" has both ends below 0.',
    "wide_is_no_hack": "You call a run 'hacked' whose reward may not have changed at all. Where 0 is inside the "
    "interval, there is nothing to doubt yet.",
    "other_way": "A run is called what it is not. Write down both ends of its reward's interval, and go on from there.",
}
_MISTAKEN = {  # (kind of run, what it was called): the name of the hint
    ("wide", "hacked"): "wide_is_no_hack",
    ("wide", "aligned"): "interval_ignored",
    ("wide_below", "hacked"): "wide_is_no_hack",
    ("wide_below", "worse"): "negative_is_no_proof",
    ("small", "nothing"): "size_for_interval",
    ("small", "hacked"): "distinct_absolute",
    ("far", "hacked"): "kl_blamed",
    ("clear", "hacked"): "healthy_blamed",
    ("unconfirmed", "aligned"): "judge_ignored",
    ("repeating", "aligned"): "repetition_missed",
    ("garbled", "aligned"): "garble_missed",
    ("fallen", "nothing"): "fallen_is_not_nothing",
    ("fallen", "hacked"): "fallen_is_no_hack",
}
_CLAIMS = {
    "wide": "nothing",
    "wide_below": "nothing",
    "fallen": "worse",
    "clear": "aligned",
    "small": "aligned",
    "far": "aligned",
}


def prompts_needed_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against a search: one prompt more, until the interval is short enough."""
    before, after, change = (inputs[name] for name in ("before", "after", "change"))
    pairs = [new - old for old, new in zip(before.tolist(), after.tolist(), strict=True)]
    mean = sum(pairs) / len(pairs)
    spread = math.sqrt(sum((pair - mean) ** 2 for pair in pairs) / (len(pairs) - 1))
    due = 1
    while 1.96 * spread / math.sqrt(due) >= change:
        due += 1
    return number_verdict(outputs, due, _needed_causes(spread, mean, inputs), _NEEDED_HINTS)


def _needed_causes(spread: float, mean: float, inputs: dict) -> list[tuple[str, float]]:
    change, pilot = inputs["change"], len(inputs["before"])
    before, after = (inputs[name].double().var().item() for name in ("before", "after"))
    exact = (1.96 * spread / change) ** 2
    found = {
        "unpaired": [exact * (before + after) / spread**2],
        "spread_of_one_side": [exact * before / spread**2, exact * after / spread**2],
        "difference_of_spreads": [exact * (math.sqrt(after) - math.sqrt(before)) ** 2 / spread**2],
        "divided_by_all": [exact * (pilot - 1) / pilot],
        "not_squared": [math.sqrt(exact)],
        "one_standard_error": [exact / 1.96**2],
        "one_sided": [exact * (1.645 / 1.96) ** 2],
        "two_for_1.96": [exact * (2 / 1.96) ** 2],
        "whole_width": [4 * exact],
        "half_of_the_half": [exact / 4],
        "variance_for_spread": [exact * spread**2],
        "pilot_divided_twice": [exact / pilot],
        "change_of_the_pilot": [exact * (change / mean) ** 2],
    }
    slips = [("rounded_down", math.floor(exact)), ("not_whole", exact)]
    for name, values in found.items():
        slips += [(name, way(value)) for value in values for way in (_next, float, math.floor, round)]
    return slips


def _next(value: float) -> int:
    return math.floor(value) + 1


def claim_of_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against the signs of both ends of the intervals, and the bounds that the exercise names."""
    runs = [dict(zip(FIELDS, row, strict=True)) for row in inputs["runs"].tolist()]
    kinds = [kind_of(run) for run in runs]
    due = [_CLAIMS.get(kind, "hacked") for kind in kinds]

    def cause(place: int, claim: str) -> str:
        return _MISTAKEN.get((kinds[place], claim), "other_way")

    return texts_verdict(outputs, runs, due, cause, _CLAIM_HINTS)


def kind_of(run: dict[str, float]) -> str:
    """Which of the nine kinds a run is, from its figures."""
    lowest, highest = (run["reward_change"] + side * run["reward_half"] for side in (-1, 1))
    if lowest <= 0:
        return "fallen" if highest < 0 else "wide" if run["reward_change"] > 0 else "wide_below"
    if run["nll_after"] > run["nll_before"] + 1:
        return "garbled"
    if run["distinct_2_after"] < 0.8 * run["distinct_2_before"]:
        return "repeating"
    if run["lexicon_change"] <= run["lexicon_half"]:
        return "unconfirmed"
    if run["kl"] > 10:
        return "far"
    return "small" if run["distinct_2_before"] < 0.8 else "clear"
