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
)
