"""What the verdict on exercise 1.2 says, by the name of the mistake."""

OUTLIER_LINEAR_HINTS = {
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
    "small_values_lost": "Of the outlier columns only the large values are in your float product; their other values "
    "are in neither product. Take these columns of x as they are.",
    "excess_in_float": "You cut the values at threshold and multiplied what lies beyond it in float. It is whole "
    "*columns* that leave the integer product.",
    "filled": "On the way into int8 your outlier columns are not 0: what fills them counts in the integer product, and "
    "in the scales of the rows. Set them to 0, or leave them out.",
    "one_outlier_column": "Only one of the outlier columns is in your float product. Is there a return, or an = for "
    "+=, in a loop over them?",
    "same_columns_twice": "Both of your products take the same columns of x, and the others are in neither: in one of "
    "the two the mask has to be turned round.",
    "codes_as_weights": "In the float product the weight's columns are still codes, -127 to 127. Multiply them by "
    "their row's scale / 127, as everywhere else.",
    "float_part_rounded": "In the float product the columns of x, those of the weight or their products were rounded: "
    "to whole numbers, float16 or bfloat16. Here they stay in float32.",
    "outlier_weights_not_divided": "In the float product a column of the weight is codes * scale, 127 times too large: "
    "one step is scale / 127.",
    "float_scale_forgotten": "In the float product a column of the weight is codes / 127, whatever the size of the "
    "weight's rows: a code stands for code * scale / 127, there as in the integer product.",
    "scale_in_neither": "`scale` is in neither of the two products. Each output is a row of x times a row of the "
    "weight, and that row's scale multiplies it in both.",
    "weight_rounded_again": "You found the scales of the weight anew, without the outlier columns. It comes rounded, "
    "and `codes` are steps of `scale` / 127, whichever of its columns you take: only x is rounded here.",
    "codes_overflow": "The integer product was summed in int8, which ends at 127; one product alone can be 16129. "
    "Convert both to int32 before you multiply.",
    "sums_in_16_bits": "The integer product was summed in 16 bits: int16 ends at 32,767, float16 at 65,504, and "
    "bfloat16 keeps hardly three digits. Sum in int32, or in float32.",
    "codes_truncated": "Converting to an integer cuts the decimals off. Round first, then convert.",
    "without_127": "On the way into int8 x was divided by its scale and rounded at once: only -1, 0 and 1 are left. "
    "Multiply by 127 before you round.",
    "signs_dropped": "Integers of x lost their signs. abs() belongs to the scale alone, and neither uint8 nor a cut at "
    "0 leaves a negative number.",
    "one_scale_for_x": "x has one scale, that of its largest row. Each row of x has its own: amax(dim=1).",
    "scale_down_columns": "The scales of x run down its columns (dim=0). Each *row* of x has one, from what is left of "
    "it without the outlier columns: reduce over dim=1.",
    "row_scale_not_largest": "The scale of a row of x is not the largest magnitude of what is left in the row but a "
    "mean, a spread, a norm or threshold, say.",
    "codes_divided_once": "Your integer product is 127 times too large, or 127 * 127 times: both x and the weight "
    "count in steps of scale / 127, so 127 divides twice.",
    "codes_divided_too_often": "Your integer product is 127 times too small, or 127 * 127 times. Where the scale of x "
    "is absmax / 127 already, the division by 127 is in it.",
    "weight_scale_forgotten": "The integer product has the scale of x alone. Each output is a row of x times a row of "
    "the weight: `scale`, one for each row of the weight, multiplies too.",
    "x_scale_forgotten": "The integer product has the scale of the weight alone. Each output is a row of x times a row "
    "of the weight: the scale of the row of x multiplies too.",
    "scale_divides": "In the integer product a scale divides. x was divided by its scale on the way into int8, so on "
    "the way out the scale multiplies; `scale` does so in both products.",
    "one_weight_scale": "One number stands for all of `scale`, its largest or its mean. Each row of codes has a scale "
    "of its own, and that makes one for each column of the result.",
    "threshold_itself_left_out": "You left out the column whose largest magnitude *is* threshold. Compare with >=, and "
    "with threshold as it is, not rounded.",
    "first_row_alone": "You kept in float the columns with an outlier in the first row alone. One in any row counts: "
    "reduce over dim=0.",
    "last_row_alone": "You kept in float the columns with an outlier in the last row alone. One in any row counts; in "
    "a loop over the rows, each adds its columns to those before.",
    "columns_missed": "Some outlier columns went through int8 with the rest. A column counts as soon as one of its "
    "values reaches threshold: in any row, and with a minus, too.",
    "row_scale_signs": "The scale of a row is its largest *absolute* value. Where that is of a negative number, yours "
    "is too small, and integers fall below -127: abs() first, then amax.",
    "other_threshold": "You took out columns that stay below threshold. What counts is the largest magnitude of a "
    "column, as it is: no square, norm or sum, nothing rounded, and threshold itself, not a part of it.",
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
    "steps_of_128": "You count 128 steps, or 255. From 0 to the largest magnitude there are 127, and `codes` are steps "
    "of scale / 127: it is 127 on the way in and on the way out.",
    "threshold_typed_in": "You kept in float the columns that reach 6, the usual threshold. Here it is an argument.",
}
