"""Matrix products in float32 on a CPU, by the faster of the two libraries that PyTorch brings."""

import functools
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import linear

_CPU = Path("/proc/cpuinfo")  # on Linux


def product(x: Tensor, weight: Tensor) -> Tensor:
    """x Wᵀ, without gradients.

    PyTorch multiplies float32 with Intel's MKL. On AMD's processors that takes more time than oneDNN, which PyTorch has
    for bfloat16: 200 beside 440 GFLOP/s on two cores of an EPYC of family 26, 185 beside 205 on two of family 25 (110
    beside 180 where rows are few and the matrix is large). The results differ by rounding.

    Args:
        x: (…, inputs).
        weight: (outputs, inputs), of the same dtype; a transposed view will do.

    Returns:
        (…, outputs).
    """
    if x.dtype == torch.float32 and x.device.type == "cpu" and _mkl_is_slow():
        return torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
    return linear(x, weight)


@functools.cache
def _mkl_is_slow() -> bool:
    both = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    has_it = hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return both and has_it and _CPU.exists() and "AuthenticAMD" in _CPU.read_text()
