"""The tiny models of lesson 3's exercises, made from plain data."""

import contextlib
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

ADAPTED = ("q_proj", "v_proj")


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


def model_weights(r: int, size: float) -> dict[str, Tensor]:
    """Weights of a tiny model (`base.*`) and of a LoRA adapter (`lora.*`), whose values are about `size`."""
    base = tiny_llama()
    weights = {f"base.{name}": tensor.clone() for name, tensor in base.state_dict().items()}
    for name, module in base.named_modules():
        if name.endswith(ADAPTED):
            weights[f"lora.{name}.A"] = size * torch.randn(r, module.in_features)
            weights[f"lora.{name}.B"] = size * torch.randn(module.out_features, r)
    return weights


def policy_model(inputs: dict):
    """The peft model an answer is given: in training mode, with dropout, its adapter trainable and not zero.

    With "v_dropout" in the inputs, the dropout of the adapters on v_proj is another than that on q_proj.
    """
    from peft import LoraConfig, get_peft_model

    base = tiny_llama()
    base.load_state_dict({name[5:]: tensor for name, tensor in inputs.items() if name.startswith("base.")})
    config = LoraConfig(
        r=inputs["r"],
        lora_alpha=inputs["lora_alpha"],
        lora_dropout=inputs["lora_dropout"],
        target_modules=list(ADAPTED),
        bias="none",
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():  # peft asks transformers by a name that is on its way out
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        model = get_peft_model(base, config)
    with torch.no_grad():
        for name, module in model.base_model.model.named_modules():
            if name.endswith(ADAPTED):
                module.lora_A["default"].weight.copy_(inputs[f"lora.{name}.A"])
                module.lora_B["default"].weight.copy_(inputs[f"lora.{name}.B"])
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Dropout) and ".v_proj." in name:
            module.p = inputs.get("v_dropout", module.p)
    return model.train()


@contextlib.contextmanager
def counted_tokens(model) -> Iterator[list[int]]:
    """How many tokens each pass through this very model reads; a copy of it takes the hook along, and is not it."""
    output_layer, read = model.get_output_embeddings(), []

    def count(layer, given: tuple, logits: Tensor) -> None:
        if layer is output_layer:
            read.append(logits.shape[:-1].numel())

    hook = output_layer.register_forward_hook(count)
    try:
        yield read
    finally:
        hook.remove()


def state_of(model) -> dict:
    """What a function that is lent the model has to leave as it came."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    parameters = dict(model.named_parameters())
    return {
        "adapter": [(layer.disable_adapters, layer.merged, layer.active_adapters) for layer in layers],
        "mode": [module.training for module in model.modules()],
        "dropout": {name: module.p for name, module in model.named_modules() if isinstance(module, torch.nn.Dropout)},
        "scaling": [dict(layer.scaling) for layer in layers],
        "trainable": [name for name, parameter in parameters.items() if parameter.requires_grad],
        "weights": {name: tensor.detach().clone() for name, tensor in model.state_dict().items()},
        "gradients": {name: p.grad.clone() for name, p in parameters.items() if p.grad is not None},
        "autograd": torch.is_grad_enabled(),
    }


def changed(before: dict, after: dict) -> list[str]:
    """The parts of `state_of` that are not what they were."""
    return [name for name in before if not _same(before[name], after[name])]


def _same(before: object, after: object) -> bool:
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(_same(before[name], after[name]) for name in before)
    if isinstance(before, Tensor):
        return before.dtype == after.dtype and torch.equal(before, after)
    return before == after
