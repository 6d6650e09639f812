"""Verdict on exercise 1.2: outlier columns apart."""

from itertools import combinations, product
from typing import NamedTuple

import torch
from torch import Tensor

from helpers.checks.verdicts.compare import Causes, Verdict, failed, tensor_verdict
from helpers.checks.verdicts.lesson_1_int8 import WAYS_TO_FIT, wrapped
from helpers.checks.verdicts.lesson_1_outliers_hints import OUTLIER_LINEAR_HINTS


class _Parts(NamedTuple):
    """The inputs, and what the two right products are made of; what is computed is in float64."""

    x: Tensor
    threshold: float
    columns: Tensor  # one bool each, true for outliers
    kept: Tensor  # x with the other columns 0
    rest: Tensor  # x with the outlier columns 0, in float32 as it came
    codes: Tensor
    scale: Tensor
    weight: Tensor  # what the codes stand for
    in_float: Tensor
    in_int8: Tensor


def outlier_linear_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against bitsandbytes' kernels: outlier columns, codes and sums are its own, rescaled here in float64.

    Its last kernel, which rescales, multiplies by 6.200124e-05 for 1 / 127**2, which is 6.2000124e-05.
    """
    import bitsandbytes.functional as bnb

    x, codes, scale = (inputs[name] for name in ("x", "codes", "scale"))
    x_codes, x_scale, columns = bnb.int8_vectorwise_quant(x.clone(), inputs["threshold"])
    sums = bnb.int8_linear_matmul(x_codes, codes).double()
    due = sums * x_scale.double()[:, None] * scale.double() / 127**2
    due += x[:, columns].double() @ bnb.int8_vectorwise_dequant(codes[:, columns], scale).double().T
    got = outputs["output"]
    if got.shape == due.shape and got.isinf().any() and got[sums.abs() < 65_000].isfinite().all():
        return failed("sums_in_16_bits", got, due, OUTLIER_LINEAR_HINTS)
    return tensor_verdict(outputs, due, _outlier_causes(x, codes, scale, inputs["threshold"]), OUTLIER_LINEAR_HINTS)


def _outlier_causes(x: Tensor, codes: Tensor, scale: Tensor, threshold: float) -> Causes:
    for least in (threshold, threshold * (1 + 1e-6)):  # beside another mistake, many write > for >=
        parts = _parts(x, codes, scale, least)
        yield from _causes_of_columns(parts)
        yield from _causes_of_products(parts)
        yield from _causes_of_scales_back(parts)
        yield from _causes_of_integers(parts)
        yield from _causes_of_row_scales(parts)
        yield from _causes_of_weights(parts)
    yield from _causes_of_missed_columns(_parts(x, codes, scale, threshold))


def _parts(x: Tensor, codes: Tensor, scale: Tensor, threshold: float) -> _Parts:
    columns = (x.abs() >= threshold).any(0)
    kept, rest = x.double() * columns, x * ~columns
    weight = codes.double() * scale.double()[:, None] / 127
    products = kept @ weight.T, _through_int8(rest) @ weight.T
    return _Parts(x, threshold, columns, kept, rest, codes.double(), scale.double(), weight, *products)


def _split(parts: _Parts, in_float: Tensor) -> Tensor:
    """The result where these columns, or values, of x stay in float."""
    return (parts.x.double() * in_float + _through_int8(parts.x * ~in_float)) @ parts.weight.T


def _causes_of_columns(parts: _Parts) -> Causes:
    """Other columns were kept in float than those with an outlier."""
    x, threshold, columns = parts.x, parts.threshold, parts.columns
    large, largest = x.abs() >= threshold, x.abs().amax(0)
    in_float, in_int8 = x.double() @ parts.weight.T, _through_int8(x) @ parts.weight.T
    yield from [
        ("no_outliers", in_int8),
        ("nothing_in_int8", in_float),
        ("rows_kept", torch.where(large.any(1, keepdim=True), in_float, in_int8)),
        ("threshold_itself_left_out", _split(parts, largest > threshold)),
        ("sign_forgotten", _split(parts, (x >= threshold).any(0))),
        ("first_row_alone", _split(parts, large[0])),
        ("last_row_alone", _split(parts, large[-1])),
        ("threshold_typed_in", _split(parts, largest > 6)),
        ("values_not_columns", _split(parts, large)),
        ("columns_swapped", _split(parts, ~columns)),
    ]
    for of_column in (x.square().amax(0), x.norm(dim=0), x.abs().sum(0)):
        yield "other_threshold", _split(parts, of_column >= threshold)
    for least in largest[~columns]:
        yield "other_threshold", _split(parts, largest >= least)


def _causes_of_missed_columns(parts: _Parts) -> Causes:
    """Any of the outlier columns without the others; last, for several of the causes above are among these."""
    places = parts.columns.nonzero().flatten().tolist()
    for count in range(1, len(places)):
        for some in combinations(places, count):
            yield "columns_missed", _split(parts, torch.isin(torch.arange(len(parts.columns)), torch.tensor(some)))


def _causes_of_products(parts: _Parts) -> Causes:
    """The right columns were found, and went into the wrong product, into both, or into none."""
    x, columns, weight, in_float, in_int8 = parts.x, parts.columns, parts.weight, parts.in_float, parts.in_int8
    all_float, all_int8 = x.double() @ weight.T, _through_int8(x) @ weight.T
    cut = x.clamp(-parts.threshold, parts.threshold)
    kept_in_int8 = _through_int8(parts.kept, least=1e-9) @ weight.T
    yield from [
        ("float_part_forgotten", in_int8),
        ("int8_part_forgotten", in_float),
        ("scale_with_outliers", (_through_int8(x) * ~columns) @ weight.T + in_float),
        ("counted_twice", all_int8 + in_float),
        ("rest_counted_twice", all_float + in_int8),
        ("rest_counted_twice", all_float + all_int8),
        ("subtracted", in_int8 - in_float),
        ("subtracted", in_float - in_int8),
        ("outliers_cut", _through_int8(cut) @ weight.T),
        ("excess_in_float", _through_int8(cut) @ weight.T + (x - cut).double() @ weight.T),
        ("outliers_rounded", kept_in_int8 + in_int8),
        ("same_columns_twice", kept_in_int8 + in_float),
        ("same_columns_twice", in_int8 + parts.rest.double() @ weight.T),
        ("small_values_lost", in_int8 + (x.double() * (x.abs() >= parts.threshold)) @ weight.T),
    ]
    for filling in (torch.tensor(1.0), torch.tensor(parts.threshold), x.mean(0), cut):
        yield "filled", _through_int8(torch.where(columns, filling, x)) @ weight.T + in_float
    for place in columns.nonzero().flatten():
        yield "one_outlier_column", in_int8 + torch.outer(x[:, place].double(), weight[:, place])


def _causes_of_scales_back(parts: _Parts) -> Causes:
    """The integers are right, and a scale or 127 is missing on the way back, stands there twice, or divides."""
    scale, in_float, in_int8 = parts.scale, parts.in_float, parts.in_int8
    row_scale = parts.rest.double().abs().amax(dim=1, keepdim=True)
    yield "weight_scale_forgotten", in_int8 / scale + in_float
    yield "x_scale_forgotten", in_int8 / row_scale + in_float
    yield "scale_for_step", 127 * (in_int8 + in_float)
    yield "divided_by_weight_scale", (in_int8 + in_float) / scale**2
    for too_large in (127 * in_int8 + in_float, 127**2 * in_int8 + in_float, 127**2 * in_int8 + 127 * in_float):
        yield "codes_divided_once", too_large
    for divisor in (127, 127**2):
        yield "codes_divided_too_often", in_int8 / divisor + in_float
    for off, divisor in product((row_scale**2, scale**2, (row_scale * scale) ** 2), (1, 1 / 127, 1 / 127**2)):
        yield "scale_divides", in_int8 / off / divisor + in_float
    for number in (scale.max(), scale.mean()):
        yield "one_weight_scale", in_int8 / scale * number + in_float
        yield "one_weight_scale", (in_int8 + in_float) / scale * number
    for divisor in (1, 127):
        yield "scale_in_neither", in_int8 / scale + parts.kept @ parts.codes.T / divisor
    yield "steps_of_128", in_int8 + in_float * 127 / 128
    yield "steps_of_128", (in_int8 + in_float) * 127 / 128


def _causes_of_integers(parts: _Parts) -> Causes:
    """The part that goes through int8, where the integers were made or summed in a wrong way."""
    rest, codes = parts.rest, parts.codes
    row_scale = rest.abs().amax(dim=1, keepdim=True)
    back = row_scale.double() * parts.scale / 127**2
    integers = (rest.double() / row_scale * 127).round()
    sums = integers @ codes.T

    def result(integers: Tensor, divisor: float = 127**2) -> Tensor:
        return integers.double() @ codes.T * back * 127**2 / divisor + parts.in_float

    yield "codes_overflow", wrapped(sums) * back + parts.in_float
    for short in (wrapped(sums, bits=16), sums.half().double(), sums.bfloat16().double()):
        yield "sums_in_16_bits", short * back + parts.in_float
    for steps in (rest / row_scale * 127, rest * 127 / row_scale, rest / (row_scale / 127)):
        yield "codes_truncated", result(steps.trunc())
        yield "whole_below", result(steps.floor())
        yield "whole_below", result(steps.ceil())
    for without_sign in (integers.abs(), integers % 256, integers.clamp(min=0)):
        yield "signs_dropped", result(without_sign)
    for divisor in (1, 127, 127**2):
        yield "without_127", result((rest / row_scale).round(), divisor)
        yield "without_127", result((rest / row_scale).trunc(), divisor)
    for steps, fitted in product((128, 255), WAYS_TO_FIT):
        for divisor in (127 * steps, 127 * 127, steps * steps):
            yield "steps_of_128", result(fitted((rest / row_scale * steps).round()), divisor)
    yield "steps_of_128", result(integers, 127 * 128)


def _causes_of_row_scales(parts: _Parts) -> Causes:
    """The part that goes through int8, with other scales than the largest magnitudes of the rows."""
    rest, weight, in_float = parts.rest, parts.weight, parts.in_float

    def result(scale: Tensor, fitted=lambda codes: codes) -> Tensor:
        return fitted((rest / scale * 127).round()).double() * scale.double() / 127 @ weight.T + in_float

    for fitted in WAYS_TO_FIT:
        yield "row_scale_signs", result(rest.amax(dim=1, keepdim=True), fitted)
    yield "one_scale_for_x", result(rest.abs().max())
    of_columns = rest.abs().amax(0).clamp_min(1e-9)
    yield "scale_down_columns", result(of_columns)
    yield "scale_down_columns", result(of_columns, lambda codes: codes * of_columns.max() / of_columns)
    for size, fitted in product(_other_sizes(parts), WAYS_TO_FIT):
        yield "row_scale_not_largest", result(size, fitted)


def _other_sizes(parts: _Parts) -> list[Tensor]:
    """What may be taken for the size of a row of x, with its outlier columns at 0 or left out."""
    sizes = [torch.full((len(parts.x),), parts.threshold), parts.x.abs().clamp_max(parts.threshold).amax(1)]
    for rest in (parts.rest, parts.rest[:, ~parts.columns]):
        sizes += [rest.abs().mean(1), rest.abs().sum(1), rest.std(1), rest.norm(dim=1), rest.square().mean(1).sqrt()]
    return [size[:, None] for size in sizes]


def _causes_of_weights(parts: _Parts) -> Causes:
    """The codes stand for something else in the float product, or were made anew."""
    codes, scale, in_int8 = parts.codes, parts.scale, parts.in_int8
    for name, wrong in (
        ("codes_as_weights", codes),
        ("outlier_weights_not_divided", codes * scale[:, None]),
        ("float_scale_forgotten", codes / 127),
    ):
        yield name, in_int8 + parts.kept @ wrong.T
    for again in _rounded_again(parts.weight.float() * ~parts.columns, codes * ~parts.columns, scale):
        yield "weight_rounded_again", _through_int8(parts.rest) @ again.T + parts.in_float
    x, weight = parts.x[:, parts.columns], parts.weight[:, parts.columns].float()
    for dtype in (torch.float16, torch.bfloat16):
        short_x, short_weight = x.to(dtype), weight.to(dtype)
        yield "float_part_rounded", in_int8 + short_x.double() @ short_weight.double().T
        yield "float_part_rounded", in_int8 + (short_x @ short_weight.T).double()
    for whole in (torch.round, torch.trunc):
        for of_x, of_weight in ((whole(x), weight), (x, whole(weight)), (whole(x), whole(weight))):
            yield "float_part_rounded", in_int8 + of_x.double() @ of_weight.double().T


def _rounded_again(weight: Tensor, codes: Tensor, scale: Tensor) -> list[Tensor]:
    """What is left of the weight, without its outlier columns, where new scales were found, or new codes, or both."""
    largest = weight.abs().amax(dim=1, keepdim=True)
    step, old_step = largest.double() / 127, scale.double()[:, None] / 127
    new = [(weight / largest * 127).round().double(), (weight / (largest / 127)).round().double()]
    return [new[0] * step, new[1] * step, new[0] * old_step, codes.double() * step]


def _through_int8(x: Tensor, least: float = 0.0) -> Tensor:
    """x as its integers give it back, with one scale a row, of at least `least`, in float64.

    The integers are made in float32, as in most answers: by a wrong scale, a value may come too close to .5 for another
    way to give the same.
    """
    scale = x.float().abs().amax(dim=1, keepdim=True).clamp_min(least)
    return (x.float() / scale * 127).round().double() * scale.double() / 127
