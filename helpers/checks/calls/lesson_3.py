"""Inputs and calls of lesson 3: PPO with a shared reference."""

import contextlib
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from helpers.checks.calls.observe import any_changed, kind, plain_tensor

POLICY_AND_REFERENCE_LOGPROBS_OUTPUTS = {
    "kind": str,  # of the returned value: a tuple or a list of two
    "policy": Tensor,
    "policy_kind": str,
    "policy_has_gradient": bool,
    "policy_varies": bool,  # another result when called again: dropout
    "reference": Tensor,
    "reference_kind": str,
    "rows_read": int,  # by the model that was given: two passes over the batch, unless a copy read them
    "adapter_on": bool,  # these five: of the model, afterwards
    "mode_changed": bool,
    "dropout_changed": bool,
    "trainable_changed": bool,
    "weights_changed": bool,
}
_ADAPTED = ("q_proj", "v_proj")


def tiny_llama():
    """A Llama of two layers, its weights drawn wide enough that its opinions differ from token to token."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=29,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=32,
            initializer_range=0.3,
            bos_token_id=1,
            eos_token_id=2,
        )
    )


def policy_and_reference_logprobs_inputs(seed: int) -> dict:
    """Weights of a tiny model (`base.*`) and of a LoRA adapter that is not zero (`lora.*`), and tokens."""
    r, lora_alpha = 4, 8
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        base = tiny_llama()
        weights = {f"base.{name}": tensor.clone() for name, tensor in base.state_dict().items()}
        for name, module in base.named_modules():
            if name.endswith(_ADAPTED):
                weights[f"lora.{name}.A"] = 0.3 * torch.randn(r, module.in_features)
                weights[f"lora.{name}.B"] = 0.3 * torch.randn(module.out_features, r)
        tokens = torch.randint(3, 29, (3, 9))
    return {"tokens": tokens, "r": r, "lora_alpha": lora_alpha, "lora_dropout": 0.3, **weights}


def call_policy_and_reference_logprobs(answer: Callable, inputs: dict) -> dict:
    model = policy_model(inputs)
    trainable, weights, dropouts = _trainable(model), _weights(model), _dropouts(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        with _counted_rows(model) as rows_read:
            value = answer(model, inputs["tokens"].clone())
        policy, reference = value if _is_pair(value) else (None, None)
        left = {
            "adapter_on": _adapter_on(model),
            "mode_changed": not all(module.training for module in model.modules()),
            "dropout_changed": _dropouts(model) != dropouts,
            "trainable_changed": _trainable(model) != trainable,
            "weights_changed": _weights_changed(model, weights),
        }
        torch.manual_seed(1)
        again = answer(model, inputs["tokens"].clone())
    return {
        "kind": "pair" if _is_pair(value) else _kind_of_no_pair(value),
        "policy": plain_tensor(policy),
        "policy_kind": kind(policy),
        "policy_has_gradient": bool(getattr(policy, "requires_grad", False)),
        "policy_varies": _is_pair(again) and not torch.equal(plain_tensor(policy), plain_tensor(again[0])),
        "reference": plain_tensor(reference),
        "reference_kind": kind(reference),
        "rows_read": sum(rows_read),
        **left,
    }


def policy_model(inputs: dict):
    """The peft model an answer is given: in training mode, with dropout, its adapter trainable and not zero."""
    from peft import LoraConfig, get_peft_model

    base = tiny_llama()
    base.load_state_dict({name[5:]: tensor for name, tensor in inputs.items() if name.startswith("base.")})
    config = LoraConfig(
        r=inputs["r"],
        lora_alpha=inputs["lora_alpha"],
        lora_dropout=inputs["lora_dropout"],
        target_modules=list(_ADAPTED),
        bias="none",
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():  # peft asks transformers by a name that is on its way out
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        model = get_peft_model(base, config)
    with torch.no_grad():
        for name, module in model.base_model.model.named_modules():
            if name.endswith(_ADAPTED):
                module.lora_A["default"].weight.copy_(inputs[f"lora.{name}.A"])
                module.lora_B["default"].weight.copy_(inputs[f"lora.{name}.B"])
    return model.train()


def _is_pair(value: object) -> bool:
    return type(value) in (tuple, list) and len(value) == 2


def _kind_of_no_pair(value: object) -> str:
    return f"a {type(value).__name__} of {len(value)}" if type(value) in (tuple, list) else type(value).__name__


@contextlib.contextmanager
def _counted_rows(model) -> Iterator[list[int]]:
    """How many sentences each pass through this very model reads; a copy of it takes the hook along, and is not it."""
    output_layer, rows = model.get_output_embeddings(), []

    def count(layer, given: tuple, logits: Tensor) -> None:
        if layer is output_layer:
            rows.append(len(logits))

    hook = output_layer.register_forward_hook(count)
    try:
        yield rows
    finally:
        hook.remove()


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
