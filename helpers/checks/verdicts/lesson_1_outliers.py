"""Verdict on exercise 1.2: outlier columns apart."""

from itertools import chain

import torch
from torch import Tensor

from helpers.checks.verdicts.compare import Causes, Verdict, tensor_verdict

_OUTLIER_LINEAR_HINTS = {
    "no_outliers": "No column of x was kept in float: an outlier shares its row's 127 steps with everything else. A "
    "column is an outlier where *any* of its values reaches threshold, with or without a minus; `all` finds none.",
    "nothing_in_int8": "This is x times the dequantized weight, all in float. Only the outlier columns of x stay in "
    "float; the others are rounded to integers, row by row.",
    "rows_kept": "You kept whole *rows* of x in float. An outlier sits in a column: the same few columns are large in "
    "token after token, so it is columns that are taken out. Reduce over dim=0.",
    "sign_forgotten": "Outliers with a minus were left in int8: compare x.abs() with threshold.",
    "float_part_forgotten": "The outlier columns are missing from your result. They are taken out of the integer "
    "product, and have to come back through a product of their own, in float.",
    "int8_part_forgotten": "This is the product of the outlier columns alone. All other columns go through integers, "
    "and both products are added.",
    "scale_with_outliers": "The scale of a row of x was taken with the outliers still in it, so the other values of "
    "the row are left with a few steps. Take the outlier columns out first, then find the largest of what is left.",
    "counted_twice": "The outlier columns count twice: in the integer product and in the float product. Set them to 0 "
    "(or leave them out) on the way into int8.",
    "rest_counted_twice": "The columns without outliers count twice: in the integer product, and in a float product of "
    "all columns. Only the outlier columns take part in the float product: pick them out of x and of the weight.",
    "values_not_columns": "You kept only the large values themselves in float, and their column's other values went "
    "through int8. LLM.int8 keeps the *column*, so that one product of two small float matrices does it.",
    "codes_as_weights": "In the float product the weight's columns are still codes, -127 to 127. Multiply them by "
    "their row's scale / 127, as everywhere else.",
    "outlier_weights_not_divided": "In the float product a column of the weight is codes * scale, 127 times too "
    "large: one step is scale / 127.",
    "float_scale_forgotten": "In the float product a column of the weight is codes / 127, whatever the size of the "
    "weight's rows: a code stands for code * scale / 127, there as in the integer product.",
    "scale_in_neither": "`scale` is in neither of the two products. Each output is a row of x times a row of the "
    "weight, and that row's scale multiplies it in both.",
    "weight_rounded_again": "You found the scales of the weight anew, without the outlier columns. It comes rounded, "
    "and `codes` are steps of `scale` / 127, whichever of its columns you take: only x is rounded here.",
    "codes_overflow": "The integer product was summed in int8, which ends at 127; one product alone can be 16129. "
    "Convert both to int32 before you multiply.",
    "codes_truncated": "Converting to an integer cuts the decimals off. Round first, then convert.",
    "one_scale_for_x": "x has one scale, that of its largest row. Each row of x has its own: amax(dim=1).",
    "codes_divided_once": "Your integer product is 127 times too large: both x and the weight count in steps of scale "
    "/ 127, so 127 divides twice.",
    "weight_scale_forgotten": "The integer product has the scale of x alone. Each output is a row of x times a row of "
    "the weight: `scale`, one for each row of the weight, multiplies too.",
    "x_scale_forgotten": "The integer product has the scale of the weight alone. Each output is a row of x times a row "
    "of the weight: the scale of the row of x multiplies too.",
    "threshold_itself_left_out": "You left out the column whose largest magnitude *is* threshold: compare with >=, not "
    "with >.",
    "first_row_alone": "You chose the columns by the first row of x alone. An outlier may sit in any row: reduce over "
    "dim=0.",
    "row_scale_signs": "The scale of a row is its largest *absolute* value. Where that is of a negative number, yours "
    "is too small, and integers fall below -127: abs() first, then amax.",
    "other_threshold": "You took out columns that stay below threshold. What counts is the largest magnitude of a "
    "column, as it is: no square, no norm, and threshold itself, not a part of it.",
    "subtracted": "You subtract one product from the other. Each has its part of the sum over all columns: add them.",
    "columns_swapped": "You kept the ordinary columns in float and rounded the outliers. It is the columns with a "
    "magnitude of at least threshold that stay in float.",
    "outliers_cut": "You cut outliers off at threshold. Their columns stay as they are, in a float product of their "
    "own.",
    "outliers_rounded": "Your second product goes through integers, too. Outlier columns stay in float: x[:, outlier] "
    "as it is, times what the codes stand for.",
    "scale_for_step": "Your result is 127 times too large, in both products: `scale` is the largest magnitude of a "
    "row, and a code stands for code * scale / 127.",
    "divided_by_weight_scale": "`scale` divides where it should multiply, in both products: a code stands for code * "
    "scale / 127.",
    "whole_below": "floor takes the whole number below, and ceil the one above. Take the nearest: round.",
    "steps_of_128": "You count 128 steps. int8 ends at 127, and `codes` are steps of scale / 127: it is 127 on the way "
    "in and on the way out.",
    "threshold_typed_in": "You compared with 6, the usual threshold. Here it is an argument.",
}


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
    least = inputs["threshold"]  # beside another mistake, many write > for >=
    causes = chain(*(_outlier_causes(x, codes, scale, value) for value in (least, least * (1 + 1e-6))))
    return tensor_verdict(outputs, due, causes, _OUTLIER_LINEAR_HINTS)


def _outlier_causes(x: Tensor, codes: Tensor, scale: Tensor, threshold: float) -> Causes:
    large = x.abs() >= threshold
    columns, rows = large.any(0), large.any(1)
    weight = codes.double() * scale.double()[:, None] / 127
    kept, rest = x.double() * columns, x * ~columns
    in_float, in_int8 = kept @ weight.T, _through_int8(rest) @ weight.T
    all_int8 = _through_int8(x) @ weight.T

    def split(columns: Tensor) -> Tensor:
        return (x.double() * columns + _through_int8(x * ~columns)) @ weight.T

    yield from [
        ("no_outliers", all_int8),
        ("nothing_in_int8", x.double() @ weight.T),
        ("rows_kept", torch.where(rows[:, None], x.double() @ weight.T, all_int8)),
        ("threshold_itself_left_out", split((x.abs() > threshold).any(0))),
        ("sign_forgotten", split((x >= threshold).any(0))),
        ("first_row_alone", split(large[0])),
        ("threshold_typed_in", split((x.abs() > 6).any(0))),
        ("float_part_forgotten", in_int8),
        ("int8_part_forgotten", in_float),
        ("scale_with_outliers", (_through_int8(x) * ~columns) @ weight.T + in_float),
        ("counted_twice", all_int8 + in_float),
        ("rest_counted_twice", x.double() @ weight.T + in_int8),
        ("rest_counted_twice", x.double() @ weight.T + all_int8),
        ("values_not_columns", split(large)),
        ("weight_scale_forgotten", _through_int8(rest) @ codes.double().T / 127 + in_float),
        ("x_scale_forgotten", in_int8 / rest.abs().amax(dim=1, keepdim=True) + in_float),
    ]
    yield "codes_divided_once", 127 * in_int8 + in_float
    largest = x.abs().amax(0)
    for of_column in (x.square().amax(0), x.norm(dim=0), largest / 0.8, largest * threshold / int(threshold)):
        yield "other_threshold", split(of_column >= threshold)
    yield from (("subtracted", sign * (in_int8 - in_float)) for sign in (1, -1))
    yield "columns_swapped", split(~columns)
    yield "outliers_cut", _through_int8(x.clamp(-threshold, threshold)) @ weight.T
    yield "outliers_rounded", (_through_int8(kept, least=1e-9) + _through_int8(rest)) @ weight.T
    yield "scale_for_step", 127 * (in_int8 + in_float)
    yield "divided_by_weight_scale", (in_int8 + in_float) / scale.double() ** 2
    for name, part in _causes_of_integers(rest, codes.double(), scale.double()):
        yield name, part + in_float
    for name, wrong in (
        ("codes_as_weights", codes.double()),
        ("outlier_weights_not_divided", weight * 127),
        ("float_scale_forgotten", codes.double() / 127),
    ):
        yield name, in_int8 + kept @ wrong.T
    for divisor in (1, 127):
        yield "scale_in_neither", _through_int8(rest) @ codes.double().T / 127 + kept @ codes.double().T / divisor
    for again in _rounded_again(weight.float() * ~columns, codes * ~columns, scale):
        yield "weight_rounded_again", _through_int8(rest) @ again.T + in_float


def _causes_of_integers(rest: Tensor, codes: Tensor, scale: Tensor) -> Causes:
    """The part that goes through int8, where the integers were made or summed in a wrong way."""
    row_scale = rest.abs().amax(dim=1, keepdim=True)
    step, largest = row_scale.double() / 127, rest.abs().max().double() / 127
    sums = (rest / step).round() @ codes.T
    signed = rest.amax(dim=1, keepdim=True)
    of_signed = (rest / signed * 127).round().double()
    for fitted in (of_signed, of_signed.clamp(-128, 127), of_signed.clamp(-127, 127), (of_signed + 128) % 256 - 128):
        yield "row_scale_signs", fitted @ codes.T * signed.double() / 127 * scale / 127
    yield "codes_overflow", ((sums + 128) % 256 - 128) * step * scale / 127
    yield "one_scale_for_x", (rest.double() / largest).round() @ codes.T * largest * scale / 127
    for steps in (rest / row_scale * 127, rest * 127 / row_scale, rest / (row_scale / 127)):
        yield "codes_truncated", steps.trunc().double() @ codes.T * step * scale / 127
        yield "whole_below", steps.floor().double() @ codes.T * step * scale / 127
        yield "whole_below", steps.ceil().double() @ codes.T * step * scale / 127
    of_128 = (rest.double() / row_scale * 128).round()
    for integers in (of_128, of_128.clamp(-128, 127), of_128.clamp(-127, 127), (of_128 + 128) % 256 - 128):
        for divisor in (127 * 128, 127 * 127, 128 * 128):
            yield "steps_of_128", integers @ codes.T * row_scale.double() * scale / divisor
    yield "steps_of_128", (rest / step).round() @ codes.T * step * scale / 128


def _rounded_again(weight: Tensor, codes: Tensor, scale: Tensor) -> list[Tensor]:
    """What is left of the weight, without its outlier columns, where new scales were found, or new codes, or both."""
    largest = weight.abs().amax(dim=1, keepdim=True)
    step, old_step = largest.double() / 127, scale.double()[:, None] / 127
    new = [(weight / largest * 127).round().double(), (weight / (largest / 127)).round().double()]
    return [new[0] * step, new[1] * step, new[0] * old_step, codes.double() * step]


def _through_int8(x: Tensor, least: float = 0.0) -> Tensor:
    """x as its integers give it back, with one scale a row, of at least `least`, in float64."""
    step = x.abs().amax(dim=1, keepdim=True).double().clamp_min(least) / 127
    return (x.double() / step).round() * step
