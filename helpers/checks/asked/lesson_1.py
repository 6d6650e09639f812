"""What lesson 1 asks: load in 8-bit."""

from helpers.checks.exercise import Exercise

EXERCISES = (
    Exercise(
        "1.1",
        "A linear layer in 8-bit",
        "int8_linear",
        points=2,
        difficulty=2,
        minutes=10,
        agrees_with="bitsandbytes' own kernels",
        hints=(
            "Four steps: a scale for each row of both (`amax` over one dimension; which?), integers, the "
            "product of the integers, and both scales back in. Why can the scales wait until after the sum? "
            "Because along the sum, a row has only one.",
            "`x.abs().amax(dim=1, keepdim=True)` has shape (rows, 1) and divides `x` row by row. Round "
            "*before* `.to(torch.int8)`, and go on to `.int()` before `@`. The result needs the scale of x "
            "along its rows and the scale of weight along its columns: one of the two has to be transposed.",
        ),
    ),
    Exercise(
        "1.2",
        "Outlier columns apart",
        "outlier_linear",
        points=2,
        difficulty=3,
        minutes=20,
        agrees_with="bitsandbytes' kernels, outlier columns apart",
        hints=(
            "Three steps: which columns of x hold an outlier (one bool a column), the integer product of x without "
            "them, and the float product of them alone. Both products are added. What is the shape of the bools?",
            "`(x.abs() >= threshold).any(dim=0)` is (width,). `x.masked_fill(outlier, 0)` takes these columns out "
            "*before* the scale of a row is found, and `x[:, outlier] @ …[:, outlier].T` brings them back in float. A "
            "stored code stands for code * scale / 127, and scale belongs to the rows of codes: `scale[:, None]`.",
        ),
    ),
    Exercise(
        "1.3",
        "Four bits, block by block",
        "nf4_round_trip",
        points=2,
        difficulty=2,
        minutes=15,
        agrees_with="bitsandbytes' 4-bit kernel, there and back",
        hints=(
            "Reshape first, so that each row is one block. Then it is absmax again, but the value goes to the nearest "
            "of 16 given levels in place of the nearest whole number. How do you find the nearest of 16?",
            "`(scaled[..., None] - levels).abs()` holds the distance to each level along a new last dimension, and "
            "`.argmin(-1)` the place of the nearest. `levels[places]` looks them up. Then the scale of the block comes "
            "back in, and the shape of weight.",
        ),
    ),
    Exercise(
        "1.4",
        "The bytes of a model in 8-bit",
        "bytes_in_8bit",
        points=2,
        difficulty=2,
        minutes=10,
        agrees_with="the bytes of layers that bitsandbytes quantized",
        hints=(
            "Go through the tensors once and ask of each: was its memory counted already? Is it the weight of a Linear "
            "that is not skipped? If so, it takes one byte a number and one scale a row; if not, what it took before.",
            "A set of addresses tells what was counted. `math.prod(shape)` is how many numbers a tensor has. A weight "
            "is (out, in), so it has shape[0] rows, each with a scale of 4 bytes.",
        ),
    ),
    Exercise(
        "1.5",
        "Which one was left in eval()?",
        "eight_bit_in_eval",
        points=2,
        difficulty=2,
        minutes=10,
        agrees_with="how the runs were made",
        hints=(
            "`alone`, `again` and `in_a_batch` hold log-probabilities of the *same* tokens of the *same* text. Which "
            "of the three should agree in train(), and which in eval()? What else makes two of them differ?",
            "Two conditions: `again` agrees with `alone` (up to 1e-4, say), and `in_a_batch` does not. Distance from "
            "`original` is no help: it grows with the rounding, whatever the mode.",
        ),
    ),
)
