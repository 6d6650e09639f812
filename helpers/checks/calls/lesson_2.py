"""Inputs and calls of lesson 2: add LoRA adapters."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from helpers.checks.calls.lesson_2_adapters import LOSS_OF_RANK_OUTPUTS as LOSS_OF_RANK_OUTPUTS
from helpers.checks.calls.lesson_2_adapters import LOST_REFERENCE_OUTPUTS as LOST_REFERENCE_OUTPUTS
from helpers.checks.calls.lesson_2_adapters import call_loss_of_rank as call_loss_of_rank
from helpers.checks.calls.lesson_2_adapters import call_lost_reference as call_lost_reference
from helpers.checks.calls.lesson_2_adapters import loss_of_rank_inputs as loss_of_rank_inputs
from helpers.checks.calls.lesson_2_adapters import lost_reference_inputs as lost_reference_inputs
from helpers.checks.calls.lesson_2_training import GRADIENT_OF_LORA_B_OUTPUTS as GRADIENT_OF_LORA_B_OUTPUTS
from helpers.checks.calls.lesson_2_training import TRAINED_WEIGHTS_OUTPUTS as TRAINED_WEIGHTS_OUTPUTS
from helpers.checks.calls.lesson_2_training import call_gradient_of_lora_b as call_gradient_of_lora_b
from helpers.checks.calls.lesson_2_training import call_trained_weights as call_trained_weights
from helpers.checks.calls.lesson_2_training import gradient_of_lora_b_inputs as gradient_of_lora_b_inputs
from helpers.checks.calls.lesson_2_training import trained_weights_inputs as trained_weights_inputs
from helpers.checks.calls.observe import any_changed, kind, plain_tensor

MERGED_WEIGHT_OUTPUTS = {
    "output": Tensor,
    "kind": str,
    "inputs_changed": bool,
    "wide_output": Tensor,
    "wide_kind": str,  # "raised …" where the answer raised an error on this weight
}
_TENSORS = ("weight", "lora_A", "lora_B")
_WIDE = tuple(f"wide_{name}" for name in _TENSORS)
_OUT, _WIDE_IN = 13, 20  # 13: lora_alpha / 13 is never 1


def merged_weight_inputs(seed: int) -> dict:
    """Two weights and an alpha / r that is no whole number, nor one with few decimals.

    The first weight is square: there, transposing the update goes unnoticed. The second, `wide_*`, is not: there, a
    result that lies on its side shows.
    """
    generator = torch.Generator().manual_seed(seed)
    r, lora_alpha = ((3, 7), (6, 14), (7, 15))[int(torch.randint(3, (), generator=generator))]
    return {
        **dict(zip(_TENSORS, _layer(_OUT, _OUT, r, generator), strict=True)),
        **dict(zip(_WIDE, _layer(_OUT, _WIDE_IN, r, generator), strict=True)),
        "lora_alpha": lora_alpha,
        "r": r,
    }


def call_merged_weight(answer: Callable, inputs: dict) -> dict:
    value, changed = _called(answer, inputs, _TENSORS)
    try:
        wide_value, wide_changed = _called(answer, inputs, _WIDE)
        wide_kind = kind(wide_value)
    except Exception as error:  # what fits a square weight alone: the verdict on that one says more than an error
        wide_value, wide_changed, wide_kind = None, False, f"raised {type(error).__name__}"
    return {
        "output": plain_tensor(value),
        "kind": kind(value),
        "inputs_changed": changed or wide_changed,
        "wide_output": plain_tensor(wide_value),
        "wide_kind": wide_kind,
    }


def _called(answer: Callable, inputs: dict, names: Iterable[str]) -> tuple[object, bool]:
    """What the answer returned, and whether it changed a tensor that it was given."""
    given = [inputs[name].clone() for name in names]
    value = answer(*given, inputs["lora_alpha"], inputs["r"])
    return value, any_changed((inputs[name] for name in names), given)


def _layer(out: int, width: int, r: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """A weight, lora_A and lora_B."""
    shapes = ((out, width), (r, width), (out, r))
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)
