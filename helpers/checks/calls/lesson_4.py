"""Inputs and calls of lesson 4: one backbone, four roles."""

import math
import weakref
from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from helpers.checks.calls.lesson_4_runs import (
    BYTES_PER_ADAPTED_LAYER_OUTPUTS,
    RUN_DIAGNOSIS_OUTPUTS,
    bytes_per_adapted_layer_inputs,
    call_bytes_per_adapted_layer,
    call_run_diagnosis,
    run_diagnosis_inputs,
)
from helpers.checks.calls.lesson_4_sampling import SAMPLED_TOKENS_OUTPUTS, call_sampled_tokens, sampled_tokens_inputs
from helpers.checks.calls.observe import (
    TENSOR_OUTPUTS,
    any_changed,
    call_again,
    call_for_tensor,
    calls_of,
    kind,
    kind_of_error,
    plain_tensor,
)
from helpers.formulas import advantages_and_returns

__all__ = [
    "BYTES_PER_ADAPTED_LAYER_OUTPUTS",
    "RUN_DIAGNOSIS_OUTPUTS",
    "SAMPLED_TOKENS_OUTPUTS",
    "bytes_per_adapted_layer_inputs",
    "call_bytes_per_adapted_layer",
    "call_run_diagnosis",
    "call_sampled_tokens",
    "run_diagnosis_inputs",
    "sampled_tokens_inputs",
]
_OTHER_RETURNS = ("lambda_0", "lambda_1", "longer", "one")
# "left_to_helper": to the function that the trainer calls for it.
LAMBDA_RETURNS_OUTPUTS = {**TENSOR_OUTPUTS, "left_to_helper": bool} | {
    f"{other}_{part}": of for other in _OTHER_RETURNS for part, of in (("output", Tensor), ("kind", str))
}
_OF_OTHERS = {"gradient": Tensor, "kind": str, "most_rows": int}
ACCUMULATED_GRADIENT_OUTPUTS = {
    "gradient": Tensor,  # what the answer left in weight.grad
    "kind": str,  # of it
    "most_rows": int,  # of sequences whose losses were asked for at once
    "most_kept": int,  # of sequences for whose backward something was kept at once
    "weight_changed": bool,
    "inputs_changed": bool,  # the mask
    "gradients_off": bool,  # nothing, or nothing of the weight, gets a gradient after the call
    "hook_left": bool,  # a gradient of the weight after the call is another than it should be
    # The same of a batch that micro_batch divides, and of sequences one at a time:
    **{f"{other}_{part}": of for other in ("even", "ones") for part, of in _OF_OTHERS.items()},
}


def lambda_returns_inputs(seed: int) -> dict:
    """Responses of 7, 4, 2 and a drawn number of tokens; behind their ends stand large values, to show when used."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([7, 4, 2, int(torch.randint(3, 7, (), generator=generator))])
    mask = torch.arange(7) < lengths[:, None]
    rewards, values = (torch.randn(4, 7, generator=generator) for _ in range(2))
    return {
        "rewards": torch.where(mask, rewards, 5 + rewards),
        "values": torch.where(mask, values, 9 + values),
        "mask": mask,
        "gamma": round(0.85 + 0.1 * torch.rand((), generator=generator).item(), 3),
        "lam": round(0.65 + 0.2 * torch.rand((), generator=generator).item(), 3),
    }


def other_returns(inputs: dict) -> dict[str, dict]:
    """The same with λ = 0 and with λ = 1, with rows of two places more, and with the last response alone."""
    tensors = {name: value for name, value in inputs.items() if isinstance(value, Tensor)}
    others = (
        {"lam": 0.0},
        {"lam": 1.0},
        {name: torch.cat([value, value[:, :2].flip(0)], dim=1) for name, value in tensors.items()},
        {name: value[-1:] for name, value in tensors.items()},
    )
    found = {name: {**inputs, **other} for name, other in zip(_OTHER_RETURNS, others, strict=True)}
    longer = found["longer"]
    longer["mask"] = torch.cat([inputs["mask"], inputs["mask"].all(1, keepdim=True).expand(-1, 2)], dim=1)
    return found


def call_lambda_returns(answer: Callable, inputs: dict) -> dict:
    """Call the answer on the inputs, and on each of `other_returns`."""
    with calls_of(advantages_and_returns) as calls:
        outputs = call_for_tensor(answer, inputs)
    outputs["left_to_helper"] = bool(calls)
    for name, given in other_returns(inputs).items():
        other = call_again(call_for_tensor, answer, given)
        outputs["inputs_changed"] |= other["inputs_changed"]
        outputs |= {f"{name}_{part}": other[part] for part in ("output", "kind")}
    return outputs


def accumulated_gradient_inputs(seed: int) -> dict:
    """A linear model far from its targets, 14 sequences of uneven lengths, and a micro-batch that does not divide 14.

    No two micro-batches have the same number of tokens, and none is of one sequence.
    """
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([5, 5, 4, 5, 4, 3, 1, 1, 2, 2, 3, 2, 5, 1])
    rows, mask = len(lengths), torch.arange(5) < lengths[:, None]
    features, targets = torch.randn(rows, 5, 6, generator=generator), torch.randn(rows, 5, generator=generator)
    weight = torch.randn(6, generator=generator)
    return {
        "weight": 15 * weight / weight.norm(),
        "features": features,
        "targets": torch.where(mask, targets, 10 + targets),
        "mask": mask,
        "micro_batch": 3 + 2 * int(torch.randint(2, (), generator=generator)),
    }


def even(inputs: dict) -> dict:
    """The same with as many sequences as micro_batch divides."""
    most = len(inputs["mask"]) // inputs["micro_batch"] * inputs["micro_batch"]
    return {**inputs, **{name: inputs[name][:most] for name in ("features", "targets", "mask")}}


def one_by_one(inputs: dict) -> dict:
    """The same with two sequences more, which come twice, and with one sequence at a time."""
    more = {name: torch.cat([inputs[name], inputs[name][:2]]) for name in ("features", "targets", "mask")}
    return {**inputs, **more, "micro_batch": 1}


def call_accumulated_gradient(answer: Callable, inputs: dict) -> dict:
    """Call the answer on all sequences, on as many of them as micro_batch divides, and with a micro_batch of 1.

    An error at the last of these, which the others did not raise, is a kind.
    """
    found = _accumulated(answer, inputs)
    others = {"even": _accumulated(answer, even(inputs))}
    try:
        others["ones"] = _accumulated(answer, one_by_one(inputs))
    except Exception as error:
        others["ones"] = {"gradient": torch.empty(0), "kind": kind_of_error(error), "most_rows": 0}
    for name, other in others.items():
        found |= {f"{name}_{part}": other[part] for part in _OF_OTHERS}
        found |= {part: found[part] or other.get(part, False) for part in ("weight_changed", "inputs_changed")}
    return found


def _accumulated(answer: Callable, inputs: dict) -> dict:
    weight, mask = inputs["weight"].clone().requires_grad_(), inputs["mask"].clone()
    asked, kept, alive = [0], [0], weakref.WeakSet()

    def keep(tensor: Tensor) -> _Kept:
        alive.add(found := _Kept(tensor))
        kept.append(sum(_sequences(other.tensor) for other in alive))
        return found

    def token_losses(rows) -> Tensor:
        """Squared errors of some sequences at every position, padding included; (rows, response)."""
        errors = inputs["features"][rows] @ weight - inputs["targets"][rows]
        asked.append(_sequences(errors))
        with saved_tensors_hooks(keep, lambda found: found.tensor):
            return errors.square()

    with torch.enable_grad():
        answer(weight, token_losses, mask, inputs["micro_batch"])
        found = {"gradient": plain_tensor(weight.grad), "kind": kind(weight.grad)}
        found |= {"most_rows": max(asked), "most_kept": max(kept)}
        found["weight_changed"] = any_changed([inputs["weight"]], [weight.detach()])
        found["inputs_changed"] = any_changed([inputs["mask"]], [mask])
        found["gradients_off"] = not (torch.is_grad_enabled() and weight.requires_grad)
        found["hook_left"] = not found["gradients_off"] and _has_a_hook(weight)
    return found


def _has_a_hook(weight: Tensor) -> bool:
    """Whether the weight gets another gradient than is due."""
    weight.grad = None
    (3 * weight).sum().backward()
    return weight.grad is None or any_changed([torch.full_like(weight.detach(), 3)], [weight.grad.detach()])


def _sequences(errors: Tensor) -> int:
    """How many sequences these errors are of; those of a single one, (response,), are one row, too."""
    return math.prod(errors.shape[:-1])


class _Kept:
    """What a backward needs; it is gone when the backward is done, or when no backward can come any more."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
