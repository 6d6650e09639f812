"""What a call says about a returned value and about the inputs it gave: plain data only."""

from collections.abc import Iterable

import torch
from torch import Tensor

from helpers.checks.plain import MOST_DIMENSIONS, MOST_ELEMENTS, MOST_KIND, REAL_DTYPES


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
