"""Verdict on exercise 1.4: the bytes of a model in 8-bit."""

import torch

from helpers.checks.verdicts.compare import Verdict, number_verdict
from helpers.checks.verdicts.lesson_1_bytes_causes import bytes_causes

_BYTES_HINTS = {
    "scales_forgotten": "The scales are missing: each row of a quantized weight keeps its largest magnitude beside "
    "its integers, 4 bytes.",
    "scale_a_column": "A scale belongs to a *row* of the weight, shape[0] of them. You counted shape[1].",
    "stopped_at_a_repeat": "You stopped at the first address that came twice. What comes after it counts, too: pass "
    "over that one tensor with continue.",
    "scale_of_one_byte": "You counted one byte for each scale. The integers take one byte; a scale is float32, 4 "
    "bytes.",
    "scale_a_matrix": "You counted one scale for each weight. There is one for each of its *rows*, shape[0] of them.",
    "norms_left_out": "The norms are missing. They stay in their own dtype and take memory, too.",
    "skipped_left_out": "The layers that `skipped` names are missing. They are not quantized, but they are there.",
    "half_scales": "The scales take 4 bytes each, float32, whatever dtype the model came in.",
    "output_layer_quantized": "You quantized what `skipped` names. These layers stay in their own dtype: an output "
    "layer, rounded, would move every probability.",
    "parts_of_names": "You compared parts of names. `skipped` holds whole ones: `score` is not `score_in`, and "
    "`layers.1.q_proj` is not every q_proj.",
    "embedding_quantized": "You quantized the embedding. It is a table to look rows up in, no Linear, and stays as it "
    "is.",
    "tied_twice": "The output layer and the embedding are one tensor (the same address), so its bytes are there once.",
    "shape_for_address": "You took tensors of one shape for one tensor. Layers of one shape have weights of their own; "
    "whether two are one piece of memory, their addresses say.",
    "shared_twice": "One address comes twice that is quantized: two layers share one weight. It is one piece of "
    "memory, with one set of scales, as the embedding and the output layer are.",
    "kind_ignored": "You went by the name `weight` alone. Norms and embeddings have one, too; in 8-bit are those of "
    "kind Linear.",
    "half_of_32_bits": "Half of the bytes is right for weights that came in 16 bits. In 8-bit a number takes one byte, "
    "whatever it took before, and some of these weights came in 32.",
    "float32_left": "You left the Linear weights that came in float32 as they were. What `skipped` does not name is "
    "quantized, whatever it came in.",
    "quarter_of_16_bits": "A quarter is right for weights that came in 32 bits. In 8-bit a number takes one byte, "
    "whatever it took before.",
    "by_layer": "You counted one tensor for each *layer*: biases are lost, and the tied two count twice. What is one "
    "piece of memory, the address says.",
    "biases_quantized": "You counted biases as int8. Only the *weight* of a Linear is quantized; its bias stays.",
    "all_in_own_dtype": "This is the model as it came. Linear weights take 1 byte a number in 8-bit.",
    "rest_in_fp32": "You counted all that is not quantized with 4 bytes. It keeps its own dtype: bytes_each.",
    "rest_in_two_bytes": "You counted all that is not quantized with 2 bytes. It keeps its own dtype: bytes_each.",
    "all_one_byte": "You counted one byte a number everywhere. Embedding, norms, biases and skipped layers stay as "
    "they are.",
    "rest_of_one_byte": "You counted one byte a number in all layers but those of `skipped`. Embedding, norms and "
    "biases are not quantized, either: they stay as they are.",
    "whole_divided": "You divided the bytes of the whole model. Only the weights of the Linear layers become smaller, "
    "and how much depends on what each number took before: bytes_each.",
    "quantized_alone": "These are the quantized layers alone. The rest of the model takes memory too.",
    "in_mib": "This is in a larger unit, kB, MiB or GB, perhaps rounded. Asked is the number of bytes.",
    "in_bits": "Bits stand where bytes are due, for all or for a part. A byte has 8 bits: an int8 takes 1 byte, and a "
    "float32 4.",
    "skipped_alone_quantized": "You quantized just the layers in `skipped`, and left the others. A `not` is missing.",
    "shared_scales_twice": "A weight that two layers share counts once, as it should, but its scales count twice. One "
    "piece of memory has one set of scales.",
    "tied_twice_and_no_scales": "Two slips: tensors with the same address count twice, though they are one piece of "
    "memory, and the scales are missing, 4 bytes a row of a quantized weight.",
    "shared_left_out": "Tensors whose address comes twice are missing altogether. They are one piece of memory, which "
    "counts once.",
    "both_copies": "The quantized weights still count with bytes_each, alone or on top of the int8. In 8-bit, one byte "
    "a number takes the place of what it took before.",
    "in_one_bracket": "Numbers and scales are multiplied by one figure. A quantized number takes 1 byte and a scale 4, "
    "whatever bytes_each says.",
    "norms_quantized": "You quantized the norms. Their tensor is called weight, too, but in 8-bit are only those of "
    "kind Linear.",
    "rest_alone": "The numbers of the quantized weights are missing: one byte each. This is the rest of the model, "
    "with scales or without.",
    "biases_left_out": "Biases are missing, of all layers or of the quantized ones. They are not quantized, but take "
    "memory as they are.",
    "embedding_left_out": "The embedding is missing. It is not quantized, but it takes memory, too.",
    "sum_of_shape": "A shape does not hold as many numbers as you counted: a matrix has rows *times* columns, "
    "and a bias shape[0]. math.prod(shape) gives both.",
    "dtype_assumed": "You counted biases or norms with a fixed number of bytes. What a number of each tensor takes, "
    "its bytes_each says.",
    "scales_for_all": "You counted scales of tensors that are not quantized. Only a quantized weight has them, one a "
    "row.",
    "other_scales": "Your scales are too large, too many or too few. A quantized weight has one for each of its rows, "
    "shape[0], and each takes 4 bytes.",
    "scales_of_the_last": "Only the scales of the last quantized weight are in the sum. Add those of each in the loop.",
    "returned_in_the_loop": "This is what you have after the first few tensors: a return stands in the loop.",
    "started_anew": "This is the last tensor alone, or the last few: somewhere = stands where += is due, so the sum "
    "starts anew.",
    "saved": "This is what 8-bit saves, or how many times smaller the model becomes. Asked is what it takes then.",
}


def bytes_in_8bit_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against bitsandbytes' own layers: the linear ones are made and quantized, and their bytes counted."""
    due = float(_counted(**inputs))
    return number_verdict(outputs, due, list(bytes_causes(**inputs, due=due)), _BYTES_HINTS, tolerance=1e-9)


def _counted(tensors: list[dict], skipped: list[str]) -> int:
    import bitsandbytes

    total = 0
    for tensor in {tensor["address"]: tensor for tensor in reversed(tensors)}.values():
        dtype = {2: torch.bfloat16, 4: torch.float32}[tensor["bytes_each"]]
        value = torch.ones(tensor["shape"], dtype=dtype)
        if tensor["kind"] == "Linear" and tensor["tensor"] == "weight" and tensor["layer"] not in skipped:
            layer = bitsandbytes.nn.Linear8bitLt(*reversed(tensor["shape"]), bias=False, has_fp16_weights=False)
            layer.weight.data.copy_(value)
            value = layer.to("cpu").weight
            total += value.SCB.nbytes
        total += value.nbytes
    return total
