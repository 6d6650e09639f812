"""The verdict on an answer that picks one of several runs, and is asked about several draws of them."""

from collections.abc import Mapping
from dataclasses import replace

from helpers.checks.verdicts.compare import Verdict, text_verdict


def draws_verdict(outputs: dict, draws: list[dict[str, str]], due: str, hints: Mapping[str, str]) -> Verdict:
    """The verdict on what `call_for_each` returned: about the first draw in which another run was picked.

    Args:
        outputs: of one call for each draw.
        draws: for each, how the run of each name was made.
        due: how the run was made that is to be picked.
        hints: by how the run was made that was picked instead; "none_met" is for who picks none.
    """
    for number, made in enumerate(draws, start=1):
        one = {"output": outputs[f"run_{number}"], "kind": outputs[f"kind_{number}"]}
        one["inputs_changed"] = outputs["inputs_changed"]
        verdict = text_verdict(one, next(name for name, way in made.items() if way == due), made, hints)
        if one["kind"] == "NoneType":
            verdict = replace(verdict, got="nothing (None)", hint=hints["none_met"], hint_name="none_met")
        if not verdict.passed:
            return replace(verdict, got=f"{verdict.got} in draw {number} of {len(draws)}")
    return verdict
