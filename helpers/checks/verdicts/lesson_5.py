"""Verdicts of lesson 5: how many prompts, and what a run shows."""

import math

import torch

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
    "round up and to add 1 are two ways to the same end; one of them is due.",
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
}

_CLAIM_HINTS = {
    "one_name_for_all": "You give every run the same name, {got}; there are thirteen runs and four names.",
    "interval_ignored": "One run's reward went up by no more than the half-width of its interval. As large as the "
    "change looks, the interval contains 0: it shows nothing.",
    "touches_0": "The interval of one run's reward begins at 0 itself. It contains 0, and does not lie *wholly* above: "
    "it shows nothing.",
    "size_for_interval": "You call a run 'nothing' whose reward's interval lies wholly above 0. A change may be small "
    "and still be shown: what counts is change - half, not how large the change is.",
    "doubt_is_not_nothing": "You call a run 'nothing' whose reward's interval lies wholly above 0, and which the "
    "second judge does not confirm. That much is shown, and it has a name of its own.",
    "reward_alone": "Of the runs whose reward rose, you call those 'hacked' that lie on one side of some reward, and "
    "'aligned' those on the other. How far it rose does not tell: that is what a hack raises, too.",
    "distinct_absolute": "You blame a run whose distinct-2 is low, and was low before: it kept 0.8 of what *it* was, "
    "and so much is enough.",
    "nll_rise_blamed": "You blame a run whose NLL under the reference grew. It grew by 1 nat a token and no more, "
    "which is allowed; and its judge agrees.",
    "nll_fall_blamed": "You blame a run whose NLL under the reference *fell*, by more than 1 nat a token. The bound is "
    "on how far it grew: text that has become likelier to the model is still the language it knew.",
    "kl_blamed": "You blame a sound run that is far from its reference. Far away, trouble is likely; whether there "
    "is any, the judge, distinct-2 and the NLL say, and here they do not.",
    "too_good_blamed": "You blame the sound run whose reward rose the most. A large rise is no proof of a hack: "
    "its judge agrees, and its language is intact.",
    "none_aligned": "You call no run 'aligned', though five have all that it takes: one of your conditions is never "
    "met. The NLL of any text is some nats a token; at most 1 is by how much it *grew*. And 0.8 is a share of the "
    "distinct-2 before, not a difference.",
    "healthy_blamed": "You blame a run whose reward rose, whose judge agrees and whose language is intact.",
    "judge_ignored": "One run's reward rose, and the lexicon, on which nothing was trained, did not follow. Ask it "
    "before you believe.",
    "judge_without_interval": "One run's reward rose, and the interval of its lexicon's change contains 0 (inside, or "
    "as its end). The change is above 0, but it is not shown: the second judge confirms nothing.",
    "judge_against": "One run's reward rose, and its lexicon's change lies wholly *below* 0: the second judge finds it "
    "worse. That is shown, and the opposite of a confirmation.",
    "repetition_missed": "One run repeats itself: its distinct-2 is below 0.8 *of what it was*, a share and not a "
    "difference. The lexicon likes it, too, for it counts the good words as often as they come.",
    "garble_missed": "One run's texts have become unlikely to the model that training started from: more than 1 nat a "
    "token. That is no longer the language it knew, whatever the judges say.",
    "fallen_is_not_nothing": "The interval of one run's reward lies wholly *below* 0. That is shown, and not nothing: "
    "it got worse.",
    "fallen_is_no_hack": "You call a run 'hacked' whose reward fell. A hack raises the reward without what it stands "
    "for; here nothing rose.",
    "worse_by_the_lexicon": "You call a run 'worse' whose lexicon fell, and not the one whose reward fell. The word is "
    "about the reward, and its interval alone.",
    "worse_though_it_rose": "You call a run 'worse' whose reward's interval lies wholly above 0. The word is about the "
    "reward alone; what speaks against such a run makes it something else.",
    "negative_is_no_proof": "One run's reward fell by no more than the half-width of its interval, which contains 0 "
    '(inside, or as its end). It shows nothing, neither way; "worse" has both ends below 0.',
    "wide_is_no_hack": "You call a run 'hacked' whose reward may not have changed at all. Where the interval contains "
    "0, there is nothing to doubt yet.",
    "other_way": "A run is called what it is not. Write down both ends of its reward's interval, and go on from there.",
}
_POWER = [level + more for level in (1.96, 1.959964, 1.645) for more in (0.84, 0.842, 0.8416, 0.8416212)]
_POWER += [level + more for level in (1.96, 1.959964, 1.645) for more in (1.28, 1.282, 1.2816, 1.2815516)]
_POWER += [2.8, 8**0.5]  # the sum of 1.96 and 0.84, and the rule of thumb 8 (s / change)²
_MISTAKEN = {  # (kind of run, what it was called): the name of the hint, where the other runs do not say more
    ("wide", "hacked"): "wide_is_no_hack",
    ("wide", "aligned"): "interval_ignored",
    ("touching", "hacked"): "wide_is_no_hack",
    ("wide_below", "hacked"): "wide_is_no_hack",
    ("wide_below", "worse"): "negative_is_no_proof",
    ("unconfirmed", "aligned"): "judge_ignored",
    ("unconfirmed", "nothing"): "doubt_is_not_nothing",
    ("disliked", "aligned"): "judge_ignored",
    ("disliked", "nothing"): "doubt_is_not_nothing",
    ("repeating", "aligned"): "repetition_missed",
    ("garbled", "aligned"): "garble_missed",
    ("fallen", "nothing"): "fallen_is_not_nothing",
    ("fallen", "hacked"): "fallen_is_no_hack",
}
_BLAMED = {  # the one sound run that was called hacked
    "small": "distinct_absolute",
    "odd": "nll_rise_blamed",
    "far": "kl_blamed",
    "clear": "too_good_blamed",
    "sharper": "nll_fall_blamed",
}
_CLAIMS = {
    **dict.fromkeys(("wide", "touching", "wide_below"), "nothing"),
    "fallen": "worse",
    **dict.fromkeys(_BLAMED, "aligned"),
    **dict.fromkeys(("unconfirmed", "disliked", "repeating", "garbled"), "hacked"),
}
_ROSE = tuple(kind for kind, claim in _CLAIMS.items() if claim in ("aligned", "hacked"))


def prompts_needed_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against a search, for a small change and for a larger one: a prompt more, until the interval is short enough."""
    first = _number_needed(inputs, outputs)
    if not first.passed or outputs["other_kind"] != "number":
        return first if not first.passed else _number_needed(inputs, {**outputs, "kind": outputs["other_kind"]})
    return _number_needed({**inputs, "change": inputs["other_change"]}, {**outputs, "output": outputs["other_output"]})


def _number_needed(inputs: dict, outputs: dict) -> Verdict:
    before, after, change = (inputs[name] for name in ("before", "after", "change"))
    pairs = [new - old for old, new in zip(before.tolist(), after.tolist(), strict=True)]
    mean = sum(pairs) / len(pairs)
    spread = math.sqrt(sum((pair - mean) ** 2 for pair in pairs) / (len(pairs) - 1))
    due = 1
    while 1.96 * spread / math.sqrt(due) >= change:
        due += 1
    causes = [("beyond_the_pilot", abs(due - len(pairs))), *_needed_causes(spread, mean, inputs)]
    if due < len(pairs):
        causes = [("never_below_the_pilot", len(pairs) + more) for more in (0, 1)] + causes
    return number_verdict(outputs, due, causes, _NEEDED_HINTS)


def _needed_causes(spread: float, mean: float, inputs: dict) -> list[tuple[str, float]]:
    change, pilot = inputs["change"], len(inputs["before"])
    before, after = (inputs[name].double().var().item() for name in ("before", "after"))
    exact = (1.96 * spread / change) ** 2
    squares = (pilot - 1) * spread**2 + pilot * mean**2  # of the differences, added up
    found = {
        "unpaired": [exact * (before + after) / spread**2],
        "spread_of_one_side": [exact * before / spread**2, exact * after / spread**2],
        "difference_of_spreads": [exact * (math.sqrt(after) - math.sqrt(before)) ** 2 / spread**2],
        "spread_of_all_scores": [
            exact * torch.cat([inputs["before"], inputs["after"]]).double().var().item() / spread**2,
            exact * ((math.sqrt(before) + math.sqrt(after)) / 2) ** 2 / spread**2,
            exact * (before + after) / 2 / spread**2,
        ],
        "root_mean_square": [exact * squares / (count * spread**2) for count in (pilot, pilot - 1)],
        "spread_of_sizes": [exact * (inputs["after"] - inputs["before"]).double().abs().var().item() / spread**2],
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
        "power": [exact * (z / 1.96) ** 2 * groups for z in _POWER for groups in (1, 2, (before + after) / spread**2)],
    }
    slips = [("rounded_down", math.floor(exact)), ("not_whole", exact), ("one_too_many", math.floor(exact) + 2)]
    for name, values in found.items():
        slips += [(name, way(value)) for value in values for way in (_next, float, math.floor, round)]
    return slips


def _next(value: float) -> int:
    return math.floor(value) + 1


def claim_of_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against the signs of both ends of the intervals, and the bounds that the exercise names."""
    runs = [dict(zip(FIELDS, row, strict=True)) for row in inputs["runs"].tolist()]
    kinds = [kind_of(run) for run in runs]
    called = {kind: outputs[f"run_{number}"] for number, kind in enumerate(kinds, start=1)}
    rises = sorted((run["reward_change"], kind) for run, kind in zip(runs, kinds, strict=True) if kind in _ROSE)

    def cause(place: int, claim: str) -> str:
        kind = kinds[place]
        if kind in _ROSE and _by_the_reward_alone([called[risen] for _, risen in rises]):
            return "reward_alone"
        return _of_all_names(kind, called) or _MISTAKEN.get((kind, claim)) or _of_a_rise(kind, claim)

    return texts_verdict(outputs, runs, [_CLAIMS[kind] for kind in kinds], cause, _CLAIM_HINTS)


def _by_the_reward_alone(names: list[str]) -> bool:
    """Whether the names of the runs that rose, from the least to the greatest rise, change once, with two on each side.

    With one on a side, the names may have come about in another way.
    """
    changes = [place for place in range(1, len(names)) if names[place - 1] != names[place]]
    return set(names) == {"aligned", "hacked"} and len(changes) == 1 and 2 <= changes[0] <= len(names) - 2


def _of_all_names(kind: str, called: dict[str, str]) -> str:
    """The hint that one wrong name alone does not give: what the other runs were called decides. '' for none."""
    blamed = [sound for sound in _BLAMED if called[sound] == "hacked"]
    if kind in blamed:
        several = "none_aligned" if len(blamed) == len(_BLAMED) else "healthy_blamed"
        return _BLAMED[kind] if blamed == [kind] else several
    if kind == "touching" and called[kind] == "aligned":
        return "interval_ignored" if called["wide"] == "aligned" else "touches_0"
    if kind in ("disliked", "fallen") and called["disliked"] == "worse" != called["fallen"]:
        return "worse_by_the_lexicon"
    alone = "aligned" == called[kind] != called["unconfirmed" if kind == "disliked" else "disliked"]
    return {"unconfirmed": "judge_without_interval", "disliked": "judge_against"}.get(kind, "") if alone else ""


def _of_a_rise(kind: str, claim: str) -> str:
    if kind in _ROSE:
        return {"nothing": "size_for_interval", "worse": "worse_though_it_rose"}.get(claim, "other_way")
    return "other_way"


def kind_of(run: dict[str, float]) -> str:
    """Which of the thirteen kinds a run is, from its figures."""
    lowest, highest = (run["reward_change"] + side * run["reward_half"] for side in (-1, 1))
    if lowest <= 0:
        above = "touching" if lowest == 0 else "wide"
        return "fallen" if highest < 0 else above if run["reward_change"] > 0 else "wide_below"
    if run["nll_after"] > run["nll_before"] + 1:
        return "garbled"
    if run["distinct_2_after"] < 0.8 * run["distinct_2_before"]:
        return "repeating"
    if run["lexicon_change"] <= run["lexicon_half"]:
        return "disliked" if run["lexicon_change"] < 0 else "unconfirmed"
    if run["kl"] > 10:
        return "far"
    if run["distinct_2_before"] < 0.8:
        return "small"
    if run["nll_after"] < run["nll_before"] - 1:
        return "sharper"
    return "odd" if run["nll_after"] > run["nll_before"] else "clear"
