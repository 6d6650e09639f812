"""What a call says about a returned value and about the inputs it gave: plain data only."""

from collections.abc import Iterable

import torch
from torch import Tensor


def kind(value: object) -> str:
    """'Tensor' for an ordinary dense real tensor, else the name of the type."""
    plain = type(value) in (Tensor, torch.nn.Parameter) and value.layout == torch.strided and not value.is_complex()
    return "Tensor" if plain else type(value).__name__


def plain_tensor(value: object) -> Tensor:
    """The value as a tensor of its own on the CPU; empty where it is no tensor (`kind` says what it was)."""
    if kind(value) != "Tensor":
        return torch.empty(0)
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)


def any_changed(before: Iterable[Tensor], after: Iterable[Tensor]) -> bool:
    """Whether an input no longer is what it was, in shape, dtype or any value."""
    pairs = list(zip(before, after, strict=True))
    return not all(old.dtype == new.dtype and torch.equal(old, new) for old, new in pairs)
