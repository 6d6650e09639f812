"""Inputs and calls of lesson 3: PPO with a shared reference."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.lesson_3_models import counted_rows, model_weights, policy_model
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
from helpers.checks.calls.observe import any_changed, kind, plain_tensor

POLICY_AND_REFERENCE_LOGPROBS_OUTPUTS = {
    "kind": str,  # of the returned value: a tuple or a list of two
    "policy": Tensor,
    "policy_kind": str,
    "policy_has_gradient": bool,
    "policy_reaches_adapter": bool,  # its gradient arrives at a LoRA weight of this model
    "policy_varies": bool,  # another result when called again: dropout
    "reference": Tensor,
    "reference_kind": str,
    "reference_has_gradient": bool,
    "rows_read": int,  # by the model that was given: two passes over the batch, unless a copy read them
    "adapter_on": bool,  # these five: of the model, afterwards
    "mode_changed": bool,
    "dropout_changed": bool,
    "trainable_changed": bool,
    "weights_changed": bool,
}


def policy_and_reference_logprobs_inputs(seed: int) -> dict:
    """Weights of a tiny model (`base.*`) and of a LoRA adapter that is not zero (`lora.*`), and tokens."""
    r, lora_alpha = 4, 8
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = model_weights(r, size=0.3)
        tokens = torch.randint(3, 29, (3, 9))
        lora_dropout = int(torch.randint(4, 9, ())) / 20  # drawn: to put back what was typed in is not enough
    return {"tokens": tokens, "r": r, "lora_alpha": lora_alpha, "lora_dropout": lora_dropout, **weights}


def call_policy_and_reference_logprobs(answer: Callable, inputs: dict) -> dict:
    model = policy_model(inputs)
    trainable, weights, dropouts = _trainable(model), _weights(model), _dropouts(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        with counted_rows(model) as rows_read:
            value = answer(model, inputs["tokens"].clone())
        policy, reference = value if _is_pair(value) else (None, None)
        left = {
            "adapter_on": _adapter_on(model),
            "mode_changed": not all(module.training for module in model.modules()),
            "dropout_changed": _dropouts(model) != dropouts,
            "trainable_changed": _trainable(model) != trainable,
            "weights_changed": _weights_changed(model, weights),
        }
        reaches_adapter = _reaches_adapter(policy, model)
        torch.manual_seed(1)
        again = answer(model, inputs["tokens"].clone())
    return {
        "kind": "pair" if _is_pair(value) else _kind_of_no_pair(value),
        "policy": plain_tensor(policy),
        "policy_kind": kind(policy),
        "policy_has_gradient": bool(getattr(policy, "requires_grad", False)),
        "policy_reaches_adapter": reaches_adapter,
        "policy_varies": _is_pair(again) and not torch.equal(plain_tensor(policy), plain_tensor(again[0])),
        "reference": plain_tensor(reference),
        "reference_kind": kind(reference),
        "reference_has_gradient": bool(getattr(reference, "requires_grad", False)),
        "rows_read": sum(rows_read),
        **left,
    }


def _is_pair(value: object) -> bool:
    return type(value) in (tuple, list) and len(value) == 2


def _kind_of_no_pair(value: object) -> str:
    return f"a {type(value).__name__} of {len(value)}" if type(value) in (tuple, list) else type(value).__name__


def _reaches_adapter(policy: object, model) -> bool:
    """Whether a gradient of the policy's result arrives at a weight of the model's adapter."""
    adapter = [weight for name, weight in model.named_parameters() if "lora_" in name and weight.requires_grad]
    if not getattr(policy, "requires_grad", False) or not adapter:
        return False
    try:
        gradients = torch.autograd.grad(policy.sum(), adapter, allow_unused=True)
    except RuntimeError:  # what it was made from was written over or is gone
        return False
    return any(gradient is not None and bool(gradient.any()) for gradient in gradients)


def _adapter_on(model) -> bool:
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    return bool(layers) and not any(layer.disable_adapters or layer.merged for layer in layers)


def _trainable(model) -> list[str]:
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def _dropouts(model) -> dict[str, float]:
    return {name: module.p for name, module in model.named_modules() if isinstance(module, torch.nn.Dropout)}


def _weights(model) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _weights_changed(model, before: dict[str, Tensor]) -> bool:
    after = model.state_dict()
    return before.keys() != after.keys() or any_changed(before.values(), after.values())
