"""Verdict on exercise 1.1: a linear layer in 8-bit."""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from helpers.checks.verdicts.compare import Causes, Verdict, agree, failed, tensor_verdict
from helpers.checks.verdicts.lesson_1_int8 import WAYS_TO_FIT, wrapped
from helpers.checks.verdicts.lesson_1_linear_hints import INT8_LINEAR_HINTS

# In float32 these differ in the last bit, and where the largest value comes to 126.99999 it is cut off to 126.
_WAYS_TO_SCALE = (
    lambda side, scale: side / scale * 127,
    lambda side, scale: 127 * side / scale,
    lambda side, scale: side / (scale / 127),
    lambda side, scale: side * (127 / scale),
)

# The same, rounded down. // in float32 takes a remainder off first, and so differs from a floor where little is left.
_WAYS_TO_FLOOR = (
    *(lambda side, scale, scaled=scaled: scaled(side, scale).floor() for scaled in _WAYS_TO_SCALE),
    lambda side, scale: side // (scale / 127),
    lambda side, scale: 127 * side // scale,
    lambda side, scale: side * (127 / scale) // 1,
)

# The largest integer of a row, in place of 127: of fewer bits, of more, near 127, and the decimals of round(…, 2).
_OTHER_STEPS = (7, 8, 15, 31, 63, 64, 100, 125, 126, 256)

_FEW_DIGITS = (("bfloat16_first", torch.bfloat16), ("float16_first", torch.float16))

Integers = Callable[[Tensor, Tensor], Tensor]  # of a side and the scales of its rows


def int8_linear_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against bitsandbytes' own kernels: rows quantized and multiplied there, rescaled here in float64."""
    import bitsandbytes.functional as bnb

    x_codes, x_scale, _ = bnb.int8_vectorwise_quant(inputs["x"])
    weight_codes, weight_scale, _ = bnb.int8_vectorwise_quant(inputs["weight"])
    sums = bnb.int8_linear_matmul(x_codes, weight_codes).double()
    due = sums * x_scale.double()[:, None] * weight_scale.double() / 127**2
    got = outputs["output"]
    if got.shape == due.shape and got.isinf().any() and got[sums.abs() < 65_000].isfinite().all():
        return failed("float16_overflow", got, due, INT8_LINEAR_HINTS)
    return tensor_verdict(outputs, due, _int8_linear_causes(inputs, sums, due, got), INT8_LINEAR_HINTS)


def _int8_linear_causes(inputs: dict, sums: Tensor, due: Tensor, got: Tensor) -> Causes:
    x, weight = inputs["x"], inputs["weight"]
    yield "all_zero", torch.zeros_like(due)
    yield from _causes_of_floats(x, weight)
    yield from _causes_of_step_counts(x, weight)
    yield from _causes_of_rounding(x, weight)
    yield from _causes_of_unscaled(x, weight)
    yield from _causes_of_upside_down(x, weight)
    yield from _causes_of_scales(x, weight)
    yield from _causes_of_columns(x, weight)
    yield from _causes_of_sums(x, weight, sums)
    yield from _causes_of_rescaling(x, weight, sums, due)
    yield from _causes_of_other_scales_back(x, weight, sums)
    yield from _causes_of_the_result(x, weight, due)
    yield from _causes_of_few_digits(x, weight, sums)
    yield from _causes_of_digits_left(got, due)


def _causes_of_floats(x: Tensor, weight: Tensor) -> Causes:
    """Something was left in floating point."""
    yield "plain_float", x.double() @ weight.double().T
    for x_scale, weight_scale in (_absmax(x, weight), (x.abs().max(), weight.abs().max())):
        yield "weight_in_float", _through_int8(x, x_scale) @ weight.double().T
        yield "x_in_float", x.double() @ _through_int8(weight, weight_scale).T


def _causes_of_step_counts(x: Tensor, weight: Tensor) -> Causes:
    """The scales are right; the largest value of a row becomes another integer than 127, or counts as another."""

    def result(steps: float, fitted: Callable, divisor: float) -> Tensor:
        return _result(x, weight, _scaled_to(steps, fitted), divisor)

    for fitted in WAYS_TO_FIT[:2]:
        yield "two_step_counts", result(128, fitted, 127**2)
    yield "divided_by_128", result(128, wrapped, 128**2)
    yield "clamped_at_128", result(128, WAYS_TO_FIT[1], 128**2)
    for inwards, back in ((255, 255), (255, 127), (127, 255), (127.5, 127.5)):  # the last is 255 from end to end
        for fitted in WAYS_TO_FIT:
            yield "divided_by_255", result(inwards, fitted, back**2)
            yield "divided_by_255", _result(x, weight, _by_steps_of(inwards, fitted), back**2)
    for (of_x, of_weight), fitted in product(((128, 127), (127, 128), (127.5, 127.5)), WAYS_TO_FIT):
        integers = _scaled_to(of_x, fitted), _scaled_to(of_weight, fitted)
        for divisor in (127**2, 127 * 128, 128**2):
            yield "two_step_counts", _result(x, weight, integers, divisor)
    for steps, fitted in product(_OTHER_STEPS, WAYS_TO_FIT):
        yield "other_steps", result(steps, fitted, steps**2)


def _causes_of_rounding(x: Tensor, weight: Tensor) -> Causes:
    """The scales and the number of steps are right; whole numbers are made of them in a wrong way."""
    for scaled in _WAYS_TO_SCALE:
        yield "truncated", _result(x, weight, _whole(scaled, torch.trunc))
    for floored in _WAYS_TO_FLOOR:
        yield "floored", _result(x, weight, floored)
    for scaled in _WAYS_TO_SCALE:
        yield "rounded_up", _result(x, weight, _whole(scaled, torch.ceil))
        yield "half_added", _result(x, weight, _whole(scaled, lambda values: (values + 0.5).trunc()))
        for other in (torch.trunc, torch.floor, torch.ceil):
            one, two = _whole(scaled, torch.round), _whole(scaled, other)
            yield "one_side_not_rounded", _result(x, weight, (one, two))
            yield "one_side_not_rounded", _result(x, weight, (two, one))
    for unsigned in (lambda codes: codes % 256, lambda codes: codes.clamp(min=0)):  # on x86, and elsewhere
        yield "unsigned", _result(x, weight, _whole(_int8_codes, unsigned))
    without_signs = _whole(_int8_codes, torch.abs)
    for integers in (without_signs, (without_signs, _int8_codes), (_int8_codes, without_signs)):
        yield "signs_dropped", _result(x, weight, integers)
    for early in (lambda side, scale: (side * 127).round() / scale, lambda side, scale: side.round() / scale * 127):
        yield "rounded_too_early", _result(x, weight, early)
        yield "rounded_too_early", _result(x, weight, _whole(early, lambda values: wrapped(values.trunc())))


def _causes_of_unscaled(x: Tensor, weight: Tensor) -> Causes:
    """127 is missing on the way into int8, or stands there twice, or the scale is missing."""
    for whole, divisor in product((torch.round, torch.trunc, torch.floor), (1, 127, 127**2)):
        to_1 = _whole(lambda side, scale: side / scale, whole)
        for integers in (to_1, (to_1, _int8_codes), (_int8_codes, to_1)):
            yield "rounded_to_1", _result(x, weight, integers, divisor)
    twice = _whole(lambda side, scale: side / (scale / 127) * 127, lambda values: wrapped(values.round()))
    for divisor in (127**2, 127**4):
        yield "scaled_twice", _result(x, weight, twice, divisor)
    x_scale, weight_scale, both = _scales_back(x, weight)
    as_they_are = [lambda side, scale: side.trunc(), lambda side, scale: side.round()]
    for fitted in WAYS_TO_FIT[:3]:
        as_they_are.append(lambda side, scale, fitted=fitted: fitted((side * 127).round()))
    for unscaled in as_they_are:
        for integers in (unscaled, (unscaled, _int8_codes), (_int8_codes, unscaled)):
            sums = _sums(x, weight, integers)
            for scale, divisor in product((1, both, x_scale, weight_scale), (1, 127, 127**2)):
                yield "never_scaled", sums * scale / divisor


def _causes_of_upside_down(x: Tensor, weight: Tensor) -> Causes:
    """The scale multiplies on the way into int8."""
    both = _scales_back(x, weight)[-1]
    for divisor, fitted in product((127, 1, 1 / 127), WAYS_TO_FIT):
        times_scale = _whole(lambda side, scale, divisor=divisor: (side * scale / divisor).round(), fitted)
        sums = _sums(x, weight, times_scale)
        for scale in (both / 127**2, 127**2 / both, both, 1 / both, 1):
            yield "scales_upside_down", sums * scale


def _causes_of_scales(x: Tensor, weight: Tensor) -> Causes:
    """The integers are made right, with scales that are not those of the rows."""
    rows, whole = _absmax(x, weight), (x.abs().max(), weight.abs().max())
    yield "one_scale_for_all", _through_int8(x, whole[0]) @ _through_int8(weight, whole[1]).T
    yield "one_scale_for_x", _through_int8(x, whole[0]) @ _through_int8(weight, rows[1]).T
    yield "one_scale_for_weight", _through_int8(x, rows[0]) @ _through_int8(weight, whole[1]).T
    signed = x.amax(dim=1, keepdim=True), weight.amax(dim=1, keepdim=True)
    others = [("signs_lost", *signed)]
    others += [("not_the_largest", *sizes) for sizes in zip(_other_sizes(x), _other_sizes(weight), strict=True)]
    for (name, of_x, of_weight), fitted in product(others, WAYS_TO_FIT):
        for scales in ((of_x, of_weight), (of_x, rows[1]), (rows[0], of_weight)):
            yield name, _through_int8(x, scales[0], fitted) @ _through_int8(weight, scales[1], fitted).T


def _other_sizes(side: Tensor) -> list[Tensor]:
    """What may be taken for the size of a row, and is not its largest magnitude."""
    magnitudes, smallest, largest = side.abs(), side.amin(dim=1), side.amax(dim=1)
    sizes = [magnitudes.amin(dim=1), smallest, -smallest, largest - smallest]
    sizes += [magnitudes.mean(dim=1), magnitudes.median(dim=1).values, magnitudes.sum(dim=1)]
    sizes += [side.std(dim=1), magnitudes.std(dim=1), side.norm(dim=1), side.square().mean(dim=1).sqrt()]
    return [size[:, None] for size in sizes]


def _causes_of_columns(x: Tensor, weight: Tensor) -> Causes:
    """Scales down the columns, which came back before the sum, or could not come back after it."""
    rows, columns = _absmax(x, weight), _absmax(x, weight, dim=0)
    yield "scale_per_column", _through_int8(x, columns[0]) @ _through_int8(weight, columns[1]).T
    yield "scale_per_column", _through_int8(x, columns[0]) @ _through_int8(weight, rows[1]).T
    yield "scale_per_column", _through_int8(x, rows[0]) @ _through_int8(weight, columns[1]).T
    of_x, of_weight = columns[0].double(), columns[1].double()
    sums = _int8_codes(x, of_x).double() @ _int8_codes(weight, of_weight).double().T
    both = of_x * of_weight
    for scale in (127**2, 1, both.mean(), both.sum(), of_x.max() * of_weight.max()):
        yield "column_scales_forgotten", sums * scale / 127**2
    of_rows_of_x = _int8_codes(x, rows[0]).double() @ _int8_codes(weight, of_weight).double().T * rows[0].double()
    of_rows_of_weight = _int8_codes(x, of_x).double() @ _int8_codes(weight, rows[1]).double().T * rows[1].T.double()
    for result, scales in ((of_rows_of_x, of_weight), (of_rows_of_weight, of_x)):
        for scale in (127, 1, scales.mean(), scales.max()):
            yield "column_scales_forgotten", result * scale / 127**2


def _causes_of_sums(x: Tensor, weight: Tensor, sums: Tensor) -> Causes:
    """The integers are right, and their sums did not fit or were never scaled back."""
    x_scale, weight_scale = _absmax(x, weight)
    terms = _int8_codes(x, x_scale)[:, None] * _int8_codes(weight, weight_scale)
    back = _scales_back(x, weight)[-1] / 127**2
    return [
        ("int8_overflow", wrapped(sums) * back),
        ("int8_overflow", wrapped(terms).sum(dim=-1) * back),
        ("int16_overflow", wrapped(sums, bits=16) * back),
        ("sums_cut", sums.clamp(-128, 127) * back),
        ("sums_cut", sums.clamp(-127, 127) * back),
        ("scales_forgotten", sums),
        ("scales_forgotten", sums / 127**2),
    ]


def _causes_of_rescaling(x: Tensor, weight: Tensor, sums: Tensor, due: Tensor) -> Causes:
    """The sums are right, and the way back into floating point is not."""
    x_scale, weight_scale, both = _scales_back(x, weight)
    for steps in (1, 127):
        yield "x_scale_forgotten", sums * weight_scale / 127**2 * steps
        yield "weight_scale_forgotten", sums * x_scale / 127**2 * steps
    for steps in (1, 127, 127**2, 127**4):  # 127**4: by absmax / 127 both times
        for back in (1 / both, x_scale / weight_scale, weight_scale / x_scale):
            yield "divided_by_scales", sums * back / 127**2 * steps
    yield from [
        ("not_divided_by_127", due * 127**2),
        ("divided_by_127_once", due * 127),
        ("divided_by_127_too_often", due / 127),
        ("divided_by_127_too_often", due / 127**2),
        ("multiplied_by_127", due * 127**4),
        ("divided_by_254", due * 127**2 / 254),
        *[("two_step_counts", due * (127 / 128) ** power) for power in (2, 1)],
    ]


def _causes_of_other_scales_back(x: Tensor, weight: Tensor, sums: Tensor) -> Causes:
    """The sums come back with other scales than those that their integers were made with."""
    x_scale, weight_scale, both = _scales_back(x, weight)
    x_largest, weight_largest = x_scale.max(), weight_scale.max()
    for scales in (
        x_largest * weight_largest,
        x_largest * weight_scale,
        x_scale * weight_largest,
        x_scale.mean() * weight_scale.mean(),
        x_scale**2,
        weight_scale**2,
        x_scale + weight_scale,
        torch.maximum(x_scale, weight_scale),
    ):
        yield "other_scales_back", sums * scales / 127**2
    of_one_scale = _int8_codes(x, x_largest).double() @ _int8_codes(weight, weight_largest).double().T
    yield "other_scales_back", of_one_scale * both / 127**2


def _causes_of_the_result(x: Tensor, weight: Tensor, due: Tensor) -> Causes:
    """The result was rounded, too, or nothing else was."""
    yield "result_rounded", due.round()
    for result in (due, x.double() @ weight.double().T):
        yield "result_rounded", _through_int8(result, result.abs().amax(dim=1, keepdim=True))


def _causes_of_few_digits(x: Tensor, weight: Tensor, sums: Tensor) -> Causes:
    """Something went through 16 bits, and the rest was computed in float32."""
    scales = _absmax(x, weight)
    for name, dtype in _FEW_DIGITS:
        short, short_scales = ([part.to(dtype).float() for part in parts] for parts in ((x, weight), scales))
        for sides in (short, (x, weight)):
            yield name, _through_int8(sides[0], short_scales[0]) @ _through_int8(sides[1], short_scales[1]).T
        yield name, sums * short_scales[0].double() * short_scales[1].T.double() / 127**2
        yield name, sums.to(dtype).double() * _scales_back(x, weight)[-1] / 127**2
        given_back = [_through_int8(side, scale).to(dtype) for side, scale in zip((x, weight), scales, strict=True)]
        yield name, given_back[0].double() @ given_back[1].double().T


def _causes_of_digits_left(got: Tensor, due: Tensor) -> Causes:
    """A float32 result that has no more digits than 16 bits hold, and is right as far as those go.

    What bfloat16 holds, float16 often holds, too: bfloat16 comes first.
    """
    for name, dtype in _FEW_DIGITS:
        no_more = got.dtype == torch.float32 and torch.equal(got.to(dtype).float(), got)
        if no_more and agree(got, due, tolerance=16 * torch.finfo(dtype).eps):
            yield name, got


def _absmax(x: Tensor, weight: Tensor, dim: int = 1) -> tuple[Tensor, Tensor]:
    return x.abs().amax(dim=dim, keepdim=True), weight.abs().amax(dim=dim, keepdim=True)


def _int8_codes(side: Tensor, scale: Tensor) -> Tensor:
    return (side / scale * 127).round()


def _scaled_to(steps: float, fitted: Callable[[Tensor], Tensor]) -> Integers:
    return lambda side, scale: fitted((side / scale * steps).round())


def _whole(scaled: Integers, rounded: Callable[[Tensor], Tensor]) -> Integers:
    return lambda side, scale: rounded(scaled(side, scale))


def _by_steps_of(steps: float, fitted: Callable[[Tensor], Tensor]) -> Integers:
    return lambda side, scale: fitted((side / (scale / steps)).round())


def _sums(x: Tensor, weight: Tensor, integers: Integers | tuple[Integers, Integers]) -> Tensor:
    """The product of the integers that x and weight become, alike or each in its way, by the scales of their rows."""
    of_x, of_weight = integers if isinstance(integers, tuple) else (integers, integers)
    x_scale, weight_scale = _absmax(x, weight)
    return of_x(x, x_scale).double() @ of_weight(weight, weight_scale).double().T


def _result(
    x: Tensor, weight: Tensor, integers: Integers | tuple[Integers, Integers], divisor: float = 127**2
) -> Tensor:
    """The same, with both scales back."""
    return _sums(x, weight, integers) * _scales_back(x, weight)[-1] / divisor


def _scales_back(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The scales of x down the rows of the result, those of weight along its columns, and their product."""
    x_scale, weight_scale = (scale.double() for scale in _absmax(x, weight))
    return x_scale, weight_scale.T, x_scale * weight_scale.T


def _through_int8(side: Tensor, scale: Tensor, fitted: Callable[[Tensor], Tensor] = lambda codes: codes) -> Tensor:
    """A side as its integers give it back, in float64."""
    return fitted(_int8_codes(side, scale)).double() * scale.double() / 127
