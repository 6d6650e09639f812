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
    """The peft model an answer is given: in training mode, with dropout, its adapter trainable and not zero."""
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
    return model.train()


@contextlib.contextmanager
def counted_rows(model) -> Iterator[list[int]]:
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
