"""The project is judged by what an adapter does; a file that is no such adapter is refused before a model is loaded."""

from pathlib import Path

import pytest
import torch
from conftest import tiny_llama
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file, save

from helpers.checks import project
from helpers.checks.check import MissingAnswer, WrongAnswer
from helpers.evaluation import Responses
from helpers.shapes import shape_of

ROOT = Path(__file__).parents[1]
SHAPE = shape_of(tiny_llama().config, "tiny")
A, B = (f"base_model.model.model.layers.1.self_attn.q_proj.lora_{side}.weight" for side in "AB")


def adapter(**settings) -> dict[str, torch.Tensor]:
    """The matrices of an adapter as peft writes them, as if trained."""
    given = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], "layers_to_transform": [1], **settings}
    model = get_peft_model(tiny_llama(), LoraConfig(task_type="CAUSAL_LM", **given))
    return {name: tensor + 0.01 for name, tensor in get_peft_model_state_dict(model).items()}


def handed_in(folder: Path, content: bytes | dict) -> Path:
    content = save(content) if isinstance(content, dict) else content
    file = folder / project.FILE
    file.write_bytes(content)
    return file


def responses(reward=0.0, lexicon=0.0, kl=0.0, nll=3.5, text="one two three", spread=0.1) -> Responses:
    noise = spread * torch.linspace(-1, 1, 64)
    texts = [f"{text} {row}" for row in range(64)]
    return Responses([""] * 64, texts, reward + noise, lexicon + noise, kl + noise, nll + noise)


GOOD = {"reward": 0.5, "lexicon": 0.3, "kl": 4.0}


def after(**changed) -> Responses:
    """Responses to the same prompts; the noise is another one, so that differences have a spread."""
    found = responses(**{**GOOD, **changed})
    return Responses(
        found.prompts, found.responses, found.reward.flip(0), found.lexicon.flip(0), found.kl, found.reference_nll
    )


@pytest.fixture
def tiny(tiny_course, monkeypatch):
    """The tiny model in the place of the course's; measuring it would be a mistake of the test."""
    monkeypatch.setattr(project, "load_model", lambda *_: pytest.fail("a model was loaded"))


@pytest.mark.parametrize("modules", [["q_proj", "v_proj"], ["up_proj"]], ids="-".join)
def test_configuration_is_rebuilt_from_names_and_shapes(modules):
    lora = project.rebuilt_config(adapter(r=2, target_modules=modules), SHAPE)
    assert (lora.r, lora.lora_alpha, lora.bias, lora.layers_to_transform) == (2, 4, "none", [1])
    assert sorted(lora.target_modules) == sorted(modules)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({A.replace("q_proj", "lm_head"): torch.ones(4, 64)}, "names"),
        ({A.replace("layers.1", "layers.7"): torch.ones(4, 64)}, "names"),
        ({A.replace("self_attn", "mlp"): torch.ones(4, 64)}, "names"),
        ({"base_model.model.model.embed_tokens.weight": torch.ones(4, 64)}, "names"),
        ({A.replace("layers.1", "layers.0"): torch.ones(4, 64)}, "incomplete"),
        ({A: torch.ones(4, 32)}, "shapes"),
        ({B: torch.ones(64, 8)}, "shapes"),
        ({A: torch.ones(4)}, "shapes"),
        ({A: torch.ones(4, 64, dtype=torch.float64)}, "dtype"),
        ({A: torch.ones(4, 64, dtype=torch.int8)}, "dtype"),
        ({A: torch.full((4, 64), torch.nan)}, "not_finite"),
        ({B: torch.full((64, 4), torch.inf)}, "not_finite"),
    ],
)
def test_file_with_a_wrong_matrix_is_refused_before_a_model_is_loaded(tmp_path, tiny, change, reason):
    verdict = project.verdict_on(handed_in(tmp_path, adapter() | change), seed=0)
    assert (verdict.passed, verdict.hint_name, verdict.figures) == (False, reason, {})


def test_rank_outside_the_list_and_an_untrained_adapter_are_refused(tmp_path, tiny):
    untrained = {name: 0 * tensor if "lora_B" in name else tensor for name, tensor in adapter().items()}
    for weights, reason in ((adapter(r=3), "rank"), (untrained, "untrained"), ({}, "incomplete")):
        assert project.verdict_on(handed_in(tmp_path, weights), seed=0).hint_name == reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "unreadable"),
        (b"\x80\x04pickle", "unreadable"),
        (b"\xff" * 64, "unreadable"),
        (b"0" * 400_001, "too_large"),
    ],
)
def test_file_that_is_none_of_tensors_is_refused(tmp_path, tiny, content, reason):
    assert project.verdict_on(handed_in(tmp_path, content), seed=0).hint_name == reason


def test_link_and_folder_in_the_place_of_the_file_are_refused(tmp_path, tiny):
    (tmp_path / "elsewhere").write_bytes(save(adapter()))
    (tmp_path / project.FILE).symlink_to(tmp_path / "elsewhere")
    verdict = project.verdict_on(tmp_path / project.FILE, seed=0)
    assert verdict.hint_name == "unreadable" and "links are not followed" in verdict.reason
    (tmp_path / project.FILE).unlink()
    (tmp_path / project.FILE).mkdir()
    assert project.verdict_on(tmp_path / project.FILE, seed=0).hint_name == "unreadable"


def test_configuration_that_was_handed_in_is_not_read(tmp_path, tiny, monkeypatch):
    (tmp_path / "adapter_config.json").write_text("{ no JSON")
    given = []
    monkeypatch.setattr(project, "before", lambda *_: responses())
    monkeypatch.setattr(project, "_after", lambda lora, *_: given.append(lora) or after())
    assert project.verdict_on(handed_in(tmp_path, adapter()), seed=0).passed
    assert given[0].lora_alpha == 8


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, ""),
        ({"kl": 9.0}, "too_far"),
        ({"nll": 4.6}, "garbled"),
        ({"text": "one one one one one one one one one one"}, "repeating"),
        ({"reward": -0.5}, "worse"),
        ({"reward": 0.01}, "nothing_shown"),
        ({"lexicon": 0.01}, "too_little"),
        ({"lexicon": -0.4}, "unconfirmed"),
        ({"kl": float("nan")}, "not_finite"),
    ],
)
def test_verdict_names_what_the_figures_show(changed, reason):
    verdict = project.verdict_of(responses(), after(**changed))
    assert (verdict.hint_name, verdict.passed) == (reason, not reason)
    assert verdict.reason == project.REASONS.get(reason, "")


def test_learner_without_a_file_is_told_where_to_put_it(tmp_path):
    with pytest.raises(MissingAnswer, match=r"put adapter_model\.safetensors beside this notebook"):
        project.check_project(tmp_path)


def test_learner_whose_adapter_went_too_far_sees_the_figures_and_the_reason(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setattr(project, "before", lambda *_: responses())
    monkeypatch.setattr(project, "_after", lambda *_: after(kl=30.0))
    with pytest.raises(WrongAnswer, match=r"not passed yet: the KL is above 8 nats"):
        project.check_project(handed_in(tmp_path, adapter()).parent)
    assert "KL, nats a response       +30.00" in capsys.readouterr().out


def test_learner_sees_a_sign_on_changes_alone(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setattr(project, "before", lambda *_: responses())
    monkeypatch.setattr(project, "_after", lambda *_: after())
    project.check_project(handed_in(tmp_path, adapter()).parent)
    *figures, _ = capsys.readouterr().out.splitlines()
    signed = {line[:24].strip(): "+" in line or "-" in line[24:] for line in figures}
    unsigned = ["distinct-2, share kept", "reward, half-width", "lexicon, half-width"]
    assert [name for name, is_signed in signed.items() if not is_signed] == unsigned and len(signed) == 7


@pytest.mark.parametrize(
    ("lexicon", "said"), [(0.01, "more updates, or larger batches"), (-0.01, "hacked, or not far enough to tell")]
)
def test_lexicon_that_rose_a_little_is_told_apart_from_one_that_did_not(tmp_path, tiny, monkeypatch, lexicon, said):
    monkeypatch.setattr(project, "before", lambda *_: responses())
    monkeypatch.setattr(project, "_after", lambda *_: after(lexicon=lexicon))
    with pytest.raises(WrongAnswer, match=said):
        project.check_project(handed_in(tmp_path, adapter()).parent)


@pytest.mark.real
def test_adapter_of_the_solutions_passes_and_the_same_a_hundred_times_as_strong_does_not(tmp_path):
    assert project.verdict_on(ROOT / "solutions" / project.FILE, seed=5).passed
    weights = load_file(ROOT / "solutions" / project.FILE)
    strong = {name: 100 * tensor if "lora_B" in name else tensor for name, tensor in weights.items()}
    verdict = project.verdict_on(handed_in(tmp_path, strong), seed=5)
    assert not verdict.passed and verdict.hint_name in ("too_far", "garbled", "not_finite")
