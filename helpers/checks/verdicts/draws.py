"""The verdict on an answer that picks one of several runs, and is asked about several draws of them."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from helpers.checks.verdicts.compare import Verdict, text_verdict

Picks = list[str | None]  # the name that was picked in each draw
FOUND_NONE = ("NoneType", "an error (StopIteration)", "an error (IndexError)", "an error (ValueError)")


def draws_verdict(
    outputs: dict,
    draws: list[dict[str, str]],
    due: str,
    hints: Mapping[str, str],
    cause: Callable[[Picks], str] = lambda picks: "",
) -> Verdict:
    """The verdict on what `call_for_each` returned: about the first draw in which another run was picked.

    Args:
        outputs: of one call for each draw.
        draws: for each, how the run of each name was made.
        due: how the run was made that is to be picked.
        hints: by how the run was made that was picked instead; "none_met" is for who picks none, or
            takes the first of none.
        cause: the name of the hint on a mistake that shows in all draws together, "" where it knows none.
    """
    numbers = range(1, len(draws) + 1)
    picks = [None if outputs[f"kind_{n}"] in FOUND_NONE else outputs[f"run_{n}"] for n in numbers]
    are_names = all(pick is None or pick in made for pick, made in zip(picks, draws, strict=True))
    together = cause(picks) if are_names and not outputs["inputs_changed"] else ""
    for number, made in enumerate(draws, start=1):
        one = {"output": outputs[f"run_{number}"], "kind": outputs[f"kind_{number}"]}
        one["inputs_changed"] = outputs["inputs_changed"]
        verdict = text_verdict(one, next(name for name, way in made.items() if way == due), made, hints)
        if one["kind"] in FOUND_NONE:
            verdict = replace(verdict, hint=hints["none_met"], hint_name="none_met")
        if together and not verdict.passed:
            verdict = replace(verdict, hint=hints[together], hint_name=together)
        if not verdict.passed:
            return replace(verdict, got=f"{verdict.got} in draw {number} of {len(draws)}")
    return verdict
