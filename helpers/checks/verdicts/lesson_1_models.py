"""Verdicts on two exercises of lesson 1 on whole models: their bytes in 8-bit, and which one is in eval()."""

from collections.abc import Callable, Iterator
from math import prod

import torch

from helpers.checks.verdicts.compare import Verdict, number_verdict
from helpers.checks.verdicts.draws import draws_verdict

_BYTES_HINTS = {
    "scales_forgotten": "The scales are missing: each row of a quantized weight keeps its largest magnitude beside "
    "its integers, 4 bytes.",
    "scale_a_column": "A scale belongs to a *row* of the weight, shape[0] of them. You counted shape[1].",
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
    "by_layer": "You counted one tensor for each *layer*: biases are lost, and the tied two count twice. What is one "
    "piece of memory, the address says.",
    "biases_quantized": "You counted biases as int8. Only the *weight* of a Linear is quantized; its bias stays.",
    "all_in_own_dtype": "This is the model as it came. Linear weights take 1 byte a number in 8-bit.",
    "rest_in_fp32": "You counted all that is not quantized with 4 bytes. It keeps its own dtype: bytes_each.",
    "rest_in_two_bytes": "You counted all that is not quantized with 2 bytes. It keeps its own dtype: bytes_each.",
    "all_one_byte": "You counted one byte a number everywhere. Embedding, norms, biases and skipped layers stay as "
    "they are.",
    "quantized_alone": "These are the quantized layers alone. The rest of the model takes memory too.",
    "in_mib": "This is in MiB (or kB). Asked is the number of bytes.",
    "in_bits": "This is in bits. A byte has 8.",
}


def bytes_in_8bit_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against bitsandbytes' own layers: the linear ones are made and quantized, and their bytes counted."""
    due = float(_counted(**inputs))
    causes = list(_bytes_causes(**inputs, due=due))
    hints = {
        **_BYTES_HINTS,
        "scales_forgotten": _BYTES_HINTS["scales_forgotten"].format(off=f"{due - causes[0][1]:.0f}"),
    }
    return number_verdict(outputs, due, causes, hints, tolerance=1e-9)


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
    for among in (tensors, once, tied_last):
        yield "output_layer_quantized", total(among, int8=is_weight)
    for is_in in _looser_than_in(skipped):
        yield "parts_of_names", total(int8=lambda t, is_in=is_in: is_weight(t) and not is_in(t["layer"]))
    yield "tied_twice", total(tensors)
    for order in (tensors, tensors[::-1]):
        yield "by_layer", total({tensor["layer"]: tensor for tensor in order}.values())
    for among in (once, tensors):
        yield "embedding_quantized", total(among, int8=lambda t: is_int8(t) or t["kind"] == "Embedding")
        yield "biases_quantized", total(among, int8=lambda t: t["kind"] == "Linear" and t["layer"] not in skipped)
        yield "all_in_own_dtype", total(among, int8=lambda t: False)
        yield "rest_in_fp32", total(among, rest=lambda t: 4 * prod(t["shape"]))
        yield "rest_in_two_bytes", total(among, rest=lambda t: 2 * prod(t["shape"]))
        yield "all_one_byte", total(among, int8=lambda t: True, scale=lambda t: 0)
    for scale in (lambda t: 0, lambda t: 4 * t["shape"][0]):
        for among in (once, tied_last):
            yield "all_one_byte", total(among, int8=lambda t: t["layer"] not in skipped, scale=scale)
    yield "norms_left_out", total([t for t in once if t["kind"] != "RMSNorm"])
    for among in (once, tied_last):
        yield "skipped_left_out", total([t for t in among if t["layer"] not in skipped])
    for scale in (lambda t: 0, lambda t: 4 * t["shape"][0]):
        yield "quantized_alone", total(scale=scale, rest=lambda t: 0)
    one_byte_bias = total(rest=lambda t: prod(t["shape"]) * (1 if t["tensor"] == "bias" else t["bytes_each"]))
    yield from [("biases_quantized", one_byte_bias), ("in_bits", 8 * due)]
    yield from [("in_mib", due / unit) for unit in (2**20, 1e6, 2**10, 1e3)]


def _looser_than_in(skipped: list[str]) -> list[Callable[[str], bool]]:
    """Ways to compare a layer with `skipped` that take in other layers, too, or miss some."""
    last_parts = tuple(name.split(".")[-1] for name in skipped)
    return [
        lambda layer: any(name in layer for name in skipped),
        lambda layer: layer.startswith(tuple(skipped)),
        lambda layer: layer.split(".")[-1] in last_parts,
        lambda layer: layer.endswith(last_parts),
        lambda layer: layer in last_parts,
        lambda layer: layer.split(".")[-1] in skipped,
    ]


_IN_EVAL_HINTS = {
    "4-bit": "This run is the farthest from the original, on average and at single tokens: 4 bits do that. How far a "
    "run is from the original does not say in which mode it is. What does `eval()` depend on that `train()` does not?",
    "dropout": "This run changes with the batch, but look at `again`: it changes without any reason, too. Dropout is "
    "on. In eval() two equal calls give equal results.",
    "bf16": "This run is the closest to the original: it was loaded in bf16. Rounding to 8 bits costs more than that.",
    "8-bit train": "8-bit it is, but in train(): `alone` and `in_a_batch` agree up to the noise of another order of "
    "summation. In eval() the outlier columns of *other* rows decide what is rounded in yours.",
    "other_name": "That is none of the names of the runs. Return one of the keys of `runs`, letter for letter.",
    "none_met": "Your function returned nothing (None): no run met your conditions. Equal calculations agree only up "
    "to 1e-5, so compare with a tolerance, not with torch.equal.",
}


def eight_bit_in_eval_verdict(inputs: dict, outputs: dict) -> Verdict:
    """The run that was computed so: its log-probabilities repeat, and change when other texts stand beside it."""
    from helpers.checks.calls.lesson_1_models import drawn, ways_of

    return draws_verdict(outputs, [ways_of(draw) for draw in drawn(inputs)], "8-bit eval", _IN_EVAL_HINTS)
