"""Verdicts of lesson 2: add LoRA adapters."""

import math

import torch
from torch import Tensor

from helpers.checks.verdicts.compare import Causes, Verdict, tensor_verdict

_MERGED_WEIGHT_HINTS = {
    "transposed": "The update is transposed: lora_A works on the layer's input first and lora_B makes the output, "
    "so it is lora_B @ lora_A, (out, r) @ (r, in). On a square weight the other order fits and is silently wrong.",
    "not_scaled": "You added lora_B @ lora_A as it is. What the layer adds is that times a scale: without it, "
    "merging changes the model.",
    "scaled_by_root_r": "You scale by lora_alpha / sqrt(r). That is rsLoRA, which peft uses only where "
    "`use_rslora=True` asks for it.",
    "scaled_upside_down": "You scale by r / lora_alpha: upside down. lora_alpha is what the user turns up; "
    "a larger r makes each of its parts count less.",
    "scaled_by_alpha": "You scale by lora_alpha alone. The division by r is what lets you change r and keep the "
    "size of the update.",
    "scaled_by_whole_number": "lora_alpha // r rounds down. Here lora_alpha / r is no whole number.",
    "weight_forgotten": "This is the update alone. The merged layer replaces weight, so weight must be in it.",
    "subtracted": "The update has the wrong sign: you took it off. That is how a merged adapter is *un*merged.",
    "scaled_twice": "The scale went in twice. Where each factor is scaled, their product is scaled by its square.",
}


def merged_weight_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against the weight that peft leaves behind when it merges a layer of its own."""
    due = _merged_by_peft(inputs)
    return tensor_verdict(outputs, due, _merged_weight_causes(inputs), _MERGED_WEIGHT_HINTS)


def _merged_by_peft(inputs: dict) -> Tensor:
    from peft import LoraConfig, get_peft_model

    weight = inputs["weight"]
    layer = torch.nn.Linear(*reversed(weight.shape), bias=False)
    config = LoraConfig(r=inputs["r"], lora_alpha=inputs["lora_alpha"], target_modules=["0"])
    model = get_peft_model(torch.nn.Sequential(layer).double(), config)
    adapted = model.base_model.model[0]
    with torch.no_grad():
        adapted.base_layer.weight.copy_(weight)
        adapted.lora_A["default"].weight.data = inputs["lora_A"].double()
        adapted.lora_B["default"].weight.data = inputs["lora_B"].double()
    return model.merge_and_unload()[0].weight.detach()


def _merged_weight_causes(inputs: dict) -> Causes:
    weight, lora_A, lora_B = (inputs[name].double() for name in ("weight", "lora_A", "lora_B"))
    lora_alpha, r = inputs["lora_alpha"], inputs["r"]
    scale, update = lora_alpha / r, lora_B @ lora_A
    return [
        ("transposed", weight + scale * update.T),
        ("not_scaled", weight + update),
        ("scaled_by_root_r", weight + lora_alpha / math.sqrt(r) * update),
        ("scaled_upside_down", weight + update / scale),
        ("scaled_by_alpha", weight + lora_alpha * update),
        ("scaled_by_whole_number", weight + lora_alpha // r * update),
        ("weight_forgotten", scale * update),
        ("subtracted", weight - scale * update),
        ("scaled_twice", weight + scale**2 * update),
    ]
