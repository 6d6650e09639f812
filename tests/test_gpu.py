"""What `make test-gpu` checks, checked on a CPU as far as it has a path there; and that a missing GPU is said."""

import gpu
import pytest
import torch

from helpers import eight_bit

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU: make test-gpu")


@without_gpu
def test_machine_without_a_gpu_is_told_so_and_nothing_counts_as_checked(capsys):
    assert gpu.main() == 2
    assert "No NVIDIA GPU" in (said := capsys.readouterr().err) and "Nothing was checked" in said


def test_check_that_fails_is_named_and_hides_no_other(monkeypatch, capsys):
    def check_first(device):
        raise AssertionError("no kernel")

    def check_second(device):
        return f"ran on {device}"

    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    assert gpu.run([(check_first, "cpu"), (check_second, "cpu")]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("first") and "FAILED: AssertionError: no kernel" in first and "ran on cpu" in second


@pytest.mark.real
@pytest.mark.parametrize("precision", gpu.DTYPES)
def test_real_precisions_pass_the_gpu_check_on_a_cpu(precision, monkeypatch):
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    assert "nats a token" in gpu.check_precision(precision, "cpu")


@pytest.mark.real
@pytest.mark.parametrize("precision", ["bf16", "8bit"])
def test_real_training_passes_the_gpu_check_on_a_cpu(precision, monkeypatch):
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    assert "first ratio" in gpu.check_training(precision, "cpu")


@pytest.mark.real
def test_real_resuming_passes_the_gpu_check_on_a_cpu(monkeypatch):
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    assert gpu.check_resuming("bf16", "cpu").endswith("the same to the bit")


@pytest.mark.real
def test_real_precision_that_is_off_fails_the_gpu_check(monkeypatch):
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    monkeypatch.setitem(gpu.ALLOWED_KL, "bf16", 0.0)
    with pytest.raises(AssertionError, match="nats a token from fp32"):
        gpu.check_precision("bf16", "cpu")


@pytest.mark.real
def test_real_8bit_layers_of_bitsandbytes_fail_the_gpu_check_and_those_of_the_course_pass(monkeypatch):
    """On a CPU, where eval() is another function unless rows are read alone."""
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    with pytest.raises(AssertionError, match="log-probabilities move by"):
        gpu.check_rows_alone("8bit", "cpu")
    monkeypatch.setattr(eight_bit, "_on_gpu", lambda layer: True)
    assert "move by 0.0000" in gpu.check_rows_alone("8bit", "cpu")
