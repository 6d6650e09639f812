"""Inputs of two exercises of lesson 1: outlier columns apart, and blocks of weights in 4 bits."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.observe import TENSOR_OUTPUTS, call_for_tensor

OUTLIER_LINEAR_OUTPUTS = TENSOR_OUTPUTS
NF4_ROUND_TRIP_OUTPUTS = {**TENSOR_OUTPUTS, "other_output": Tensor, "other_kind": str}
call_outlier_linear = call_for_tensor

_WIDTH, _OUTLIERS = 32, 4
# Dettmers et al. (2023), "QLoRA", appendix E: quantiles of a normal distribution.
_NF4 = (-1.0, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0.0, 0.0795803, 0.1609302)
_NF4 += (0.2461123, 0.3379152, 0.4407098, 0.5626170, 0.7229568, 1.0)
# What a sign, two bits of exponent and one of mantissa stand for, in bitsandbytes' "fp4": a 0 of each sign.
_FP4_ABOVE_0 = (0.0, 0.0052083, 0.1666667, 0.25, 0.3333333, 0.5, 0.6666667, 1.0)
_FP4 = (*(-level for level in reversed(_FP4_ABOVE_0)), *_FP4_ABOVE_0)


def outlier_linear_inputs(seed: int) -> dict:
    """A batch with four outlier columns, and a weight as an 8-bit layer stores it.

    Of the outlier columns one has its outliers below -6, one above 6, one between the threshold and 6, and one at the
    threshold itself, each in one row or two; their other values are small. The first row and the last have an outlier
    each, in columns that no other mistake chooses alone; two rows have none, and no row owes its scale to an outlier
    column's small values; half of them owe it to a negative value, and one to a value just below the threshold. That
    one is rounded to 4, as the threshold is, and int() of the threshold is 3. Three rows of the weight do owe their
    scale to an outlier column.
    """
    generator = torch.Generator().manual_seed(seed)
    threshold = (3.7 + 0.25 * torch.rand((), generator=generator)).item()  # of float32: x holds it as it is
    steps = _steps_clear_of_half(6, _WIDTH, generator)
    columns = torch.randperm(_WIDTH, generator=generator)
    outliers, largest = columns[:_OUTLIERS], columns[_OUTLIERS : _OUTLIERS + 6]
    small = torch.randint(-10, 11, (6, _OUTLIERS), generator=generator) + 0.35
    steps[:, outliers] = small.double()
    steps[torch.arange(6), largest] = torch.tensor([127.0, -127.0]).double().repeat(3)
    sizes = torch.logspace(-0.5, 0, 6, dtype=torch.float64)[torch.randperm(6, generator=generator)]
    x = (steps / 127 * sizes[:, None] * 0.95 * threshold).float()
    between = 1 + torch.randperm(4, generator=generator)
    x[[between[0], 5, 0], outliers[:3]] = torch.tensor([-10.0, 8.0, 5.0]) + torch.rand(3, generator=generator)
    x[between[1], outliers[[0, 3]]] = torch.tensor([-7.0, threshold])
    codes = torch.randint(-126, 127, (7, _WIDTH), generator=generator)
    largest_codes = torch.randint(_WIDTH, (7,), generator=generator)
    scale = torch.logspace(-1, 1, 7)[torch.randperm(7, generator=generator)]
    largest_codes[:3] = outliers[torch.randint(_OUTLIERS, (3,), generator=generator)]
    codes[torch.arange(7), largest_codes] = 127
    return {"x": x, "codes": codes.to(torch.int8), "scale": scale, "threshold": threshold}


def nf4_round_trip_inputs(seed: int) -> dict:
    """Two weights. The first has 8 rows of two blocks of 64, for the levels of nf4.

    The second, `other_*`, has 4 rows of three larger blocks, for the levels of fp4: a size or levels that were typed in
    show there.
    """
    generator = torch.Generator().manual_seed(seed)
    levels, other_levels = torch.tensor(_NF4), torch.tensor(_FP4)
    weight = _blocks(levels, 16, 64, generator).reshape(8, 128)
    other_size = (128, 256)[int(torch.randint(2, (), generator=generator))]
    other_weight = _blocks(other_levels, 12, other_size, generator).reshape(4, 3 * other_size)
    first = {"weight": weight, "levels": levels, "block_size": 64}
    return {**first, "other_weight": other_weight, "other_levels": other_levels, "other_block_size": other_size}


def call_nf4_round_trip(answer: Callable, inputs: dict) -> dict:
    names = ("weight", "levels", "block_size")
    first, other = (
        call_for_tensor(answer, {name: inputs[f"{which}{name}"] for name in names}) for which in ("", "other_")
    )
    changed = first["inputs_changed"] or other["inputs_changed"]
    return {**first, "inputs_changed": changed, "other_output": other["output"], "other_kind": other["kind"]}


def _blocks(levels: Tensor, count: int, size: int, generator: torch.Generator) -> Tensor:
    """Blocks, a row each, whose sizes differ; in half of them the largest value is negative."""
    places = torch.randint(1, 15, (count, size), generator=generator)
    lower, upper = levels[places] - levels[places - 1], levels[places + 1] - levels[places]
    part = 0.7 * torch.rand(count, size, generator=generator) - 0.35  # 0.5 is half-way: two right answers could differ
    blocks = levels[places] + torch.where(part < 0, lower, upper) * part
    largest = torch.randint(size, (count,), generator=generator)
    blocks[torch.arange(count), largest] = torch.tensor([1.0, -1.0]).repeat(count // 2)
    blocks = blocks[torch.randperm(count, generator=generator)]
    sizes = torch.tensor([0.2, 1.0]).repeat(count // 2) * (0.5 + torch.rand(count, generator=generator))
    return blocks * sizes[:, None]


def _steps_clear_of_half(rows: int, width: int, generator: torch.Generator) -> Tensor:
    """Values in steps of a row's absmax / 127, clear of .5, where two right answers could round apart."""
    steps = torch.randint(-120, 121, (rows, width), generator=generator, dtype=torch.float64)
    return steps + 0.8 * torch.rand(rows, width, generator=generator, dtype=torch.float64) - 0.4
