"""Inputs and calls of lesson 6: the same idea elsewhere."""

from collections.abc import Callable

import torch

from helpers.checks.calls.lesson_6_runs import (  # noqa: F401, exercises 6.3 and 6.4
    GRPO_RUN_OUTPUTS,
    OUTDATED_REFERENCE_OUTPUTS,
    call_grpo_run,
    call_outdated_reference,
    grpo_run_inputs,
    outdated_reference_inputs,
)
from helpers.checks.calls.observe import TENSOR_OUTPUTS, call_for_tensor

DPO_LOSSES_OUTPUTS = GROUP_ADVANTAGES_OUTPUTS = TENSOR_OUTPUTS


def dpo_losses_inputs(seed: int) -> dict:
    """Sums of log-probabilities of six pairs, policy a few nats from its reference, and a beta that is no usual one."""
    generator = torch.Generator().manual_seed(seed)
    reference = -40 - 60 * torch.rand(2, 6, generator=generator)
    moved = 6 * torch.rand(2, 6, generator=generator) - torch.tensor([[1.0], [4.0]])  # up if chosen, down if rejected
    moved[:, 0] = torch.tensor([10.0, -6.0])  # a margin that no cut-off leaves as it is
    policy = reference + moved
    beta = 0.15 + 0.2 * float(torch.rand((), generator=generator))
    return {
        "policy_chosen": policy[0],
        "policy_rejected": policy[1],
        "reference_chosen": reference[0],
        "reference_rejected": reference[1],
        "beta": beta,
    }


def call_dpo_losses(answer: Callable, inputs: dict) -> dict:
    return call_for_tensor(answer, inputs)


def group_advantages_inputs(seed: int) -> dict:
    """Rewards of five groups of six: whole, a pair alone, all equal, one alone, and one unscored and the rest close.

    Where no score is stands a large number, another one each time, so that it shows if it counts.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(5, 6, generator=generator).argsort(dim=1)
    rewards = 1.5 * order.float() - 3 + 0.4 * torch.rand(5, 6, generator=generator)
    rewards += 2 * torch.rand(5, 1, generator=generator)  # each prompt has a mean of its own, and none is 0
    rewards[2] = 0.25 * torch.randint(1, 9, (), generator=generator)  # a fourth: sums of it are exact
    rewards[4] *= 0.005  # so close that it shows what is added to the spread, and where
    scored = torch.ones(5, 6, dtype=torch.bool)
    for row, missing in ((1, 4), (3, 5), (4, 1)):
        scored[row, torch.randperm(6, generator=generator)[:missing]] = False
    meaningless = 80 + 40 * torch.rand(5, 6, generator=generator)
    return {"rewards": torch.where(scored, rewards, meaningless), "scored": scored}


def call_group_advantages(answer: Callable, inputs: dict) -> dict:
    return call_for_tensor(answer, inputs)
