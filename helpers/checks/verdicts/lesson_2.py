"""Verdicts of lesson 2: add LoRA adapters."""

import math

import torch
from torch import Tensor

from helpers.checks.verdicts.compare import Causes, Verdict, failed, tensor_verdict
from helpers.checks.verdicts.lesson_2_adapters import loss_of_rank_verdict as loss_of_rank_verdict
from helpers.checks.verdicts.lesson_2_adapters import lost_reference_verdict as lost_reference_verdict
from helpers.checks.verdicts.lesson_2_training import gradient_of_lora_b_verdict as gradient_of_lora_b_verdict
from helpers.checks.verdicts.lesson_2_training import trained_weights_verdict as trained_weights_verdict

_MERGED_WEIGHT_HINTS = {
    "transposed": "The update is transposed: lora_A works on the layer's input first and lora_B makes the output, "
    "so it is lora_B @ lora_A, (out, r) @ (r, in). On a square weight lora_A.T @ lora_B.T fits, and is silently "
    "wrong.",
    "not_scaled": "You added lora_B @ lora_A as it is. What the layer adds is that times a scale: without it, "
    "merging changes the model.",
    "scaled_by_root_r": "You scale by lora_alpha / sqrt(r). That is rsLoRA, which peft uses only where "
    "`use_rslora=True` asks for it.",
    "scaled_upside_down": "You scale by r / lora_alpha: upside down. lora_alpha is what the user turns up; "
    "a larger r makes each of its parts count less.",
    "scaled_by_alpha": "You scale by lora_alpha alone. The division by r is what lets you change r and keep the "
    "size of the update.",
    "scaled_by_whole_number": "You scale by 2, and here lora_alpha / r is no whole number. lora_alpha // r rounds "
    "down, or you wrote a number where lora_alpha / r belongs.",
    "scaled_by_typed_r": "You divide by 8 instead of r, or take 16 for lora_alpha. Such are the figures of the cell "
    "below the check; here both are arguments of the function.",
    "scaled_by_alpha_times_r": "You multiply by r; it divides. A larger r adds more parts to the update, and the "
    "division keeps their sum from growing with it.",
    "scaled_by_1_over_r": "You divide by r and forgot lora_alpha: the scale is lora_alpha / r.",
    "scaled_by_width": "You divide by the width of the layer, not by the rank. lora_A is (r, in), so its shape[0] is "
    "r; r is an argument too.",
    "weight_forgotten": "This is the update alone. The merged layer replaces weight, so weight must be in it.",
    "weight_alone": "This is weight as it came: the update never reached it. `weight + …` makes a new tensor; return "
    "that one.",
    "weight_scaled_too": "lora_alpha / r multiplies weight as well as the update. It scales the adapter alone: mind "
    "the brackets.",
    "weight_multiplied": "You multiplied weight by the update. The layer *adds* what the adapter gives to what weight "
    "gives, so the merged weight is a sum.",
    "result_transposed": "Your weight lies on its side: {got_shape} for {due_shape}. A layer's weight is (out, in); it "
    "is transposed when an input is multiplied by it, not when it is stored.",
    "weight_transposed": "weight itself went in transposed. It is (out, in) as it came, and so is lora_B @ lora_A.",
    "square_only": "On a square weight your values are right. On {due_shape} your function {kind}: it takes "
    "some size for another. Sizes come from the tensors, (out, in), (r, in) and (out, r).",
    "subtracted": "The update has the wrong sign: you took it off. That is how a merged adapter is *un*merged.",
    "added_twice": "The update went in twice: it is added once.",
    "scaled_twice": "The scale went in twice. Where each factor is scaled, their product is scaled by its square.",
}


def merged_weight_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against the weight that peft leaves behind when it merges a layer of its own: a square one, then a wide one."""
    wide = {name: inputs[f"wide_{name}"] for name in ("weight", "lora_A", "lora_B")}
    wide |= {name: inputs[name] for name in ("lora_alpha", "r")}
    wide_output, wide_due = outputs["wide_output"], _merged_by_peft(wide)
    if wide_output.shape == wide_due.mT.shape:
        return failed("result_transposed", wide_output, wide_due, _MERGED_WEIGHT_HINTS)
    verdict = _verdict_on(inputs, outputs)
    if not verdict.passed:
        return verdict
    if outputs["wide_kind"].startswith("raised "):
        return failed("square_only", outputs["wide_kind"], wide_due, _MERGED_WEIGHT_HINTS)
    return _verdict_on(wide, {**outputs, "output": wide_output, "kind": outputs["wide_kind"]})


def _verdict_on(inputs: dict, outputs: dict) -> Verdict:
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
    scale, update = inputs["lora_alpha"] / inputs["r"], lora_B @ lora_A
    yield from _causes_of_scale(weight, update, inputs["lora_alpha"], inputs["r"])
    yield from [
        ("weight_forgotten", scale * update),
        ("weight_forgotten", update),
        ("added_twice", weight + 2 * scale * update),
        ("weight_alone", weight),
        ("weight_scaled_too", scale * (weight + update)),
        ("weight_multiplied", weight * update * scale),
        ("weight_multiplied", weight * update),
        ("subtracted", weight - scale * update),
    ]
    if weight.shape[0] == weight.shape[1]:  # these fit no other weight
        yield from [
            ("transposed", weight + scale * update.T),
            ("weight_transposed", weight.T + scale * update),
            ("weight_multiplied", weight @ update * scale),
            ("weight_multiplied", weight @ update),
        ]


def _causes_of_scale(weight: Tensor, update: Tensor, lora_alpha: float, r: int) -> Causes:
    out, width = weight.shape
    factors = [
        ("not_scaled", 1),
        ("scaled_by_root_r", lora_alpha / math.sqrt(r)),
        ("scaled_upside_down", r / lora_alpha),
        ("scaled_by_alpha", lora_alpha),
        ("scaled_by_whole_number", lora_alpha // r),
        ("scaled_by_1_over_r", 1 / r),
        ("scaled_by_alpha_times_r", lora_alpha * r),
        ("scaled_by_width", lora_alpha / width),
        ("scaled_by_width", lora_alpha / out),
        ("scaled_twice", (lora_alpha / r) ** 2),
        ("scaled_by_typed_r", lora_alpha / 8),
        ("scaled_by_typed_r", 16 / r),
    ]
    return [(name, weight + factor * update) for name, factor in factors]
