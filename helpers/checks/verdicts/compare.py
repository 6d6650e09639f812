"""The shape of a verdict, and how a returned tensor is compared with what is due and with each known mistake."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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


COMMON_HINTS = {
    "not_a_tensor": "Your function returned {kind}, not a tensor. Did the last line lose its `return`?",
    "shape": "Your result has shape {got_shape}; it should be {due_shape}.",
    "inputs_changed": "An input is not what it was before the call. An operation that ends in _ (or +=, or x[…] =) "
    "writes into the caller's tensor: work on a new one.",
    "dtype": "The values are right, but they come as {got_dtype} and the inputs were {due_dtype}. "
    "A layer returns what it was given: convert the result.",
    "unknown": "None of the usual slips gives this. Where it differs most you have {got:.4g}, due is {due:.4g}: "
    "follow that one element by hand.",
}


def agree(got: Tensor, due: Tensor, tolerance: float = 1e-4) -> bool:
    """Whether shapes are equal and values too, up to `tolerance` of the largest value of each row."""
    if got.shape != due.shape:
        return False
    allowed = tolerance * due.double().abs().amax(dim=-1, keepdim=True)
    return bool(((got.double() - due.double()).abs() <= allowed).all())  # NaN is never <=


def cause_of(got: Tensor, causes: Causes) -> str:
    """The first known mistake that gives just this result, or 'unknown'."""
    return next((name for name, wrong in causes if agree(got, wrong)), "unknown")


def tensor_verdict(outputs: dict, due: Tensor, causes: Causes, hints: Mapping[str, str]) -> Verdict:
    """The verdict on an answer that returns one tensor, in the dtype of its inputs (float32)."""
    got = outputs["output"]
    if outputs["kind"] != "Tensor":
        return failed("not_a_tensor", got, due, hints, kind=outputs["kind"])
    if got.shape != due.shape:
        return failed("shape", got, due, hints)
    if outputs["inputs_changed"]:
        return failed("inputs_changed", got, due, hints)
    if not agree(got, due):
        return failed(cause_of(got, causes), got, due, hints)
    if got.dtype != torch.float32:
        return failed("dtype", got, due, hints)
    return Verdict(True, described(got), described(due.float()))


def failed(name: str, got: Tensor, due: Tensor, hints: Mapping[str, str], kind: str = "Tensor") -> Verdict:
    """A verdict with the hint of this name, its figures filled in."""
    here = _largest_difference(got, due)
    text = {**COMMON_HINTS, **hints}[name].format(
        kind=kind,
        got=here[0],
        due=here[1],
        got_shape=tuple(got.shape),
        due_shape=tuple(due.shape),
        got_dtype=str(got.dtype),
        due_dtype="torch.float32",
    )
    return Verdict(False, described(got) if kind == "Tensor" else kind, described(due.float()), text, name)


def described(tensor: Tensor) -> str:
    """Shape, dtype and the first values, short enough for one line."""
    values = ", ".join(f"{value:.4g}" for value in tensor.flatten()[:4].tolist())
    dtype = str(tensor.dtype).removeprefix("torch.")
    return f"{tuple(tensor.shape)} {dtype}: {values}{' …' if tensor.numel() > 4 else ''}"


def _largest_difference(got: Tensor, due: Tensor) -> tuple[float, float]:
    if got.shape != due.shape or not got.numel():
        return float("nan"), float("nan")
    place = (got.double() - due.double()).abs().argmax()
    return got.flatten()[place].item(), due.flatten()[place].item()
