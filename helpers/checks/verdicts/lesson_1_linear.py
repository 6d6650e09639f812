"""Verdict on exercise 1.1: a linear layer in 8-bit."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.verdicts.compare import Causes, Verdict, failed, tensor_verdict

_INT8_LINEAR_HINTS = {
    "plain_float": "This is x @ weight.T in floats. It is accurate because nothing was rounded, and so nothing got "
    "smaller either: the small error is the price you are meant to pay. Round both to int8 first.",
    "weight_in_float": "Only x went through int8; weight is as it came. A product of integers needs both.",
    "x_in_float": "Only weight went through int8; x is as it came. A product of integers needs both.",
    "one_scale_for_all": "You have {got:.4g} where {due:.4g} is due: one absmax serves the whole tensor, set by its "
    "largest row. A row a hundred times smaller is left with -1, 0 and 1. Give each row its own scale.",
    "scale_per_column": "These scales run down the columns (dim=0). In a matrix product the columns are summed over, "
    "so a scale that differs among them cannot be taken out of the integer sum. Take amax along the last dimension.",
    "divided_by_128": "Scaled to 128 steps instead of 127. int8 ends at -128 and +127, so the largest value of a row "
    "does not fit: as 128 it wraps round to -128.",
    "two_step_counts": "On the way into int8 you count 127 steps, and on the way out 128 (or the other way round): "
    "every value is off by about one percent, or two. It is 127 both times.",
    "clamped_at_128": "Scaled to 128 steps and cut off at 127: the largest value of every row comes out 1/128 short. "
    "Scale absmax to 127, and nothing needs cutting.",
    "divided_by_255": "255 is the number of steps from end to end. From 0 to absmax there are 127, and beyond them "
    "int8 wraps round, or is cut off. It is 127 on the way in and on the way out.",
    "truncated": "Converting to int8 cuts the decimals off, so every value moves towards zero, by half a step on "
    "average, and the sum shrinks. Round first, then convert.",
    "floored": "floor, and a division by //, which is one, moves every value down, by half a step on average, whatever "
    "its sign. Use round(): it goes to the nearest integer, up or down.",
    "signs_lost": "Your scale is the largest value of a row, not the largest *absolute* value. Where that one is "
    "negative, its integer falls below -127 and does not fit: abs() first, then amax.",
    "rounded_to_1": "Each value was divided by its scale and rounded at once: only -1, 0 and 1 are left. Multiply by "
    "127 before you round, or 126 of the 127 steps go unused.",
    "scaled_twice": "127 went in twice on the way into int8: where the scale is already absmax / 127, dividing by it "
    "gives the integers, and 127 times that does not fit into int8.",
    "never_scaled": "The values went to int8 without being divided by a scale: a small row is left with hardly any "
    "steps, and a large one may not fit. Divide each row by its scale and multiply by 127 first.",
    "unsigned": "uint8 runs from 0 to 255 and holds no negative number: -5 became 251. The integers here run from -127 "
    "to 127: int8.",
    "int16_overflow": "The product was summed in int16, which ends at 32767: three products of 127 * 127 are too many. "
    "Sum in int32.",
    "one_scale_for_x": "The rows of weight have a scale each, but x has a single one, set by its largest row. Its "
    "small rows are left with a handful of steps: amax(dim=1) for x too.",
    "one_scale_for_weight": "The rows of x have a scale each, but weight has a single one, set by its largest row. Its "
    "small rows are left with a handful of steps: amax(dim=1) for weight too.",
    "column_scales_forgotten": "Scales down the columns (dim=0), and after the sum they cannot come back: by then the "
    "columns are added up. Give each row a scale (dim=1): along the sum it stays the same.",
    "divided_by_scales": "The sums were divided by a scale that should multiply them. A row was divided by its scale "
    "on the way into int8, so on the way out the scale multiplies.",
    "divided_by_127_too_often": "Your values are right but for one 127 (or two): you have {got:.4g}, due is {due:.4g}. "
    "Where a scale is already absmax / 127, the division by 127 is in it.",
    "float16_first": "x and weight were float16 before they were rounded, as bitsandbytes' own kernel wants them, and "
    "some of its steps come out otherwise. They are float32: round them as they are.",
    "float16_overflow": "Your result holds infinities: float16 ends at 65,504, and four products of 127 · 127 nearly "
    "reach it. Sum in int32, or in float32.",
    "int8_overflow": "The product was summed in int8. One single product can be 127 * 127 = 16129, int8 ends at 127: "
    "it wrapped round, silently. Convert the integers to int32 before you multiply.",
    "scales_forgotten": "These are the integer sums, up to 127 * 127 * width. Both scales still have to come back: "
    "that of the row of x and that of the row of weight.",
    "x_scale_forgotten": "The scale of weight came back, the scale of x did not: rows of x that differ in size by a "
    "hundred now give results of one size.",
    "weight_scale_forgotten": "The scale of x came back, the scale of weight did not: columns of the result that "
    "should differ in size by a hundred are of one size.",
    "not_divided_by_127": "Every value is 127 * 127 = 16129 times too large: each integer counts steps of "
    "absmax / 127, not of absmax.",
    "divided_by_127_once": "Every value is 127 times too large: both x and weight were counted in steps of "
    "absmax / 127, so 127 divides twice.",
}

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

# What becomes of an integer that int8 cannot hold: it wraps round, is cut off, or stays because it was never int8.
_WAYS_TO_FIT = (
    lambda codes: _wrapped(codes),
    lambda codes: codes.clamp(-128, 127),
    lambda codes: codes.clamp(-127, 127),
    lambda codes: codes,
)


def int8_linear_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against bitsandbytes' own kernels: rows quantized and multiplied there, rescaled here in float64."""
    import bitsandbytes.functional as bnb

    x_codes, x_scale, _ = bnb.int8_vectorwise_quant(inputs["x"])
    weight_codes, weight_scale, _ = bnb.int8_vectorwise_quant(inputs["weight"])
    sums = bnb.int8_linear_matmul(x_codes, weight_codes).double()
    due = sums * x_scale.double()[:, None] * weight_scale.double() / 127**2
    got = outputs["output"]
    if got.shape == due.shape and got.isinf().any() and got[sums.abs() < 65_000].isfinite().all():
        return failed("float16_overflow", got, due, _INT8_LINEAR_HINTS)
    return tensor_verdict(outputs, due, _int8_linear_causes(inputs, sums, due), _INT8_LINEAR_HINTS)


def _int8_linear_causes(inputs: dict, sums: Tensor, due: Tensor) -> Causes:
    x, weight = inputs["x"], inputs["weight"]
    yield from _causes_of_floats(x, weight)
    yield from _causes_of_integers(x, weight)
    yield from _causes_of_scales(x, weight)
    yield from _causes_of_sums(sums, *_absmax(x, weight))
    yield from _causes_of_rescaling(sums, due, *_absmax(x, weight))


def _causes_of_floats(x: Tensor, weight: Tensor) -> Causes:
    """Something was left in floating point."""
    x_scale, weight_scale = _absmax(x, weight)
    return [
        ("plain_float", x.double() @ weight.double().T),
        ("weight_in_float", _through_int8(x, x_scale) @ weight.double().T),
        ("x_in_float", x.double() @ _through_int8(weight, weight_scale).T),
        ("float16_first", _of_halves(x) @ _of_halves(weight).T),
    ]


def _of_halves(rows: Tensor) -> Tensor:
    halves = rows.half().float()
    return _through_int8(halves, halves.abs().amax(dim=1, keepdim=True))


def _causes_of_integers(x: Tensor, weight: Tensor) -> Causes:
    """The scales are right, and the integers made with them are not."""
    scales = _absmax(x, weight)

    def product(integers: Callable[[Tensor, Tensor], Tensor], steps: float = 127) -> Tensor:
        codes = [integers(side, scale).double() for side, scale in zip((x, weight), scales, strict=True)]
        return codes[0] @ codes[1].T * scales[0].double() * scales[1].T.double() / steps**2

    yield "two_step_counts", product(lambda side, scale: _wrapped((side / scale * 128).round()))
    yield "two_step_counts", product(lambda side, scale: (side / scale * 128).round().clamp(-128, 127))
    yield "divided_by_128", product(lambda side, scale: _wrapped((side / scale * 128).round()), 128)
    yield "clamped_at_128", product(lambda side, scale: (side / scale * 128).round().clamp(-128, 127), 128)
    for inwards, back in ((255, 255), (255, 127), (127, 255), (127.5, 127.5)):  # the last is 255 from end to end
        for fitted in _WAYS_TO_FIT:
            for codes in (
                lambda side, scale, n=inwards, fitted=fitted: fitted((side / scale * n).round()),
                lambda side, scale, n=inwards, fitted=fitted: fitted((side / (scale / n)).round()),
            ):
                yield "divided_by_255", product(codes, back)
    for scaled in _WAYS_TO_SCALE:
        yield "truncated", product(lambda side, scale, scaled=scaled: scaled(side, scale).trunc())
    for floored in _WAYS_TO_FLOOR:
        yield "floored", product(floored)
    for unsigned in (lambda codes: codes % 256, lambda codes: codes.clamp(min=0)):  # on x86, and elsewhere
        yield "unsigned", product(lambda side, scale, unsigned=unsigned: unsigned(_int8_codes(side, scale)))
    for integers in (torch.round, torch.trunc, torch.floor):
        for steps in (1, 127):
            yield "rounded_to_1", product(lambda side, scale, integers=integers: integers(side / scale), steps)
    for steps in (127, 127**2):
        yield "scaled_twice", product(lambda side, scale: _wrapped((side / (scale / 127) * 127).round()), steps)


def _causes_of_scales(x: Tensor, weight: Tensor) -> Causes:
    """The integers are made right, with scales that are not those of the rows."""
    rows, columns, whole = _absmax(x, weight), _absmax(x, weight, dim=0), (x.abs().max(), weight.abs().max())
    yield "one_scale_for_all", _through_int8(x, whole[0]) @ _through_int8(weight, whole[1]).T
    yield "one_scale_for_x", _through_int8(x, whole[0]) @ _through_int8(weight, rows[1]).T
    yield "one_scale_for_weight", _through_int8(x, rows[0]) @ _through_int8(weight, whole[1]).T
    yield "scale_per_column", _through_int8(x, columns[0]) @ _through_int8(weight, columns[1]).T
    yield "scale_per_column", _through_int8(x, columns[0]) @ _through_int8(weight, rows[1]).T
    yield "scale_per_column", _through_int8(x, rows[0]) @ _through_int8(weight, columns[1]).T
    column_sums = _int8_codes(x, columns[0]).double() @ _int8_codes(weight, columns[1]).double().T
    yield "column_scales_forgotten", column_sums
    yield "column_scales_forgotten", column_sums / 127**2
    signed = x.amax(dim=1, keepdim=True), weight.amax(dim=1, keepdim=True)
    for fitted in _WAYS_TO_FIT:
        for scales in (signed, (signed[0], rows[1]), (rows[0], signed[1])):
            yield "signs_lost", _through_int8(x, scales[0], fitted) @ _through_int8(weight, scales[1], fitted).T
    for integers in (torch.trunc, torch.round, lambda side: _wrapped((side * 127).round())):
        unscaled = integers(x).double() @ integers(weight).double().T
        for back in (1, rows[0].double() * rows[1].T.double()):
            yield from [("never_scaled", unscaled * back), ("never_scaled", unscaled * back / 127**2)]


def _causes_of_sums(sums: Tensor, x_scale: Tensor, weight_scale: Tensor) -> Causes:
    """The integers are right, and their sums did not fit or were never scaled back."""
    back = x_scale.double() * weight_scale.T.double() / 127**2
    return [
        ("int8_overflow", _wrapped(sums) * back),
        ("int16_overflow", _wrapped(sums, bits=16) * back),
        ("scales_forgotten", sums),
        ("scales_forgotten", sums / 127**2),
    ]


def _causes_of_rescaling(sums: Tensor, due: Tensor, x_scale: Tensor, weight_scale: Tensor) -> Causes:
    """The sums are right, and the way back into floating point is not."""
    x_scale, weight_scale = x_scale.double(), weight_scale.T.double()
    for steps in (1, 127):
        yield "x_scale_forgotten", sums * weight_scale / 127**2 * steps
        yield "weight_scale_forgotten", sums * x_scale / 127**2 * steps
    for steps in (1, 127, 127**2, 127**4):  # 127**4: by absmax / 127 both times
        for back in (1 / x_scale / weight_scale, x_scale / weight_scale, weight_scale / x_scale):
            yield "divided_by_scales", sums * back / 127**2 * steps
    yield from [
        ("not_divided_by_127", due * 127**2),
        ("divided_by_127_once", due * 127),
        ("divided_by_127_too_often", due / 127),
        ("divided_by_127_too_often", due / 127**2),
        *[("two_step_counts", due * (127 / 128) ** power) for power in (2, 1)],
    ]


def _absmax(x: Tensor, weight: Tensor, dim: int = 1) -> tuple[Tensor, Tensor]:
    return x.abs().amax(dim=dim, keepdim=True), weight.abs().amax(dim=dim, keepdim=True)


def _int8_codes(side: Tensor, scale: Tensor) -> Tensor:
    return (side / scale * 127).round()


def _through_int8(side: Tensor, scale: Tensor, fitted: Callable[[Tensor], Tensor] = lambda codes: codes) -> Tensor:
    """A side as its integers give it back, in float64."""
    return fitted(_int8_codes(side, scale)).double() * scale.double() / 127


def _wrapped(codes: Tensor, bits: int = 8) -> Tensor:
    """What is left of an integer in so many bits: in int8, 128 becomes -128."""
    half = 2 ** (bits - 1)
    return (codes + half) % (2 * half) - half
