"""Verdict on exercise 1.4: the bytes of a model in 8-bit."""

from collections.abc import Callable, Iterator
from functools import partial
from math import prod

import torch

from helpers.checks.verdicts.compare import Verdict, number_verdict

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
    "in_mib": "This is in MiB (or kB). Asked is the number of bytes.",
    "in_bits": "This is in bits. A byte has 8.",
}


_LIKENESSES = (  # what two tensors can have in common without being one
    lambda tensor: prod(tensor["shape"]),
    lambda tensor: tuple(tensor["shape"]),
    lambda tensor: (tuple(tensor["shape"]), tensor["kind"]),
    lambda tensor: (tuple(tensor["shape"]), tensor["tensor"]),
    lambda tensor: (tuple(tensor["shape"]), tensor["bytes_each"]),
)


def bytes_in_8bit_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against bitsandbytes' own layers: the linear ones are made and quantized, and their bytes counted."""
    due = float(_counted(**inputs))
    return number_verdict(outputs, due, list(_bytes_causes(**inputs, due=due)), _BYTES_HINTS, tolerance=1e-9)


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


def _bytes_causes(tensors: list[dict], skipped: list[str], due: float) -> Iterator[tuple[str, float]]:
    once = {tensor["address"]: tensor for tensor in reversed(tensors)}.values()  # of the tied two, the embedding

    def is_weight(tensor: dict) -> bool:
        return tensor["kind"] == "Linear" and tensor["tensor"] == "weight"

    def is_int8(tensor: dict) -> bool:
        return is_weight(tensor) and tensor["layer"] not in skipped

    def as_it_is(tensor: dict) -> int:
        return prod(tensor["shape"]) * tensor["bytes_each"]

    def total(among=once, int8: Callable = is_int8, scale: Callable = lambda t: 4 * t["shape"][0], rest=as_it_is):
        return sum(prod(t["shape"]) + scale(t) if int8(t) else rest(t) for t in among)

    tied_last = {tensor["address"]: tensor for tensor in tensors}.values()  # of the tied two, the output layer
    for name, scale in {
        "scales_forgotten": lambda t: 0,
        "scale_a_column": lambda t: 4 * t["shape"][1],
        "half_scales": lambda t: 2 * t["shape"][0],
        "scale_of_one_byte": lambda t: t["shape"][0],
        "scale_a_matrix": lambda t: 4,
    }.items():
        yield name, total(scale=scale)
    yield "half_scales", total(scale=lambda t: t["bytes_each"] * t["shape"][0])
    for among in (tensors, once, tied_last):
        yield "output_layer_quantized", total(among, int8=is_weight)
    for is_in in _looser_than_in(skipped):
        yield "parts_of_names", total(int8=lambda t, is_in=is_in: is_weight(t) and not is_in(t["layer"]))
    yield from _identity_causes(total, tensors, is_int8)
    for has_scale in (is_int8, lambda t: True, lambda t: len(t["shape"]) == 2):
        scale = partial(_scale_where, has_scale)
        yield "kind_ignored", total(int8=lambda t: t["tensor"] == "weight" and t["layer"] not in skipped, scale=scale)
    half = [prod(t["shape"]) * t["bytes_each"] // 2 - prod(t["shape"]) for t in once if is_int8(t)]
    yield "half_of_32_bits", due + sum(half)
    yield "float32_left", total(int8=lambda t: is_int8(t) and t["bytes_each"] == 2)
    quarter = [prod(t["shape"]) * t["bytes_each"] // 4 - prod(t["shape"]) for t in once if is_int8(t)]
    yield "quarter_of_16_bits", due + sum(quarter)
    for among in (once, tensors):
        yield "embedding_quantized", total(among, int8=lambda t: is_int8(t) or t["kind"] == "Embedding")
        yield "biases_quantized", total(among, int8=lambda t: t["kind"] == "Linear" and t["layer"] not in skipped)
        yield "all_in_own_dtype", total(among, int8=lambda t: False)
        yield "rest_in_fp32", total(among, rest=lambda t: 4 * prod(t["shape"]))
        yield "rest_in_two_bytes", total(among, rest=lambda t: 2 * prod(t["shape"]))
        yield "all_one_byte", total(among, int8=lambda t: True, scale=lambda t: 0)
    for among in (once, tied_last, tensors):
        yield from _whole_causes(partial(total, among), skipped, (is_weight, is_int8))
    yield "norms_left_out", total([t for t in once if t["kind"] != "RMSNorm"])
    for among in (once, tied_last):
        yield "skipped_left_out", total([t for t in among if t["layer"] not in skipped])
    for scale in (lambda t: 0, lambda t: 4 * t["shape"][0]):
        yield "quantized_alone", total(scale=scale, rest=lambda t: 0)
    one_byte_bias = total(rest=lambda t: prod(t["shape"]) * (1 if t["tensor"] == "bias" else t["bytes_each"]))
    yield from [("biases_quantized", one_byte_bias), ("in_bits", 8 * due)]
    yield from [("in_mib", due / unit) for unit in (2**20, 1e6, 2**10, 1e3)]
    yield from [("in_mib", due // unit) for unit in (2**20, 1e6, 2**10, 1e3)]


def _identity_causes(total: Callable, tensors: list[dict], is_int8: Callable) -> Iterator[tuple[str, float]]:
    """Where one piece of memory counts twice, or two count once: tensors were told apart by something else."""
    once = {tensor["address"]: tensor for tensor in reversed(tensors)}.values()
    repeated = [tensor for tensor in tensors if all(tensor is not first for first in once)]
    first_repeat = next(place for place, tensor in enumerate(tensors) if tensor in repeated)
    yield "stopped_at_a_repeat", total(tensors[:first_repeat])
    yield "shared_twice", total([*once, *(tensor for tensor in repeated if is_int8(tensor))])
    yield "tied_twice", total([*once, *(tensor for tensor in repeated if not is_int8(tensor))])
    yield "tied_twice", total(tensors)
    for order in (tensors, tensors[::-1]):
        yield "by_layer", total({tensor["layer"]: tensor for tensor in order}.values())
        for likeness in _LIKENESSES:
            yield "shape_for_address", total({likeness(tensor): tensor for tensor in order}.values())


def _whole_causes(total: Callable, skipped: list[str], scaled: tuple[Callable, ...]) -> Iterator[tuple[str, float]]:
    """Where the whole model was made smaller, with a scale for some rows or none."""
    as_it_came = total(int8=lambda t: False)
    yield from (("whole_divided", size) for size in (as_it_came / 4, as_it_came // 4, as_it_came / 2))
    for name, int8 in (("all_one_byte", lambda t: True), ("rest_of_one_byte", lambda t: t["layer"] not in skipped)):
        for has_scale in (lambda t: False, lambda t: True, lambda t: len(t["shape"]) == 2, *scaled):
            scale = partial(_scale_where, has_scale)
            yield name, total(int8=int8, scale=scale)


def _scale_where(has_scale: Callable[[dict], bool], tensor: dict) -> int:
    return 4 * tensor["shape"][0] if has_scale(tensor) else 0


def _looser_than_in(skipped: list[str]) -> list[Callable[[str], bool]]:
    """Ways to compare a layer with `skipped` that take in other layers, too, or miss some."""
    last_parts = tuple(name.split(".")[-1] for name in skipped)
    return [
        lambda layer: any(name in layer for name in skipped),
        lambda layer: layer.startswith(tuple(skipped)),
        lambda layer: layer.endswith(tuple(skipped)),
        lambda layer: layer.split(".")[-1] in last_parts,
        lambda layer: layer.endswith(last_parts),
        lambda layer: layer in last_parts,
        lambda layer: layer.split(".")[-1] in skipped,
    ]
