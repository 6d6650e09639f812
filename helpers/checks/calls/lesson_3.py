"""Inputs and calls of lesson 3: PPO with a shared reference."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.lesson_3_models import changed, counted_tokens, model_weights, policy_model, state_of
from helpers.checks.calls.lesson_3_ppo import (  # noqa: F401, exercises 3.2 to 3.4
    CLIPPED_LOSS_OUTPUTS,
    KL_PER_POSITION_OUTPUTS,
    TOKEN_REWARDS_OUTPUTS,
    call_clipped_loss,
    call_kl_per_position,
    call_token_rewards,
    clipped_loss_inputs,
    kl_per_position_inputs,
    token_rewards_inputs,
)
from helpers.checks.calls.lesson_3_runs import (  # noqa: F401, exercises 3.5 and 3.6
    BROKEN_BY_OUTPUTS,
    NATS_OF_DROPOUT_OUTPUTS,
    broken_by_inputs,
    call_broken_by,
    call_nats_of_dropout,
    nats_of_dropout_inputs,
)
from helpers.checks.calls.observe import kind, plain_tensor

_PARTS = ("adapter", "mode", "dropout", "scaling", "trainable", "weights", "gradients", "autograd")
POLICY_AND_REFERENCE_LOGPROBS_OUTPUTS = {
    "kind": str,  # of the returned value: a tuple or a list of two
    "policy": Tensor,
    "policy_kind": str,
    "policy_has_gradient": bool,
    "policy_gradient": Tensor,  # of its sum, with respect to each A and B in turn; empty where none arrives
    "gradient_fails": bool,  # what the graph needs was written over, or is gone
    "policy_varies": bool,  # another result when called again: dropout
    "reference": Tensor,
    "reference_kind": str,
    "reference_has_gradient": bool,
    "other_reference": Tensor,  # of a later call, with other tokens
    "tokens_read": int,  # by the model that was given: two passes over the batch, unless a copy read them
    "tokens_changed": bool,
    **{f"{part}_changed": bool for part in _PARTS},  # of the model, afterwards
}


def policy_and_reference_logprobs_inputs(seed: int) -> dict:
    """Weights of a tiny model (`base.*`) and of a LoRA adapter that is not zero (`lora.*`), and tokens."""
    r, lora_alpha = 4, 8
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = model_weights(r, size=0.3)
        tokens = torch.randint(3, 29, (3, 9))
        places = torch.randperm(6)[:2].tolist()
    # drawn, and two: to put back what was typed in, or one for all, is not enough
    dropout = dict(zip(("lora_dropout", "v_dropout"), (0.15 + place / 20 for place in places), strict=True))
    return {"tokens": tokens, "r": r, "lora_alpha": lora_alpha, **dropout, **weights}


def call_policy_and_reference_logprobs(answer: Callable, inputs: dict) -> dict:
    """Call the answer, look at what it left, and if the model is as it came, call it twice more."""
    model, tokens = policy_model(inputs), inputs["tokens"].clone()
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 0.5) if parameter.requires_grad else None
    before, again, other = state_of(model), None, None
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        with counted_tokens(model) as read:
            value = answer(model, tokens)
        left = changed(before, state_of(model))
        torch.set_grad_enabled(True)
        policy, reference = value if _is_pair(value) else (None, None)
        gradient, fails = _gradient(policy, model)
        if not left:
            torch.manual_seed(1)
            again = answer(model, inputs["tokens"].clone())
            other = answer(model, inputs["tokens"].flip(0, 1))
    return {
        "kind": "pair" if _is_pair(value) else _kind_of_no_pair(value),
        "policy": plain_tensor(policy),
        "policy_kind": kind(policy),
        "policy_has_gradient": bool(getattr(policy, "requires_grad", False)),
        "policy_gradient": gradient,
        "gradient_fails": fails,
        "policy_varies": _is_pair(again) and not torch.equal(plain_tensor(policy), plain_tensor(again[0])),
        "reference": plain_tensor(reference),
        "reference_kind": kind(reference),
        "reference_has_gradient": bool(getattr(reference, "requires_grad", False)),
        "other_reference": plain_tensor(other[1] if _is_pair(other) else None),
        "tokens_read": sum(read),
        "tokens_changed": tokens.shape != inputs["tokens"].shape or not torch.equal(tokens, inputs["tokens"]),
        **{f"{part}_changed": part in left for part in _PARTS},
    }


def _is_pair(value: object) -> bool:
    return type(value) in (tuple, list) and len(value) == 2


def _kind_of_no_pair(value: object) -> str:
    return f"a {type(value).__name__} of {len(value)}" if type(value) in (tuple, list) else type(value).__name__


def _gradient(policy: object, model) -> tuple[Tensor, bool]:
    """That of the policy's sum at the adapter, empty where none arrives; and whether asking ended in an error."""
    adapter = [weight for name, weight in model.named_parameters() if "lora_" in name and weight.requires_grad]
    if not isinstance(policy, Tensor) or not policy.requires_grad or not adapter:
        return torch.empty(0), False
    try:
        gradients = torch.autograd.grad(policy.sum(), adapter, allow_unused=True)
    except RuntimeError:
        return torch.empty(0), True
    if all(gradient is None for gradient in gradients):
        return torch.empty(0), False
    whole = [weight * 0 if of is None else of for weight, of in zip(adapter, gradients, strict=True)]
    return torch.cat([gradient.detach().flatten() for gradient in whole]), False
