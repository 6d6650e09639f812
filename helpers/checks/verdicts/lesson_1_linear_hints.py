"""What the verdict on exercise 1.1 says, by the name of the mistake."""

INT8_LINEAR_HINTS = {
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
    "two_step_counts": "You count 127 steps in one place and another number, such as 128, in another. It is 127 for x "
    "and for weight, on the way in and on the way out.",
    "clamped_at_128": "Scaled to 128 steps and cut off at 127: the largest value of every row comes out 1/128 short. "
    "Scale absmax to 127, and nothing needs cutting.",
    "other_steps": "You count another number of steps than 127. int8 ends at 127: scale the largest magnitude of a row "
    "to 127 on the way in, and divide by 127 on the way out.",
    "divided_by_255": "255 is the number of steps from end to end. From 0 to absmax there are 127, and beyond them "
    "int8 wraps round, or is cut off. It is 127 on the way in and on the way out.",
    "truncated": "Converting to int8 cuts the decimals off, so every value moves towards zero, by half a step on "
    "average, and the sum shrinks. Round first, then convert.",
    "floored": "floor, and a division by //, which is one, moves every value down, by half a step on average, whatever "
    "its sign. Use round(): it goes to the nearest integer, up or down.",
    "rounded_up": "ceil moves every value up, by half a step on average, whatever its sign. Use round(): it goes to "
    "the nearest integer, up or down.",
    "one_side_not_rounded": "Of x and weight, one is rounded to the nearest integer; the other goes up (ceil), down "
    "(floor) or towards zero (a cast alone). Round both.",
    "half_added": "Adding 0.5 before a cast rounds positive numbers alone: the cast goes towards zero, so negative "
    "ones end one step too high. Use round().",
    "rounded_too_early": "You rounded before you divided by the scale, and the division brings decimals back. Rounding "
    "comes last, just before int8.",
    "signs_lost": "Your scale is the largest value of a row, not the largest *absolute* value. Where that one is "
    "negative, its integer falls below -127 and does not fit: abs() first, then amax.",
    "signs_dropped": "Integers that should be negative are positive, of x, of weight or of both. abs() belongs to the "
    "scale alone, not to what is divided by it.",
    "not_the_largest": "The scale of a row is not its largest magnitude but a mean, a spread, a norm or its smallest "
    "value, say. Then steps go unused, or integers do not fit into int8.",
    "rounded_to_1": "Where values were divided by their scale and rounded at once, only -1, 0 and 1 are left. Multiply "
    "by 127 before you round, x and weight alike, or 126 of the 127 steps go unused.",
    "scaled_twice": "127 went in twice on the way into int8: where the scale is already absmax / 127, dividing by it "
    "gives the integers, and 127 times that does not fit into int8.",
    "scales_upside_down": "On the way into int8 you multiplied by the scale. There a row is divided by its scale and "
    "multiplied by 127; on the way out it is the other way round.",
    "all_zero": "Your result is 0 throughout: nothing was written into it, or every integer is 0. On the way into int8 "
    "a row is divided by its scale and *multiplied* by 127.",
    "never_scaled": "Values of x, of weight or of both went to int8 without being divided by a scale: a small row is "
    "left with hardly any steps, and a large one may not fit. Divide each row by its scale and multiply by 127 first.",
    "unsigned": "Your integers hold no negative number: in uint8 -5 becomes 251, and cut off at 0 it becomes 0. They "
    "run from -127 to 127, which int8 holds as they are.",
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
    "other_scales_back": "What comes back in is not what was divided out. A sum takes two scales, and multiplies by "
    "both: the one that divided its row of x, and the one that divided its row of weight.",
    "divided_by_127_too_often": "Your values are right but for one 127 (or two): you have {got:.4g}, due is {due:.4g}. "
    "Where a scale is already absmax / 127, the division by 127 is in it.",
    "float16_first": "x and weight, their scales, the sums or the result went through float16, which keeps three "
    "digits. bitsandbytes' own kernel takes float16; here all of them are float32, and stay so.",
    "bfloat16_first": "x and weight, their scales, the sums or the result went through bfloat16, which keeps hardly "
    "three digits: 16129 becomes 16128. All are float32 here, and stay so; integers are summed in int32.",
    "float16_overflow": "Your result holds infinities: float16 ends at 65,504, and four products of 127 · 127 nearly "
    "reach it. Sum in int32, or in float32.",
    "int8_overflow": "The product was made in int8, its sums or each single term. One term alone can be 127 * 127 = "
    "16129, int8 ends at 127: it wrapped round, silently. Convert the integers to int32 before you multiply.",
    "sums_cut": "The sums were cut off at 127, where int8 ends. They are no int8 any more: leave them in int32, and "
    "scale them back.",
    "result_rounded": "The result itself was rounded. Only x and weight go through integers: what comes out of the "
    "product, scaled back, stays in float.",
    "scales_forgotten": "These are the integer sums, up to 127 * 127 * width. Both scales still have to come back: "
    "that of the row of x and that of the row of weight.",
    "x_scale_forgotten": "The scale of weight came back, the scale of x did not: rows of x that differ in size by a "
    "hundred now give results of one size.",
    "weight_scale_forgotten": "The scale of x came back, the scale of weight did not: columns of the result that "
    "should differ in size by a hundred are of one size.",
    "not_divided_by_127": "Every value is 127 * 127 = 16129 times too large: each integer counts steps of absmax / "
    "127, not of absmax.",
    "multiplied_by_127": "On the way out 127 multiplies. It has to divide, once for x and once for weight: each "
    "integer counts steps of absmax / 127.",
    "divided_by_254": "You divided by 2 * 127 = 254. 127 divides once for x and once for weight, and that makes 127 * "
    "127.",
    "divided_by_127_once": "Every value is 127 times too large: both x and weight were counted in steps of absmax / "
    "127, so 127 divides twice.",
}
