"""Inputs of two exercises of lesson 1: outlier columns apart, and blocks of 64 weights in 4 bits."""

import torch
from torch import Tensor

from helpers.checks.calls.observe import TENSOR_OUTPUTS, call_for_tensor

OUTLIER_LINEAR_OUTPUTS = TENSOR_OUTPUTS
NF4_ROUND_TRIP_OUTPUTS = TENSOR_OUTPUTS
call_outlier_linear = call_for_tensor
call_nf4_round_trip = call_for_tensor

_WIDTH, _OUTLIERS = 32, 3
# Dettmers et al. (2023), "QLoRA", appendix E: quantiles of a normal distribution.
_NF4 = (-1.0, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0.0, 0.0795803, 0.1609302)
_NF4 += (0.2461123, 0.3379152, 0.4407098, 0.5626170, 0.7229568, 1.0)


def outlier_linear_inputs(seed: int) -> dict:
    """A batch with three outlier columns, and a weight as an 8-bit layer stores it.

    Of the outlier columns one has its outliers below -6, one above 6, one between the threshold and 6, each in one row
    or two; their other values are small. Two rows have no outlier at all, and no row owes its scale to an outlier
    column's small values.
    """
    generator = torch.Generator().manual_seed(seed)
    threshold = 3 + torch.rand((), generator=generator).item()
    steps = _steps_clear_of_half(6, _WIDTH, generator)
    columns = torch.randperm(_WIDTH, generator=generator)
    outliers, largest = columns[:_OUTLIERS], columns[_OUTLIERS : _OUTLIERS + 6]
    small = torch.randint(-10, 11, (6, _OUTLIERS), generator=generator) + 0.35
    steps[:, outliers] = small.double()
    steps[torch.arange(6), largest] = 127.0
    sizes = torch.logspace(-0.5, 0, 6, dtype=torch.float64)[torch.randperm(6, generator=generator)]
    x = (steps / 127 * sizes[:, None] * 0.5 * threshold).float()
    rows = torch.randperm(6, generator=generator)
    x[rows[:_OUTLIERS], outliers] = torch.tensor([-9.0, 8.0, 5.0]) + torch.rand(_OUTLIERS, generator=generator)
    x[rows[_OUTLIERS], outliers[0]] = -7.0
    codes = torch.randint(-126, 127, (7, _WIDTH), generator=generator)
    codes[torch.arange(7), torch.randint(_WIDTH, (7,), generator=generator)] = 127
    scale = torch.logspace(-1, 1, 7)[torch.randperm(7, generator=generator)]
    return {"x": x, "codes": codes.to(torch.int8), "scale": scale, "threshold": threshold}


def nf4_round_trip_inputs(seed: int) -> dict:
    """A weight of 8 rows of two blocks each, whose sizes differ; in half of them the largest value is negative."""
    generator = torch.Generator().manual_seed(seed)
    levels = torch.tensor(_NF4)
    places = torch.randint(1, 15, (16, 64), generator=generator)
    lower, upper = levels[places] - levels[places - 1], levels[places + 1] - levels[places]
    part = 0.7 * torch.rand(16, 64, generator=generator) - 0.35  # 0.5 would be half-way: two right answers could differ
    blocks = levels[places] + torch.where(part < 0, lower, upper) * part
    blocks[torch.arange(16), torch.randint(64, (16,), generator=generator)] = torch.tensor([1.0, -1.0]).repeat(8)
    blocks = blocks[torch.randperm(16, generator=generator)]
    sizes = torch.tensor([0.2, 1.0]).repeat(8) * (0.5 + torch.rand(16, generator=generator))
    return {"weight": (blocks * sizes[:, None]).reshape(8, 128), "levels": levels, "block_size": 64}


def _steps_clear_of_half(rows: int, width: int, generator: torch.Generator) -> Tensor:
    """Values in steps of a row's absmax / 127, clear of .5, where two right answers could round apart."""
    steps = torch.randint(-120, 121, (rows, width), generator=generator, dtype=torch.float64)
    return steps + 0.8 * torch.rand(rows, width, generator=generator, dtype=torch.float64) - 0.4
