"""Verdicts of lesson 1: load in 8-bit."""

import torch
from torch import Tensor

from helpers.checks.verdicts.compare import Causes, Verdict, tensor_verdict

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
    "clamped_at_128": "Scaled to 128 steps and cut off at 127: the largest value of every row comes out 1/128 short. "
    "Scale absmax to 127, and nothing needs cutting.",
    "divided_by_255": "255 is the number of steps from end to end. From 0 to absmax there are 127, and beyond them "
    "int8 wraps round.",
    "truncated": "Converting to int8 cuts the decimals off, so every value moves towards zero, by half a step on "
    "average, and the sum shrinks. Round first, then convert.",
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


def int8_linear_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against bitsandbytes' own kernels: rows quantized and multiplied there, rescaled here in float64."""
    import bitsandbytes.functional as bnb

    x_codes, x_scale, _ = bnb.int8_vectorwise_quant(inputs["x"])
    weight_codes, weight_scale, _ = bnb.int8_vectorwise_quant(inputs["weight"])
    sums = bnb.int8_linear_matmul(x_codes, weight_codes).double()
    due = sums * x_scale.double()[:, None] * weight_scale.double() / 127**2
    return tensor_verdict(outputs, due, _int8_linear_causes(inputs, sums, due), _INT8_LINEAR_HINTS)


def _int8_linear_causes(inputs: dict, sums: Tensor, due: Tensor) -> Causes:
    x, weight = inputs["x"].double(), inputs["weight"].double()
    rows = (x.abs().amax(dim=1, keepdim=True), weight.abs().amax(dim=1, keepdim=True))
    columns = (x.abs().amax(dim=0, keepdim=True), weight.abs().amax(dim=0, keepdim=True))

    def product(steps: float, scales=rows, rounded=torch.round, fitted=_wrapped) -> Tensor:
        """x @ weight.T, each side put through integers that count so many steps to its scale."""
        x_codes, weight_codes = (
            fitted(rounded(side / scale * steps)) for side, scale in zip((x, weight), scales, strict=True)
        )
        return (x_codes * scales[0] / steps) @ (weight_codes * scales[1] / steps).T

    return [
        ("plain_float", x @ weight.T),
        ("weight_in_float", _through_int8(x, rows[0]) @ weight.T),
        ("x_in_float", x @ _through_int8(weight, rows[1]).T),
        ("one_scale_for_all", product(127, (x.abs().max(), weight.abs().max()))),
        ("scale_per_column", product(127, columns)),
        ("divided_by_128", product(128)),
        ("clamped_at_128", product(128, fitted=lambda codes: codes.clamp(-128, 127))),
        ("divided_by_255", product(255)),
        ("truncated", product(127, rounded=torch.trunc)),
        ("int8_overflow", _wrapped(sums) * rows[0] * rows[1].T / 127**2),
        ("scales_forgotten", sums),
        ("scales_forgotten", sums / 127**2),
        ("x_scale_forgotten", due / rows[0]),
        ("x_scale_forgotten", due / rows[0] * 127),
        ("weight_scale_forgotten", due / rows[1].T),
        ("weight_scale_forgotten", due / rows[1].T * 127),
        ("not_divided_by_127", due * 127**2),
        ("divided_by_127_once", due * 127),
    ]


def _through_int8(tensor: Tensor, scale: Tensor) -> Tensor:
    return torch.round(tensor / scale * 127) * scale / 127


def _wrapped(codes: Tensor) -> Tensor:
    """What is left of an integer in int8: 128 becomes -128."""
    return (codes + 128) % 256 - 128
