"""Inputs and calls of lesson 2: add LoRA adapters."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.observe import any_changed, kind, plain_tensor

MERGED_WEIGHT_OUTPUTS = {"output": Tensor, "kind": str, "inputs_changed": bool}
_TENSORS = ("weight", "lora_A", "lora_B")


def merged_weight_inputs(seed: int) -> dict:
    """A square weight, where transposing goes unnoticed, and an alpha / r that is no whole number."""
    generator = torch.Generator().manual_seed(seed)
    width, r = 12, int(torch.randint(3, 6, (), generator=generator))
    return {
        "weight": torch.randn(width, width, generator=generator),
        "lora_A": torch.randn(r, width, generator=generator),
        "lora_B": torch.randn(width, r, generator=generator),
        "lora_alpha": 2 * r + 1 + int(torch.randint(2, (), generator=generator)),
        "r": r,
    }


def call_merged_weight(answer: Callable, inputs: dict) -> dict:
    given = {name: inputs[name].clone() for name in _TENSORS}
    value = answer(*given.values(), inputs["lora_alpha"], inputs["r"])
    return {
        "output": plain_tensor(value),
        "kind": kind(value),
        "inputs_changed": any_changed((inputs[name] for name in _TENSORS), given.values()),
    }
