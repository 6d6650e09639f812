"""`python -m helpers train` on the real model: from start, over a stop, to an adapter that peft loads."""

import pytest
import torch
from peft import PeftModel

from helpers.__main__ import main
from helpers.model import load_model

pytestmark = pytest.mark.real
SMALL = [
    "--precision",
    "bf16",
    "--batch_size",
    "4",
    "--response_length",
    "4",
    "--num_ppo_epochs",
    "1",
    "--save_every",
    "1",
]


def test_real_training_from_the_command_line_goes_on_and_saves_an_adapter_that_peft_loads(tmp_path, capfd, monkeypatch):
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    assert main(["train", str(tmp_path / "run"), "--updates", "2", *SMALL]) == 0
    assert "After 2 updates: reward" in capfd.readouterr().out
    assert main(["train", str(tmp_path / "run"), "--updates", "3", "--resume", *SMALL]) == 0
    assert "After 3 updates: reward" in capfd.readouterr().out
    base, tokens = load_model("bf16"), torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        before = base(tokens).logits
        loaded = PeftModel.from_pretrained(base, tmp_path / "run" / "adapter")
        after = loaded(tokens).logits
        with loaded.disable_adapter():
            without = loaded(tokens).logits
    assert torch.equal(without, before) and not torch.equal(after, before)
