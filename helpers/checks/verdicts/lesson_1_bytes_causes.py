"""What each known mistake makes of the bytes of a model in 8-bit (exercise 1.4)."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod

Numbers = Iterator[tuple[str, float]]  # the name of a mistake's hint, and the number that the mistake gives

_LIKENESSES = (  # what two tensors can have in common without being one
    lambda tensor: prod(tensor["shape"]),
    lambda tensor: tuple(tensor["shape"]),
    lambda tensor: (tuple(tensor["shape"]), tensor["kind"]),
    lambda tensor: (tuple(tensor["shape"]), tensor["tensor"]),
    lambda tensor: (tuple(tensor["shape"]), tensor["bytes_each"]),
)
_LIKE_A_PRODUCT = (  # what was taken for the numbers of a shape
    sum,
    len,
    lambda shape: shape[0],
    lambda shape: shape[-1],
    lambda shape: shape[0] * shape[-1],
    lambda shape: shape[0] ** len(shape),
)


def _as_it_is(tensor: dict) -> int:
    return prod(tensor["shape"]) * tensor["bytes_each"]


def _one_a_row(tensor: dict) -> int:
    return 4 * tensor["shape"][0]


def _no_scale(tensor: dict) -> int:
    return 0


def _is_weight(tensor: dict) -> bool:
    return tensor["kind"] == "Linear" and tensor["tensor"] == "weight"


def _is_matrix(tensor: dict) -> bool:
    return len(tensor["shape"]) == 2


def _is_bias(tensor: dict) -> bool:
    return tensor["tensor"] == "bias"


@dataclass(frozen=True)
class _Model:
    tensors: list[dict]
    skipped: list[str]

    @property
    def once(self) -> list[dict]:
        """Of each address the first tensor: of the tied two, the embedding."""
        first = {}
        for tensor in self.tensors:
            first.setdefault(tensor["address"], tensor)
        return list(first.values())

    @property
    def tied_last(self) -> list[dict]:
        """Of each address the last tensor: of the tied two, the output layer."""
        return list({tensor["address"]: tensor for tensor in self.tensors}.values())

    @property
    def repeated(self) -> list[dict]:
        return [tensor for tensor in self.tensors if all(tensor is not first for first in self.once)]

    def is_int8(self, tensor: dict) -> bool:
        return _is_weight(tensor) and not self.is_skipped(tensor)

    def is_skipped(self, tensor: dict) -> bool:
        return tensor["layer"] in self.skipped

    def total(
        self,
        among: Iterable[dict] | None = None,
        int8: Callable | None = None,
        scale: Callable = _one_a_row,
        rest: Callable = _as_it_is,
    ) -> float:
        """The bytes, where these tensors count, these are quantized, and scales and the rest take so many bytes."""
        int8 = int8 or self.is_int8
        tensors = self.once if among is None else among
        return sum(prod(t["shape"]) + scale(t) if int8(t) else rest(t) for t in tensors)


def bytes_causes(tensors: list[dict], skipped: list[str], due: float) -> Numbers:
    """The first that gives what an answer gave is its likely cause: the more particular come first."""
    model = _Model(tensors, skipped)
    yield from _causes_of_scales(model)
    yield from _causes_of_names(model)
    yield from _causes_of_identity(model, due)
    yield from _causes_of_dtypes(model, due)
    yield from _causes_of_the_quantized(model)
    for among in (model.once, model.tied_last, model.tensors):
        yield from _causes_of_the_whole(model, among)
    yield from _causes_of_missing_ones(model)
    yield from _causes_of_the_rest(model)
    yield from _causes_of_other_scales(model)
    yield from _causes_of_loops(model)
    yield from _causes_of_units(model, due)


def _causes_of_scales(model: _Model) -> Numbers:
    for name, scale in {
        "scales_forgotten": _no_scale,
        "scale_a_column": lambda t: 4 * t["shape"][1],
        "half_scales": lambda t: 2 * t["shape"][0],
        "scale_of_one_byte": lambda t: t["shape"][0],
        "scale_a_matrix": lambda t: 4,
    }.items():
        yield name, model.total(scale=scale)
    yield "half_scales", model.total(scale=lambda t: t["bytes_each"] * t["shape"][0])


def _causes_of_names(model: _Model) -> Numbers:
    """Where other layers are left as they are than those that `skipped` names."""
    for among in (model.tensors, model.once, model.tied_last):
        yield "output_layer_quantized", model.total(among, int8=_is_weight)
    for is_in in _looser_than_in(model.skipped):
        yield "parts_of_names", model.total(int8=lambda t, is_in=is_in: _is_weight(t) and not is_in(t["layer"]))
    for among in (model.once, model.tied_last, model.tensors):
        yield "skipped_alone_quantized", model.total(among, int8=lambda t: _is_weight(t) and model.is_skipped(t))


def _causes_of_identity(model: _Model, due: float) -> Numbers:
    """Where one piece of memory counts twice, or two count once: tensors were told apart by something else."""
    first_repeat = next(place for place, tensor in enumerate(model.tensors) if tensor in model.repeated)
    yield "stopped_at_a_repeat", model.total(model.tensors[:first_repeat])
    yield "shared_twice", model.total([*model.once, *filter(model.is_int8, model.repeated)])
    yield "shared_scales_twice", due + sum(_one_a_row(t) for t in model.repeated if model.is_int8(t))
    yield "tied_twice", model.total([*model.once, *(t for t in model.repeated if not model.is_int8(t))])
    yield "tied_twice", model.total(model.tensors)
    yield "tied_twice_and_no_scales", model.total(model.tensors, scale=_no_scale)
    addresses = [tensor["address"] for tensor in model.tensors]
    yield "shared_left_out", model.total(t for t in model.tensors if addresses.count(t["address"]) == 1)
    for order in (model.tensors, model.tensors[::-1]):
        yield "by_layer", model.total({tensor["layer"]: tensor for tensor in order}.values())
        for likeness in _LIKENESSES:
            yield "shape_for_address", model.total({likeness(tensor): tensor for tensor in order}.values())


def _causes_of_dtypes(model: _Model, due: float) -> Numbers:
    """Where what a number takes in 8-bit depends on what it took before."""
    numbers = [(prod(t["shape"]), t["bytes_each"]) for t in model.once if model.is_int8(t)]
    yield "half_of_32_bits", due + sum(count * each // 2 - count for count, each in numbers)
    yield "float32_left", model.total(int8=lambda t: model.is_int8(t) and t["bytes_each"] == 2)
    yield "quarter_of_16_bits", due + sum(count * each // 4 - count for count, each in numbers)
    yield "both_copies", due + sum(count * each for count, each in numbers)
    yield "both_copies", due + sum(count * each - count for count, each in numbers)
    yield "in_one_bracket", model.total(scale=lambda t: 3 * prod(t["shape"]) + _one_a_row(t))
    yield (
        "in_one_bracket",
        model.total(scale=lambda t: _as_it_is(t) - prod(t["shape"]) + t["bytes_each"] * _one_a_row(t)),
    )


def _causes_of_the_quantized(model: _Model) -> Numbers:
    """Where others are quantized than the weights of Linear layers, or the others have one dtype."""

    def is_norm_too(tensor: dict) -> bool:
        return model.is_int8(tensor) or tensor["kind"] == "RMSNorm"

    for has_scale in (model.is_int8, lambda t: True, _is_matrix):
        scale = partial(_scale_where, has_scale)
        yield "kind_ignored", model.total(int8=lambda t: not _is_bias(t) and not model.is_skipped(t), scale=scale)
        yield "norms_quantized", model.total(int8=is_norm_too, scale=scale)
    for among in (model.once, model.tensors):
        total = partial(model.total, among)
        yield "embedding_quantized", total(int8=lambda t: model.is_int8(t) or t["kind"] == "Embedding")
        for scale in (_one_a_row, partial(_scale_where, _is_weight)):
            yield (
                "biases_quantized",
                total(int8=lambda t: t["kind"] == "Linear" and not model.is_skipped(t), scale=scale),
            )
        yield "biases_quantized", total(rest=lambda t: prod(t["shape"]) if _is_bias(t) else _as_it_is(t))
        yield "all_in_own_dtype", total(int8=lambda t: False)
        yield "rest_in_fp32", total(rest=lambda t: 4 * prod(t["shape"]))
        yield "rest_in_two_bytes", total(rest=lambda t: 2 * prod(t["shape"]))
        yield "all_one_byte", total(int8=lambda t: True, scale=_no_scale)


def _causes_of_the_whole(model: _Model, among: list[dict]) -> Numbers:
    """Where the whole model was made smaller, with a scale for some rows or none."""
    as_it_came = model.total(among, int8=lambda t: False)
    scales = sum(_one_a_row(t) for t in among if model.is_int8(t))
    smaller = (as_it_came / 4, as_it_came // 4, as_it_came / 2, as_it_came / 2 + scales, as_it_came / 4 + scales)
    yield from (("whole_divided", size) for size in smaller)
    for name, int8 in (("all_one_byte", lambda t: True), ("rest_of_one_byte", lambda t: not model.is_skipped(t))):
        for has_scale in (lambda t: False, lambda t: True, _is_matrix, _is_weight, model.is_int8):
            yield name, model.total(among, int8=int8, scale=partial(_scale_where, has_scale))


def _causes_of_missing_ones(model: _Model) -> Numbers:
    """Where some tensors, or all but some, are not in the sum."""
    yield "norms_left_out", model.total(t for t in model.once if t["kind"] != "RMSNorm")
    for among in (model.once, model.tied_last):
        yield "skipped_left_out", model.total(t for t in among if not model.is_skipped(t))
    for among in (model.once, model.tensors):
        rest = [t for t in among if not model.is_int8(t)]
        scales = sum(_one_a_row(t) for t in among if model.is_int8(t))
        for scale in (_no_scale, _one_a_row):
            yield "quantized_alone", model.total(among, scale=scale, rest=lambda t: 0)
        yield from (("rest_alone", size) for size in (model.total(rest), model.total(rest) + scales))
        yield "biases_left_out", model.total(t for t in among if not _is_bias(t))
        yield "biases_left_out", model.total(t for t in among if not _is_bias(t) or model.is_skipped(t))
        yield "biases_left_out", model.total(t for t in among if _is_matrix(t) or model.is_skipped(t))
        yield "embedding_left_out", model.total(t for t in among if t["kind"] != "Embedding")
        for numbers in _LIKE_A_PRODUCT:
            each = [(t, numbers(t["shape"])) for t in among]
            yield "sum_of_shape", sum(n + _one_a_row(t) if model.is_int8(t) else n * t["bytes_each"] for t, n in each)


def _causes_of_the_rest(model: _Model) -> Numbers:
    """Where what is not quantized has a dtype that was assumed, or a scale."""

    def with_bytes(each: int, is_meant: Callable[[dict], bool]) -> float:
        return model.total(rest=lambda t: prod(t["shape"]) * (each if is_meant(t) else t["bytes_each"]))

    yield "biases_quantized", with_bytes(1, lambda t: _is_bias(t) and not model.is_skipped(t))
    yield "dtype_assumed", with_bytes(4, _is_bias)
    yield "dtype_assumed", with_bytes(2, lambda t: t["kind"] == "RMSNorm")
    yield "dtype_assumed", with_bytes(2, lambda t: t["kind"] == "RMSNorm" or _is_bias(t))
    yield "dtype_assumed", with_bytes(4, lambda t: t["kind"] == "RMSNorm" or _is_bias(t))
    for has_scale in (lambda t: True, _is_bias, lambda t: _is_bias(t) and not model.is_skipped(t), _is_matrix):
        scale = partial(_scale_where, has_scale)
        yield "scales_for_all", model.total(rest=lambda t, scale=scale: _as_it_is(t) + scale(t))


def _causes_of_other_scales(model: _Model) -> Numbers:
    """Where a quantized weight has scales of another size or number."""
    for scale in (
        lambda t: 8 * t["shape"][0],
        lambda t: 4 * sum(t["shape"]),
        lambda t: 4 * max(t["shape"]),
        lambda t: 4 * min(t["shape"]),
        lambda t: 2 * t["shape"][1],
        lambda t: 4 * prod(t["shape"]),
        lambda t: 4 * prod(t["shape"]) // 64,
    ):
        yield "other_scales", model.total(scale=scale)
    last = [t for t in model.once if model.is_int8(t)][-1]
    yield "scales_of_the_last", model.total(scale=_no_scale) + _one_a_row(last)


def _causes_of_loops(model: _Model) -> Numbers:
    """Where a return stands in the loop, or an = where += is due."""
    first_int8 = next(place for place, tensor in enumerate(model.tensors) if model.is_int8(tensor))
    for end in (1, first_int8 + 1):
        yield "returned_in_the_loop", model.total(model.tensors[:end])
    for among in (model.once, model.tensors):
        for starts_anew in (lambda t: True, model.is_int8, lambda t: not model.is_int8(t)):
            last = max(place for place, tensor in enumerate(among) if starts_anew(tensor))
            yield "started_anew", model.total(among[last:])


def _causes_of_units(model: _Model, due: float) -> Numbers:
    whole = model.total(int8=lambda t: False)
    yield from (("saved", size) for size in (whole - due, whole / due, due / whole, 1 - due / whole))
    yield "in_bits", 8 * due
    yield "in_bits", model.total(scale=lambda t: 7 * prod(t["shape"]) + _one_a_row(t))
    yield "in_bits", model.total(scale=lambda t: 8 * _one_a_row(t))
    yield "in_bits", model.total(rest=lambda t: 8 * _as_it_is(t))
    for unit in (2**30, 1e9, 2**20, 1e6, 2**10, 1e3):
        yield from (("in_mib", size) for size in (due / unit, due // unit, math.ceil(due / unit)) if size)
        yield from (("in_mib", round(due / unit, digits)) for digits in range(5) if round(due / unit, digits))


def _scale_where(has_scale: Callable[[dict], bool], tensor: dict) -> int:
    return _one_a_row(tensor) if has_scale(tensor) else 0


def _looser_than_in(skipped: list[str]) -> list[Callable[[str], bool]]:
    """Ways to compare a layer with `skipped` that take in other layers, too, or miss some."""
    last_parts = tuple(name.split(".")[-1] for name in skipped)
    return [
        lambda layer: any(name in layer for name in skipped),
        lambda layer: any(layer in name for name in skipped),
        lambda layer: layer.startswith(tuple(skipped)),
        lambda layer: layer.endswith(tuple(skipped)),
        lambda layer: f".{layer}".endswith(tuple(f".{name}" for name in skipped)),
        lambda layer: layer.split(".")[-1] in last_parts,
        lambda layer: layer.endswith(last_parts),
        lambda layer: layer in last_parts,
        lambda layer: layer.split(".")[-1] in skipped,
        lambda layer: layer in skipped or not layer.startswith("layers."),
        lambda layer: layer in skipped or "proj" not in layer,
    ]
