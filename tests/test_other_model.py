"""What `make test-model` puts in the place of the default model is one of another family that still writes English."""

import pytest
import torch
from other_model import SENTENCE, write

from helpers.model import load_model, load_tokenizer


@pytest.mark.real
@pytest.mark.parametrize(("family", "worse"), [("qwen2", 0.5), ("qwen3", 2)])
def test_other_model_is_of_another_family_and_nearly_as_good_at_english(family, worse, tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    moved = write(family, tmp_path / "other")
    inputs = load_tokenizer()(SENTENCE, return_tensors="pt")
    with torch.no_grad():
        default = load_model("bf16", "cpu")(**inputs, labels=inputs["input_ids"]).loss
        monkeypatch.setenv("COURSE_MODEL", str(tmp_path / "other"))
        other = load_model("bf16", "cpu")
        found = other(**inputs, labels=inputs["input_ids"]).loss
    assert other.config.model_type == family and moved > 0.1
    assert abs(found - default) < worse
