"""The trainer runs on a device that is not the CPU and leaves nothing on the CPU; that device fails as a GPU does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def in_a_process_of_its_own(*command: str, asked: str = "") -> str:
    """What it prints last; of one thread. The simulated device cannot be taken off again."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    options = {"cwd": HERE, "capture_output": True, "text": True, "env": environment}
    done = subprocess.run([sys.executable, *command], input=asked, **options)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


def trained(device: str, precision: str, folder: Path) -> dict:
    return json.loads(in_a_process_of_its_own("tiny_device.py", device, precision, str(folder)))


@pytest.mark.parametrize("precision", ["fp32", "8bit"])
def test_training_on_another_device_leaves_nothing_on_the_cpu_and_has_its_numbers(precision, tmp_path):
    found, due = (trained(device, precision, tmp_path) for device in ("simulated", "cpu"))
    assert (found["places"], due["places"]) == (["simulated"], ["cpu"])
    assert found["dtype"] == due["dtype"] == {"fp32": "torch.float32", "8bit": "torch.int8"}[precision]
    assert len(found["history"]) == len(due["history"]) == 2
    for row, expected in zip(found["history"], due["history"], strict=True):
        assert row == pytest.approx(expected, rel=1e-3, abs=1e-4)


CASES = {  # code, and what it must end with; "" is no error
    "both devices": ("x + torch.ones(3)", "Expected all tensors to be on the same device"),
    "an output elsewhere": ("torch.add(x, x, out=torch.ones(3))", "Expected all tensors to be on the same device"),
    "in a list": ("torch.cat([x, torch.ones(3)])", "Expected all tensors to be on the same device"),
    "layer and input": ("torch.nn.Linear(3, 2)(x)", "Expected all tensors to be on the same device"),
    "numpy": ("x.numpy()", "can't convert simulated:0 device type tensor to numpy"),
    "an index for a device": (
        "torch.ones(3)[torch.arange(3, device='simulated')]",
        "same device as the indexed tensor",
    ),
    "one number": ("assert (x + torch.tensor(1.0)).tolist() == [2, 2, 2]", ""),
    "an index on the CPU": ("assert x[torch.tensor([0, 2])].device == x.device", ""),
    "brought back": ("assert (x.cpu() + torch.ones(3)).numpy().sum() == 6", ""),
    "a view": ("x[1:].mul_(3); assert x.tolist() == [1, 3, 3]", ""),
    "a gradient": ("x.requires_grad_(); (x * x).sum().backward(); assert x.grad.tolist() == [2, 2, 2]", ""),
}


RUN = """
import json, sys, simulated, torch
simulated.install()
said = {}
for case, code in json.load(sys.stdin).items():
    try:
        exec(code, {"torch": torch, "x": torch.ones(3, device="simulated")})
        said[case] = ""
    except Exception as error:
        said[case] = str(error) or type(error).__name__
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """The error that each of `CASES` ends with, "" if with none."""
    return json.loads(in_a_process_of_its_own("-c", RUN, asked=json.dumps({case: CASES[case][0] for case in CASES})))


@pytest.mark.parametrize("case", CASES)
def test_simulated_device_fails_where_a_gpu_would_and_else_computes(case, said):
    due = CASES[case][1]
    assert due in said[case] and bool(due) == bool(said[case]), said[case]
