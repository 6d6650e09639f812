"""Inputs and calls of lesson 1: load in 8-bit."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.lesson_1_bytes import BYTES_IN_8BIT_OUTPUTS as BYTES_IN_8BIT_OUTPUTS
from helpers.checks.calls.lesson_1_bytes import bytes_in_8bit_inputs as bytes_in_8bit_inputs
from helpers.checks.calls.lesson_1_bytes import call_bytes_in_8bit as call_bytes_in_8bit
from helpers.checks.calls.lesson_1_eval import EIGHT_BIT_IN_EVAL_OUTPUTS as EIGHT_BIT_IN_EVAL_OUTPUTS
from helpers.checks.calls.lesson_1_eval import call_eight_bit_in_eval as call_eight_bit_in_eval
from helpers.checks.calls.lesson_1_eval import eight_bit_in_eval_inputs as eight_bit_in_eval_inputs
from helpers.checks.calls.lesson_1_parts import NF4_ROUND_TRIP_OUTPUTS as NF4_ROUND_TRIP_OUTPUTS
from helpers.checks.calls.lesson_1_parts import OUTLIER_LINEAR_OUTPUTS as OUTLIER_LINEAR_OUTPUTS
from helpers.checks.calls.lesson_1_parts import call_nf4_round_trip as call_nf4_round_trip
from helpers.checks.calls.lesson_1_parts import call_outlier_linear as call_outlier_linear
from helpers.checks.calls.lesson_1_parts import nf4_round_trip_inputs as nf4_round_trip_inputs
from helpers.checks.calls.lesson_1_parts import outlier_linear_inputs as outlier_linear_inputs
from helpers.checks.calls.observe import any_changed, kind, plain_tensor

INT8_LINEAR_OUTPUTS = {"output": Tensor, "kind": str, "inputs_changed": bool}


def int8_linear_inputs(seed: int) -> dict:
    """A batch and a weight whose rows differ in size by a factor of 100, so that one scale for all shows.

    In the first row of each the largest value is negative, so that a scale without abs() shows. The second rows agree
    in their signs, so that their sum is large and float16 cannot hold it; and the largest value of both stands in one
    column, so that the integers -1, 0 and 1 do not give 0 throughout.
    """
    generator = torch.Generator().manual_seed(seed)
    x, weight = _rows(5, 32, generator), _rows(7, 32, generator)
    places = torch.stack([x[1].abs().argmax(), weight[1].abs().argmax()])
    weight[1, places] = weight[1, places.flip(0)]
    weight[1] = weight[1].copysign(x[1])
    return {"x": x, "weight": weight}


def call_int8_linear(answer: Callable, inputs: dict) -> dict:
    given = {name: inputs[name].clone() for name in ("x", "weight")}
    value = answer(given["x"], given["weight"])
    return {
        "output": plain_tensor(value),
        "kind": kind(value),
        "inputs_changed": any_changed((inputs["x"], inputs["weight"]), given.values()),
    }


def _rows(rows: int, width: int, generator: torch.Generator) -> Tensor:
    """Rows whose values, in steps of absmax / 127, stay clear of .5: there, two right answers could round apart."""
    steps = torch.randint(-126, 127, (rows, width), generator=generator, dtype=torch.float64)
    steps += 0.8 * torch.rand(rows, width, generator=generator, dtype=torch.float64) - 0.4
    largest = torch.randint(width, (rows,), generator=generator)
    signs = 2.0 * torch.randint(2, (rows,), generator=generator, dtype=torch.float64) - 1
    signs[0] = -1
    steps[torch.arange(rows), largest] = 127 * signs
    sizes = torch.logspace(-1, 1, rows, dtype=torch.float64)[torch.randperm(rows, generator=generator)]
    return (steps / 127 * sizes[:, None]).float()
