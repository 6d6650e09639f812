"""What a call says about a returned value and about the inputs it gave: plain data only."""

import contextlib
import copy
import re
import sys
from collections.abc import Callable, Iterable, Iterator

import numpy
import torch
from torch import Tensor

from helpers.checks.plain import MOST_DIMENSIONS, MOST_ELEMENTS, MOST_KIND, REAL_DTYPES

TENSOR_OUTPUTS = {"output": Tensor, "kind": str, "inputs_changed": bool}
NUMBER_OUTPUTS = {"output": float, "kind": str, "inputs_changed": bool}
TEXT_OUTPUTS = {"output": str, "kind": str, "inputs_changed": bool}
_WHOLE_OR_REAL = numpy.typecodes["AllInteger"] + "efd"  # no longdouble: its item() is one again
_NUMBERS_OF_NUMPY = tuple(numpy.dtype(code).type for code in _WHOLE_OR_REAL)
# What Python says, beside StopIteration, of who takes one of the things that were found, where none was.
_NONE_FOUND = re.compile(
    r"list index out of range|pop from empty list|not enough values to unpack \(expected 1, got 0\)"
    r"|(max|min)\(\) (arg is an empty sequence|iterable argument is empty)"
)


def texts_outputs(runs: int) -> dict[str, type]:
    """Names and types of what `call_for_texts` and `call_for_each` return from so many calls."""
    names = [f"{part}_{number}" for part in ("run", "kind") for number in range(1, runs + 1)]
    return {**dict.fromkeys(names, str), "inputs_changed": bool}


def call_for_tensor(answer: Callable, inputs: dict) -> dict:
    """Call the answer with a copy of each input, in order; it is to return one tensor."""
    value, changed = _called(answer, inputs)
    return {"output": plain_tensor(value), "kind": kind(value), "inputs_changed": changed}


def call_for_number(answer: Callable, inputs: dict) -> dict:
    """The same, for one number; 0 where it is none (see `kind`).

    It is an int, a float, a tensor that holds one, or a scalar of numpy. Types are compared as they are, without asking
    them: a method of a class that came with the answer would be code of the answer.
    """
    value, changed = _called(answer, inputs)
    is_of_numpy = any(type(value) is known for known in _NUMBERS_OF_NUMPY)
    if is_of_numpy or (kind(value) == "Tensor" and value.numel() == 1):
        value = value.item()
    is_number = (
        type(value) in (int, float) and abs(value) < 2**53
    )  # neither nan nor infinite, and no int beyond a float
    known = "number" if is_number else "no finite number" if type(value) in (int, float) else kind(value)
    return {"output": float(value) if is_number else 0.0, "kind": known, "inputs_changed": changed}


def call_again(call: Callable, answer: Callable, inputs: dict) -> dict:
    """Call for a number or a tensor on other inputs, too; an error, which the first did not raise, is a kind."""
    try:
        return call(answer, inputs)
    except Exception as error:
        nothing = torch.empty(0) if call is call_for_tensor else 0.0
        return {"output": nothing, "kind": kind_of_error(error), "inputs_changed": False}


def kind_of_error(error: Exception) -> str:
    """What stands for the kind of a value where an error came in its place."""
    return f"an error ({type(error).__name__})"[:MOST_KIND]


def call_for_text(answer: Callable, inputs: dict) -> dict:
    """The same, for a name out of a few; "other" where it is no short name. A text of numpy counts as one."""
    value, changed = _called(answer, inputs)
    value = value.item() if type(value) is numpy.str_ else value
    is_text = type(value) is str and re.fullmatch(r"\w[\w (),]{0,59}", value, re.ASCII) is not None
    return {"output": value if is_text else "other", "kind": kind(value), "inputs_changed": changed}


def call_for_texts(answer: Callable, runs: Iterable[dict], may_find_none: bool = False) -> dict:
    """The same, for a name of each run, or of each table of runs: call the answer once for each, with its figures."""
    return call_for_each(answer, ({"run": run} for run in runs), may_find_none)


def call_for_each(answer: Callable, calls: Iterable[dict], may_find_none: bool = False) -> dict:
    """The same, for a name from each of several calls; `texts_outputs` holds the types of what comes back.

    Args:
        may_find_none: an answer that takes the first of an empty list, and so ends in an error, has a kind, too.
    """
    found, changed = {}, False
    for number, inputs in enumerate(calls, start=1):
        try:
            named = call_for_text(answer, inputs)
        except (StopIteration, IndexError, ValueError) as error:
            if not may_find_none or not (type(error) is StopIteration or _NONE_FOUND.match(str(error))):
                raise
            named = {"output": "other", "kind": kind_of_error(error), "inputs_changed": False}
        found |= {f"run_{number}": named["output"], f"kind_{number}": named["kind"]}
        changed = changed or named["inputs_changed"]
    return {**found, "inputs_changed": changed}


@contextlib.contextmanager
def calls_of(function: Callable) -> Iterator[list[str]]:
    """Collect a name for each call of a Python function in the block, by whatever name it was imported, and when."""
    seen, before = [], sys.getprofile()

    def look(frame, event: str, _) -> None:
        if event == "call" and frame.f_code is function.__code__:
            seen.append(function.__name__)

    sys.setprofile(look)
    try:
        yield seen
    finally:
        sys.setprofile(before)


def _called(answer: Callable, inputs: dict) -> tuple[object, bool]:
    given = copy.deepcopy(list(inputs.values()))
    value = answer(*given)
    return value, any(_differs(old, new) for old, new in zip(inputs.values(), given, strict=True))


def _differs(old: object, new: object) -> bool:
    if isinstance(old, Tensor):
        return not isinstance(new, Tensor) or any_changed([old], [new])
    if isinstance(old, dict):
        return list(old) != list(new) or any(_differs(old[name], new[name]) for name in old)
    return old != new


def kind(value: object) -> str:
    """'Tensor' for an ordinary dense real tensor of bounded size, else what it is: the name of a type, or why not."""
    if type(value) not in (Tensor, torch.nn.Parameter):
        return type(value).__name__
    if value.layout != torch.strided:
        return f"a tensor of layout {_short(value.layout)}"
    if value.dtype not in REAL_DTYPES:
        return f"a tensor of {_short(value.dtype)}"
    if value.numel() > MOST_ELEMENTS or value.dim() > MOST_DIMENSIONS:
        return f"a tensor of shape {tuple(value.shape)}"[:MOST_KIND]
    return "Tensor"


def plain_tensor(value: object) -> Tensor:
    """The value as a tensor of its own on the CPU; empty where it is no tensor (`kind` says what it was)."""
    if kind(value) != "Tensor":
        return torch.empty(0)
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)


def _short(name: object) -> str:
    return str(name).removeprefix("torch.")


def any_changed(before: Iterable[Tensor], after: Iterable[Tensor]) -> bool:
    """Whether an input no longer is what it was, in shape, dtype or any value."""
    pairs = list(zip(before, after, strict=True))
    return not all(old.dtype == new.dtype and torch.equal(old, new) for old, new in pairs)
