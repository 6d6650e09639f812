"""The shape of a verdict, and how a returned tensor is compared with what is due and with each known mistake."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

Causes = Iterable[tuple[str, Tensor]]  # the name of a mistake's hint, and what that mistake gives


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right; if not, what it gave, what was due, and the mistake it looks like."""

    passed: bool
    got: str
    due: str
    hint: str = ""
    hint_name: str = ""


_TUPLE = (
    "Python makes a tuple of several things with commas between them, and of one thing with a comma behind it, as in "
    "`result = 1,` or `return result,`."
)
_CHANGED_VERDICT = Verdict(
    False,
    "an input with other values",
    "inputs as they came",
    "An input is not what it was before the call. pop, sort, del and x[…] = change the caller's list or dict, and an "
    "operation that ends in _ (or +=) the caller's tensor: work on a copy.",
    "inputs_changed",
)

COMMON_HINTS = {
    "not_a_tensor": "Your function returned {kind}; an ordinary tensor of shape {due_shape} is due.",
    "in_a_tuple": f"You have a tuple where one tensor of shape {{due_shape}} is due. {_TUPLE}",
    "in_a_list": "You have a list where one tensor of shape {due_shape} is due. torch.stack makes one of a list of "
    "tensors, torch.tensor one of a list of numbers.",
    "not_a_number": "Your result holds values that are no numbers (nan) or are infinite: a division by 0, or the "
    "logarithm of what is not above 0.",
    "result_transposed": "Your result lies on its side: {got_shape} for {due_shape}. Its first dimension belongs to "
    "the rows of the first input.",
    "shape": "Your result has shape {got_shape}; it should be {due_shape}.",
    "inputs_changed": "An input is not what it was before the call. An operation that ends in _ (or +=, or x[…] =) "
    "writes into the caller's tensor: work on a new one.",
    "dtype": "Your result comes as {got_dtype}; due is {due_dtype}, as the inputs and weights are. Whatever you "
    "convert on the way, the result should come back in the dtype that came in.",
    "not_one_number": "Your function returned {kind}; one number is due: an int, a float, or a tensor that holds one.",
    "not_a_name": "Your function returned {kind}; a name, as a string, is due.",
    "other_name": "That is none of the names to choose from: those that the exercise lists or, where you are given "
    "several runs by name, their keys, such as 'run 1'. Return one of them, letter for letter.",
    "unknown_number": "None of the usual slips gives this. Print each number on the way to it, say before you look "
    "what it should be, and stop at the first that surprises you.",
    "unknown": "None of the usual slips gives this. It differs most at {where}, counted from 0: you have {got:.4g}, "
    "due is {due:.4g}. Follow that one element by hand.",
}


def agree(got: Tensor, due: Tensor, tolerance: float = 1e-4) -> bool:
    """Whether shapes are equal and values too, up to `tolerance` of the largest value of each row.

    Where `got` is in float16 or bfloat16, up to what those can hold: the dtype is a fault by itself.
    """
    if got.shape != due.shape:
        return False
    if got.is_floating_point():
        tolerance = max(tolerance, 4 * torch.finfo(got.dtype).eps)
    allowed = tolerance * due.double().abs().amax(dim=-1, keepdim=True)
    return bool(((got.double() - due.double()).abs() <= allowed).all())  # NaN is never <=


def cause_of(got: Tensor, causes: Causes) -> str:
    """The first known mistake that gives just this result; else its dtype; else 'not_a_number' or 'unknown'."""
    if not got.isfinite().all():
        return "dtype" if got.dtype == torch.float16 else "not_a_number"  # float16 ends at 65504
    otherwise = "unknown" if got.dtype == torch.float32 else "dtype"
    return next((name for name, wrong in causes if agree(got, wrong)), otherwise)


def hint_of_kind(kind: str) -> str:
    """The name of the hint for a value that is no tensor; `kind` says what it is."""
    return {"tuple": "in_a_tuple", "list": "in_a_list"}.get(kind, "not_a_tensor")


def tensor_verdict(outputs: dict, due: Tensor, causes: Causes, hints: Mapping[str, str]) -> Verdict:
    """The verdict on an answer that returns one tensor, in the dtype of its inputs (float32)."""
    got = outputs["output"]
    if outputs["kind"] != "Tensor":
        return failed(hint_of_kind(outputs["kind"]), outputs["kind"], due, hints)
    if got.shape != due.shape:
        return failed("result_transposed" if due.dim() > 1 and got.shape == due.mT.shape else "shape", got, due, hints)
    if outputs["inputs_changed"]:
        verdict = failed("inputs_changed", got, due, hints)
        return replace(verdict, got="an input with other values afterwards", due="inputs as they came")
    if not agree(got, due):
        return failed(cause_of(got, causes), got, due, hints)
    if got.dtype != torch.float32:
        return failed("dtype", got, due, hints)
    return Verdict(True, described(got), described(due.float()))


def number_verdict(
    outputs: dict, due: float, causes: Iterable[tuple[str, float]], hints: Mapping[str, str], tolerance: float = 1e-4
) -> Verdict:
    """The verdict on an answer that returns one number, right up to a relative `tolerance`."""
    got, hints = outputs["output"], {**COMMON_HINTS, **hints}
    if outputs["kind"] == "no finite number":
        return Verdict(False, outputs["kind"], _number(due), hints["not_a_number"], "not_a_number")
    if outputs["kind"] != "number":
        name = "in_a_tuple" if outputs["kind"] in ("tuple", "list") else "not_one_number"
        text = _of_kind(hints["not_one_number"], outputs["kind"])
        return Verdict(False, _none_named(outputs["kind"]), _number(due), text, name)
    if outputs["inputs_changed"]:
        return _CHANGED_VERDICT
    if math.isclose(got, due, rel_tol=tolerance, abs_tol=1e-9):
        return Verdict(True, _number(got), _number(due))
    close = (name for name, wrong in causes if math.isclose(got, wrong, rel_tol=tolerance, abs_tol=1e-9))
    name = next(close, "unknown_number")
    return Verdict(False, _number(got), _number(due), hints[name], name)


def text_verdict(outputs: dict, due: str, causes: Mapping[str, str], hints: Mapping[str, str]) -> Verdict:
    """The verdict on an answer that returns a name; `causes` maps a wrong name to the name of its hint."""
    got, hints = outputs["output"], {**COMMON_HINTS, **hints}
    if outputs["kind"] != "str":
        text = _of_kind(hints["not_a_name"], outputs["kind"])
        return Verdict(False, _none_named(outputs["kind"]), "a name", text, "not_a_name")
    if outputs["inputs_changed"]:
        return _CHANGED_VERDICT
    if got == due:
        return Verdict(True, repr(got), repr(due))
    name = causes.get(got, "other_name")
    said = "a text that is no name here" if got == "other" else repr(got)
    return Verdict(False, said, "another name", hints[name], name)


def texts_verdict(
    outputs: dict, runs: list[dict[str, float]], due: list[str], cause: Callable[[int, str], str], hints: dict
) -> Verdict:
    """The verdict on an answer that names each of several runs, from what `call_for_texts` returned.

    Args:
        runs: the figures of each run, for the sentence about the first that is called wrongly.
        due: the name of each.
        cause: (place of a run, wrong name) -> the name of its hint.
        hints: by name; "one_name_for_all" is for who calls all alike.
    """
    got = [outputs[f"run_{number}"] for number in range(1, len(runs) + 1)]
    hints = {**hints, "one_name_for_all": hints["one_name_for_all"].format(got=repr(got[0]))}
    alike = len(set(got)) == 1
    for place, run in enumerate(runs):
        one = {"output": got[place], "kind": outputs[f"kind_{place + 1}"], "inputs_changed": outputs["inputs_changed"]}
        causes = {name: "one_name_for_all" if alike else cause(place, name) for name in (*due, "nothing")}
        verdict = text_verdict(one, due[place], causes, hints)
        if not verdict.passed:
            figures = ", ".join(f"{name} {value:.4g}" for name, value in run.items())
            return replace(verdict, got=f"{verdict.got} for {figures}")
    return Verdict(True, ", ".join(got), ", ".join(due))


def _number(value: float) -> str:
    if value == round(value) and abs(value) < 1e15:
        return f"{value:.0f}"
    return f"{value:.1f}" if 1e5 <= abs(value) < 1e15 else f"{value:.6g}"


def _of_kind(hint: str, kind: str) -> str:
    """The hint on a value of another kind than is due; for a tuple, with what makes one."""
    return hint.format(kind=_none_named(kind)) + (f" {_TUPLE}" if kind == "tuple" else "")


def _none_named(kind: str) -> str:
    return "nothing (None)" if kind == "NoneType" else kind


def left_to(helper: str, name: str, hints: Mapping[str, str]) -> Verdict:
    """A verdict on an answer that called the trainer's own function, which does what is asked."""
    return Verdict(False, f"a call of {helper}", "a function that does not need it", hints[name], name)


def failed(name: str, got: Tensor | str, due: Tensor, hints: Mapping[str, str]) -> Verdict:
    """A verdict with the hint of this name, its figures filled in. `got` is a string where it is no tensor."""
    hint = {**COMMON_HINTS, **hints}[name]
    shown = due.float() if due.is_floating_point() else due  # computed in float64, due in float32
    if isinstance(got, str):
        said = _none_named(got)
        return Verdict(False, said, described(shown), hint.format(kind=said, due_shape=tuple(due.shape)), name)
    row, place = _largest_difference(got, due)
    column = place % due.shape[-1]
    text = hint.format(
        kind="Tensor",
        got=got.flatten()[place].item() if got.numel() else math.nan,
        due=due.flatten()[place].item(),
        got_shape=tuple(got.shape),
        due_shape=tuple(due.shape),
        got_dtype=str(got.dtype),
        due_dtype=str(shown.dtype),
        where=_index(place, due.shape) if got.shape == due.shape else "",
    )
    return Verdict(False, described(got, row, column), described(shown, row, column), text, name)


def described(tensor: Tensor, row: int = 0, column: int = 0) -> str:
    """Shape, dtype and four values of one row, the first ones or those around a column: short enough for one line."""
    rows = tensor.reshape(-1, tensor.shape[-1]) if tensor.dim() and tensor.numel() else tensor.reshape(1, -1)
    row = min(row, len(rows) - 1)
    start = max(min(column - 1, rows.shape[1] - 4), 0) if column > 3 else 0
    values = ", ".join(f"{value:.4g}" for value in rows[row, start : start + 4].tolist())
    dtype = str(tensor.dtype).removeprefix("torch.")
    before, after = "… " if start else "", " …" if rows.shape[1] > start + 4 else ""
    where = f", row {row}" if tensor.dim() > 1 else ""
    return f"{tuple(tensor.shape)} {dtype}{where}: {before}{values}{after}"


def _largest_difference(got: Tensor, due: Tensor) -> tuple[int, int]:
    """The row and the place (in all values) where the two differ most, for the size of their row."""
    if got.shape != due.shape:
        return 0, 0
    size = due.double().abs().amax(dim=-1, keepdim=True)
    off = (got.double() - due.double()).abs()
    share = torch.where(off == 0, 0, off / size)  # 0 / 0 is no difference
    place = int(share.nan_to_num(posinf=math.inf, nan=math.inf).argmax())
    return place // due.shape[-1], place


def _index(place: int, shape: torch.Size) -> str:
    """Where the value is that is number `place` of all: "[2, 5]"."""
    return str([int(i) for i in torch.unravel_index(torch.tensor(place), shape)])
