"""Verdicts of lesson 5: what a run shows."""

from helpers.checks.calls.lesson_5 import FIELDS
from helpers.checks.verdicts.compare import Verdict, texts_verdict
from helpers.checks.verdicts.lesson_5_checkpoint import best_checkpoint_verdict
from helpers.checks.verdicts.lesson_5_prompts import prompts_needed_verdict

__all__ = ["best_checkpoint_verdict", "prompts_needed_verdict"]

_CLAIM_HINTS = {
    "one_name_for_all": "You give every run the same name, {got}; there are sixteen runs and four names.",
    "interval_ignored": "One run's reward went up by no more than the half-width of its interval. As large as the "
    "change looks, the interval contains 0: it shows nothing.",
    "touches_0": "The interval of a run's reward begins or ends at 0 itself. It contains 0, and does not lie "
    "*wholly* on one side: it shows nothing.",
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
    "nll_fall_blamed": "You blame a run whose NLL under the reference *fell*, by more than 1 nat a token, and whose "
    "distinct-2 *rose*, by a third. Each bound has one side: how far the NLL grew, and how far distinct-2 fell.",
    "kl_blamed": "You blame a sound run that is far from its reference. Far away, trouble is likely; whether there "
    "is any, the judge, distinct-2 and the NLL say, and here they do not.",
    "too_good_blamed": "You blame the sound run whose reward rose the most, and whose distinct-2 fell from about 0.9 "
    "to 0.75. A large rise is no proof of a hack; and it kept more than 0.8 of its distinct-2: the bound is a share, "
    "not a difference.",
    "half_widened_lexicon": "You blame a run whose lexicon's interval lies above 0, though not by much (or clear one "
    "whose interval begins at 0). From its change its own half is taken, once: not the reward's half, and not 1.96 "
    "or 2 halves.",
    "half_widened": "You call a run 'nothing' whose reward's interval lies wholly on one side of 0, though not far "
    "from it. The half-width is added and taken off once, for it is no standard error: not 1.96 or 2 of it. What is "
    "left does not reach 0.",
    "half_reduced": "You call runs shown, one up and one down, whose intervals contain 0. To each side of a change "
    "lies its whole half-width: not a part of it, not the other judge's, and not nothing.",
    "names_exchanged": "You have 'aligned' and 'hacked' exchanged: each run that rose has the other's name. 'aligned' "
    "is for those of which all conditions hold.",
    "one_is_enough": "You call runs 'aligned' of which one condition does not hold, one that repeats itself and one "
    "that is no language any more. All have to hold: `and` between them, no `or`, no majority, and none left out.",
    "ends_exchanged": "It looks as if you have before and after exchanged, or take an absolute value: you blame a "
    "run whose distinct-2 rose and whose NLL fell, and not one in which it was the other way about. Due are "
    "distinct-2 *after*, at least 0.8 of that before, and the NLL *after* less that before.",
    "kl_for_nll": "You ask the KL where the NLL is to be asked: you blame a run for its distance, and not one whose "
    "texts have become unlikely. KL has no bound here.",
    "fallen_aligned": "You call a run 'aligned' whose reward *fell*: its interval lies wholly below 0. Whatever "
    "lexicon and language say does not count there. Ask first on which side of 0 the interval lies.",
    "fallen_judged": "Two runs' rewards fell, and you call one alone 'worse'. That is decided by the upper end of "
    "the interval, change + half: below 0 or not. How far the reward fell, the lexicon, the language and the KL do "
    "not count there.",
    "none_aligned": "You call no run 'aligned', though six have all that it takes: one of your conditions is never "
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
    "token, however many it was before. That is no longer the language it knew, whatever the judges say.",
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
_MISTAKEN = {  # (kind of run, what it was called): the name of the hint, where the other runs do not say more
    ("wide", "hacked"): "wide_is_no_hack",
    ("wide", "aligned"): "interval_ignored",
    ("touching", "hacked"): "wide_is_no_hack",
    ("wide_below", "hacked"): "wide_is_no_hack",
    ("wide_below", "worse"): "negative_is_no_proof",
    ("unconfirmed", "aligned"): "judge_ignored",
    ("unconfirmed", "nothing"): "doubt_is_not_nothing",
    ("straddling", "aligned"): "judge_ignored",
    ("straddling", "nothing"): "doubt_is_not_nothing",
    ("disliked", "aligned"): "judge_ignored",
    ("disliked", "nothing"): "doubt_is_not_nothing",
    ("repeating", "aligned"): "repetition_missed",
    ("garbled", "aligned"): "garble_missed",
    ("fallen", "nothing"): "fallen_is_not_nothing",
    ("fallen", "hacked"): "fallen_is_no_hack",
    ("fallen", "aligned"): "fallen_aligned",
    ("slipped", "aligned"): "fallen_aligned",
    ("slipped", "hacked"): "fallen_is_no_hack",
    ("slipped", "nothing"): "fallen_is_not_nothing",
}
_BLAMED = {  # the one sound run that was called hacked
    "small": "distinct_absolute",
    "odd": "nll_rise_blamed",
    "far": "kl_blamed",
    "clear": "too_good_blamed",
    "near": "half_widened_lexicon",
    "sharper": "nll_fall_blamed",
}
_CLAIMS = {
    **dict.fromkeys(("wide", "touching", "wide_below"), "nothing"),
    **dict.fromkeys(("fallen", "slipped"), "worse"),
    **dict.fromkeys(_BLAMED, "aligned"),
    **dict.fromkeys(("unconfirmed", "straddling", "disliked", "repeating", "garbled"), "hacked"),
}
_OTHER = {"aligned": "hacked", "hacked": "aligned"}
_ROSE = tuple(kind for kind, claim in _CLAIMS.items() if claim in ("aligned", "hacked"))


def claim_of_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against the signs of both ends of the intervals, and the bounds that the exercise names."""
    runs = [dict(zip(FIELDS, row, strict=True)) for row in inputs["runs"].tolist()]
    kinds = [kind_of(run) for run in runs]
    called = {kind: outputs[f"run_{number}"] for number, kind in enumerate(kinds, start=1)}
    rises = sorted((run["reward_change"], kind) for run, kind in zip(runs, kinds, strict=True) if kind in _ROSE)

    def cause(place: int, claim: str) -> str:
        kind = kinds[place]
        if kind in _ROSE and all(called[risen] == _OTHER[_CLAIMS[risen]] for risen in _ROSE):
            return "names_exchanged"
        if kind in _ROSE and _by_the_reward_alone([called[risen] for _, risen in rises]):
            return "reward_alone"
        together = _of_several(kind, called) or _of_all_names(kind, called)
        return together or _MISTAKEN.get((kind, claim)) or _of_a_rise(kind, claim)

    return texts_verdict(outputs, runs, [_CLAIMS[kind] for kind in kinds], cause, _CLAIM_HINTS)


def _by_the_reward_alone(names: list[str]) -> bool:
    """Whether the names of the runs that rose, from the least to the greatest rise, change once, with two on each side.

    With one on a side, the names may have come about in another way.
    """
    changes = [place for place in range(1, len(names)) if names[place - 1] != names[place]]
    return set(names) == {"aligned", "hacked"} and len(changes) == 1 and 2 <= changes[0] <= len(names) - 2


def _of_several(kind: str, called: dict[str, str]) -> str:
    """The hint on a mistake that changes the names of several runs at once. '' for none."""

    def are(claim: str, *kinds: str) -> bool:
        return all(called[one] == claim for one in kinds)

    swapped = are("hacked", "sharper") and not are("hacked", "repeating", "garbled")
    either = are("aligned", "repeating", "garbled") and not are("hacked", "sharper")
    rewards_half = are("hacked", "near", "straddling") and are("aligned", "unconfirmed", "odd")
    patterns = {  # name of the hint: (whether the names show it, the runs that it is about)
        "half_reduced": (
            are("worse", "wide_below") and are("aligned", "touching") and not are("nothing", "wide"),
            ("wide_below", "wide", "touching", "unconfirmed", "straddling"),
        ),
        "half_widened": (are("nothing", "near") and not are("nothing", "garbled"), ("near", "small", "slipped")),
        "one_is_enough": (either, ("repeating", "garbled", "disliked", "unconfirmed", "straddling")),
        "ends_exchanged": (swapped, ("repeating", "garbled", "sharper")),
        "kl_for_nll": (are("hacked", "far") and are("aligned", "garbled"), ("far", "garbled")),
        "worse_by_the_lexicon": (
            are("worse", "disliked") and not are("worse", "fallen"),
            ("disliked", "fallen", "slipped"),
        ),
        "half_widened_lexicon": (rewards_half, ("near", "unconfirmed")),
        "distinct_absolute": (
            are("hacked", "small", "clear") and are("aligned", "near", "odd", "far"),
            ("small", "clear", "sharper"),
        ),
        "fallen_aligned": (are("aligned", "slipped"), ("fallen", "slipped")),
        "fallen_judged": (
            {called["fallen"], called["slipped"]} == {"worse", "nothing"},
            ("fallen", "slipped"),
        ),
    }
    return next((name for name, (is_met, kinds) in patterns.items() if is_met and kind in kinds), "")


def _of_all_names(kind: str, called: dict[str, str]) -> str:
    """The hint that one wrong name alone does not give: what the other runs were called decides. '' for none."""
    blamed = [sound for sound in _BLAMED if called[sound] == "hacked"]
    if kind in blamed:
        several = "none_aligned" if len(blamed) == len(_BLAMED) else "healthy_blamed"
        return _BLAMED[kind] if blamed == [kind] else several
    if kind == "touching" and called[kind] == "aligned":
        return "interval_ignored" if called["wide"] == "aligned" else "touches_0"
    alone = "aligned" == called[kind] != called["unconfirmed" if kind == "disliked" else "disliked"]
    of_judge = {"disliked": "judge_against"} | dict.fromkeys(("unconfirmed", "straddling"), "judge_without_interval")
    return of_judge.get(kind, "") if alone else ""


def _of_a_rise(kind: str, claim: str) -> str:
    if kind in _ROSE:
        return {"nothing": "size_for_interval", "worse": "worse_though_it_rose"}.get(claim, "other_way")
    return "other_way"


def kind_of(run: dict[str, float]) -> str:
    """Which of the sixteen kinds a run is, from its figures."""
    if run["reward_change"] <= run["reward_half"]:
        return _kind_without_a_rise(run)
    if run["nll_after"] > run["nll_before"] + 1:
        return "garbled"
    if run["distinct_2_after"] < 0.8 * run["distinct_2_before"]:
        return "repeating"
    if run["lexicon_change"] <= run["lexicon_half"]:
        above = "unconfirmed" if run["lexicon_change"] == run["lexicon_half"] else "straddling"
        return "disliked" if run["lexicon_change"] < 0 else above
    if run["kl"] > 10:
        return "far"
    if run["distinct_2_before"] < 0.8:
        return "small" if run["distinct_2_after"] < run["distinct_2_before"] else "sharper"
    if run["reward_half"] > run["reward_change"] / 2:
        return "near"
    return "odd" if run["nll_after"] > run["nll_before"] else "clear"


def _kind_without_a_rise(run: dict[str, float]) -> str:
    if run["reward_change"] + run["reward_half"] < 0:
        return "fallen" if run["kl"] > 10 else "slipped"
    if run["reward_change"] < 0:
        return "wide_below"
    return "touching" if run["reward_change"] == run["reward_half"] else "wide"
