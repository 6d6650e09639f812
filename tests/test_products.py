"""Products of float32 matrices are those of float64 to rounding, by whichever library."""

import pytest
import torch

from helpers import products

HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("slow", [False, True] if HAS_ONEDNN else [False])
def test_product_is_that_of_float64_to_rounding(slow, dtype, transposed, monkeypatch):
    monkeypatch.setattr(products, "_mkl_is_slow", lambda: slow)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 7, 65, generator=generator).to(dtype)
    weight = torch.randn(65, 130, generator=generator).to(dtype).T
    found = products.product(x, weight if transposed else weight.contiguous())
    due = x.double() @ weight.double().T
    assert found.dtype == dtype and found.shape == (3, 7, 130)
    assert (found.double() - due).abs().max() <= 8 * torch.finfo(dtype).eps * due.abs().max()


@pytest.mark.skipif(not HAS_ONEDNN or not torch.backends.mkl.is_available(), reason="not both libraries")
@pytest.mark.parametrize("maker", ["AuthenticAMD", "GenuineIntel"])
def test_mkl_is_passed_over_on_processors_of_amd_alone(maker, tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(f"vendor_id\t: {maker}\n")
    monkeypatch.setattr(products, "_CPU", tmp_path / "cpuinfo")
    assert products._mkl_is_slow.__wrapped__() is (maker == "AuthenticAMD")
