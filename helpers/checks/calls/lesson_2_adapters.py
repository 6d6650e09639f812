"""Inputs and calls of two exercises of lesson 2 on finished adapters: what rank loses, and what training changed."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.observe import NUMBER_OUTPUTS, TEXT_OUTPUTS, call_for_number, call_for_text

LOSS_OF_RANK_OUTPUTS = NUMBER_OUTPUTS
LOST_REFERENCE_OUTPUTS = TEXT_OUTPUTS
call_loss_of_rank = call_for_number

# The runs in the order in which they are made. Which name each has is drawn.
RUNS = ("loud", "untrained", "reordered", "second adapter", "bias trained")
_BASE = {
    "q_proj.base_layer.weight": (8, 8),
    "q_proj.base_layer.bias": (8,),
    "up_proj.base_layer.weight": (12, 8),
    "up_proj.base_layer.bias": (12,),
    "norm.weight": (8,),
}
_ADAPTER = {
    "q_proj.lora_A.default.weight": (2, 8),
    "q_proj.lora_B.default.weight": (8, 2),
    "up_proj.lora_A.default.weight": (2, 8),
    "up_proj.lora_B.default.weight": (12, 2),
}


def loss_of_rank_inputs(seed: int) -> dict:
    """A square update and an r of 2 to 4. The singular values fall in such a way that no two slips agree within 2%."""
    generator = torch.Generator().manual_seed(seed)
    size = 16
    left, right = (torch.linalg.qr(torch.randn(size, size, generator=generator).double())[0] for _ in range(2))
    singular = 4 * (1 - torch.arange(size, dtype=torch.float64) / size) ** 1.8
    singular *= 0.99 + 0.02 * torch.rand(size, generator=generator, dtype=torch.float64)
    update = left @ torch.diag(singular) @ right.T
    return {"update": update.float(), "r": 2 + int(torch.randint(3, (), generator=generator))}


def lost_reference_inputs(seed: int) -> dict:
    """Five trainings: the tensors of each before and after, in the order in which they were saved.

    In one, a bias of the base has moved by a little, and its sum has not. In the others only adapters have: one by a
    lot, one not at all; one was saved in another order, and one has a second adapter afterwards.
    """
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randperm(9000, generator=generator)[: len(RUNS)] + 1000
    names = [f"run {number}" for number in numbers.tolist()]
    inputs = {"names": [names[place] for place in torch.randperm(len(names), generator=generator).tolist()]}
    for name, run in zip(names, RUNS, strict=True):
        before = {tensor: torch.randn(shape, generator=generator) for tensor, shape in _BASE.items()}
        before |= {tensor: torch.randn(shape, generator=generator) for tensor, shape in _ADAPTER.items()}
        before |= {tensor: torch.zeros(shape) for tensor, shape in _ADAPTER.items() if "lora_B" in tensor}
        after = _trained(run, before, generator)
        inputs |= {f"{name}/before/{tensor}": value for tensor, value in before.items()}
        inputs |= {f"{name}/after/{tensor}": value for tensor, value in after.items()}
    return inputs


def call_lost_reference(answer: Callable, inputs: dict) -> dict:
    runs = {name: {"before": {}, "after": {}} for name in inputs["names"]}
    for key, value in inputs.items():
        if key != "names":
            name, when, tensor = key.split("/")
            runs[name][when][tensor] = value
    return call_for_text(answer, {"runs": runs})


def _trained(run: str, before: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """The tensors of a run after training; those of the base are copies."""
    size = {"loud": 30.0, "untrained": 0.0}.get(run, 0.1)
    after = {}
    for tensor, value in before.items():
        moved = size * torch.randn(value.shape, generator=generator) if tensor in _ADAPTER else 0
        after[tensor] = value + moved
    if run == "bias trained":
        bias = after["up_proj.base_layer.bias"]
        bias[:2] += torch.tensor([0.01, -0.01])
    if run == "reordered":
        after = dict(reversed(after.items()))
    if run == "second adapter":
        second = {
            tensor.replace("default", "reward"): torch.randn(value.shape, generator=generator)
            for tensor, value in before.items()
        }
        after |= {tensor: value for tensor, value in second.items() if "reward" in tensor}
    return after
