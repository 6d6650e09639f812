"""What becomes of an integer that does not fit into its bits, for the verdicts of exercises 1.1 and 1.2."""

from torch import Tensor


def wrapped(codes: Tensor, bits: int = 8) -> Tensor:
    """What is left of an integer in so many bits: in int8, 128 becomes -128."""
    half = 2 ** (bits - 1)
    return (codes + half) % (2 * half) - half


# In int8 it wraps round, is cut off, or stays because it was never int8.
WAYS_TO_FIT = (
    wrapped,
    lambda codes: codes.clamp(-128, 127),
    lambda codes: codes.clamp(-127, 127),
    lambda codes: codes,
)
