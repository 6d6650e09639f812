"""Inputs and calls of lesson 6: the same idea elsewhere."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.lesson_6_runs import (  # noqa: F401, exercises 6.3 and 6.4
    GRPO_RUN_OUTPUTS,
    OUTDATED_REFERENCE_OUTPUTS,
    call_grpo_run,
    call_outdated_reference,
    grpo_run_inputs,
    outdated_reference_inputs,
)
from helpers.checks.calls.observe import TENSOR_OUTPUTS, call_again, call_for_tensor, kind

GROUP_ADVANTAGES_OUTPUTS = {**TENSOR_OUTPUTS, "fewer_output": Tensor, "fewer_kind": str}
DPO_LOSSES_OUTPUTS = {
    **TENSOR_OUTPUTS,
    "gradient": Tensor,  # (2, pairs), to the policy's log-probabilities, of the weighted losses; or empty
    "large_output": Tensor,  # these three: where the margins are large
    "large_kind": str,
    "large_gradient": Tensor,
}
_TEXTS = ("policy_chosen", "policy_rejected", "reference_chosen", "reference_rejected")


def dpo_losses_inputs(seed: int) -> dict:
    """Sums of log-probabilities of six pairs, policy a few nats from its reference, and a beta that is no usual one.

    No text of these is so unlikely that its probability is 0 in float32: who takes exp() gets a number. A second set,
    `large_*`, of eight pairs, has margins of either sign whose exp() is 0 or infinite in float32, and of two in
    float64, too; they come from the chosen text, the rejected one, or both.
    """
    generator = torch.Generator().manual_seed(seed)
    reference = -30 - 30 * torch.rand(2, 6, generator=generator)
    moved = 6 * torch.rand(2, 6, generator=generator) - torch.tensor([[1.0], [4.0]])  # up if chosen, down if rejected
    moved[:, :2] = torch.tensor([[10.0, -9.0], [-6.0, 5.0]])  # margins that no cut-off leaves as they are
    policy = reference + moved
    beta = 0.15 + 0.2 * float(torch.rand((), generator=generator))
    base = -300 - 300 * torch.rand(2, 8, generator=generator)
    margins = torch.tensor([1200.0, -1000, 100, -100, 100, -100, 200, -150]) + 40 * torch.rand(8, generator=generator)
    shares = torch.tensor([[1.0, 0.5, 1, 0, 0.5, 1, 0, 0.5], [0, -0.5, 0, -1, -0.5, 0, -1, -0.5]])  # of each text
    moved = margins / beta * shares
    large = (*(base + moved.clamp_max(0)), *(base - moved.clamp_min(0)))  # no log-probability is above 0
    return {
        **dict(zip(_TEXTS, (*policy, *reference), strict=True)),
        **{f"large_{name}": text for name, text in zip(_TEXTS, large, strict=True)},
        "beta": beta,
    }


def call_dpo_losses(answer: Callable, inputs: dict) -> dict:
    """Call the answer on both sets of pairs, and follow its losses back to the policy's log-probabilities."""
    followed, gradients = _followed(answer)
    found = call_for_tensor(followed, dpo_pairs(inputs))
    found["gradient"] = gradients[-1]
    followed, gradients = _followed(answer)
    large = call_again(call_for_tensor, followed, dpo_pairs(inputs, "large_"))
    found |= {"large_output": large["output"], "large_kind": large["kind"], "large_gradient": gradients[-1]}
    found["inputs_changed"] |= large["inputs_changed"]
    return found


def dpo_pairs(inputs: dict, which: str = "") -> dict:
    """What the answer is given of one set of pairs."""
    return {**{name: inputs[f"{which}{name}"] for name in _TEXTS}, "beta": inputs["beta"]}


def weights_of_pairs(count: int) -> Tensor:
    """(pairs,): in a sum of all losses with these, a gradient that reached another pair is seen."""
    return torch.linspace(1, 2, count)


def _followed(answer: Callable) -> tuple[Callable, list[Tensor]]:
    """The answer, called with log-probabilities that have a gradient; and a list whose last is what arrives there."""
    gradients = [torch.empty(0)]

    def followed(chosen: Tensor, rejected: Tensor, *others) -> object:
        leaves = [text.clone().requires_grad_() for text in (chosen, rejected)]
        given = [1 * leaf for leaf in leaves]  # no leaf, as in a trainer: what is done to it in place is seen, no error
        value = answer(*given, *others)
        chosen.data, rejected.data = (text.detach() for text in given)
        gradients.append(_gradient(value, leaves))
        return value

    return followed, gradients


def _gradient(value: object, leaves: list[Tensor]) -> Tensor:
    """Of the weighted losses to each leaf, 0 where they do not depend on it; empty where there is none at all."""
    if kind(value) != "Tensor" or not value.requires_grad:
        return torch.empty(0)
    weights = weights_of_pairs(value.numel()).to(value.dtype).view(value.shape)
    try:
        return torch.stack(torch.autograd.grad(value, leaves, weights, allow_unused=True, materialize_grads=True))
    except RuntimeError:  # what it was made from was written over or is gone
        return torch.empty(0)


def group_advantages_inputs(seed: int) -> dict:
    """Rewards of seven groups of six: whole, all equal, a pair alone, one alone, close, closer still, and with a tie.

    The first of the close ones lies far from 0, where a difference of squares has no digits left; the closer ones lie
    next to 0. Of the tied ones two are the mean.
    Where no score is stands a large number of either sign, another one each time, so that it shows if it counts.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(7, 6, generator=generator).argsort(dim=1)
    rewards = 1.5 * order.float() - 3 + 0.4 * torch.rand(7, 6, generator=generator)
    rewards += 2 * torch.rand(7, 1, generator=generator)  # each prompt has a mean of its own, and none is 0
    rewards[0, torch.randint(6, (), generator=generator)] = 0.0  # a reward like any other
    rewards[1] = 0.75 * torch.randint(1, 3, (), generator=generator)  # its sums and its sixths are exact
    rewards[4] = 4 + 0.005 * rewards[4]  # so close that it shows what is added to the spread, and where
    rewards[5] = 1e-4 * order[5] * (0.2 + 0.3 * torch.rand((), generator=generator))
    scored = torch.ones(7, 6, dtype=torch.bool)
    for row, missing in ((2, 4), (3, 5), (4, 1), (6, 2)):
        scored[row, torch.randperm(6, generator=generator)[:missing]] = False
    tied = 0.25 * (torch.tensor([0.0, 1, 1, 2]) + torch.randint(1, 6, (), generator=generator))
    rewards[6, scored[6]] = tied[torch.randperm(4, generator=generator)]
    signs = 1 - 2 * torch.randint(2, (7, 6), generator=generator)
    meaningless = signs * (80 + 40 * torch.rand(7, 6, generator=generator))
    return {"rewards": torch.where(scored, rewards, meaningless), "scored": scored}


def fewer_groups(inputs: dict) -> dict:
    """The first two groups, in which all are scored, and of each the first four responses."""
    return {name: value[:2, :4] for name, value in inputs.items()}


def call_group_advantages(answer: Callable, inputs: dict) -> dict:
    """Call the answer on the inputs, and on fewer of them."""
    found, fewer = call_for_tensor(answer, inputs), call_again(call_for_tensor, answer, fewer_groups(inputs))
    found["inputs_changed"] |= fewer["inputs_changed"]
    return {**found, "fewer_output": fewer["output"], "fewer_kind": fewer["kind"]}
