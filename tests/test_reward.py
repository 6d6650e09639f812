"""The reward model: the shipped one beats the lexicon, TRL reads it alike, and no other base model gets it."""

import json
import re
import signal
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import tiny_llama, write_tiny_model
from transformers import AutoModelForCausalLM

from helpers import reward
from helpers.__main__ import main
from helpers.course import reward as command
from helpers.device import best_precision
from helpers.download import CourseError, cache_folder
from helpers.feedback import sentences
from helpers.model import load_tokenizer, model_key

ROOT = Path(__file__).parents[1]
PRECISION = "bf16" if best_precision()[0] == "bf16" else "fp32"
PRECISIONS = ("fp32", "fp16", "bf16", "8bit", "4bit")
TEXTS = ["A fine film.", "Bad", "I have seldom seen anything so long, so loud and so very pleased with itself."]


@pytest.fixture
def real_model(monkeypatch):
    monkeypatch.delenv("COURSE_MODEL", raising=False)


@pytest.fixture
def tiny_reward(tiny_course) -> reward.RewardModel:
    """An untrained reward model of a tiny model, with a head that says something."""
    made = reward.new_reward_model("fp32")
    torch.nn.init.normal_(made.head.weight)
    return made


@pytest.fixture
def untrained_files(tiny_reward, tmp_path) -> Path:
    reward.save_reward_model(tiny_reward, tmp_path / "saved", {"pairs": 0})
    return tmp_path / "saved"


@pytest.fixture(scope="module")
def shipped() -> tuple[dict, dict]:
    """What the shipped reward model scores now, and what its figures state."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COURSE_MODEL", raising=False)
        found = reward.evaluate_reward_model(reward.load_reward_model(PRECISION))
    return found, json.loads((reward.SHIPPED / "figures.json").read_text())


@pytest.mark.real
def test_shipped_reward_model_beats_the_lexicon_by_more_than_the_interval(shipped, capsys):
    figures, _ = shipped
    with capsys.disabled():
        for judge in ("reward_model", "lexicon"):
            print(f"\n{judge:12} {figures[judge]:.1%} ± {figures[f'{judge}_interval']:.1%} of {figures['pairs']} pairs")
    width = figures["reward_model_interval"] + figures["lexicon_interval"]
    assert figures["reward_model"] - figures["lexicon"] > width


@pytest.mark.real
def test_shipped_reward_model_has_the_accuracy_that_its_figures_state(shipped):
    found, stated = shipped
    assert found["pairs"] == stated["pairs"] and found["lexicon"] == pytest.approx(stated["lexicon"])
    assert found["reward_model"] == pytest.approx(stated["reward_model"], abs=3 / stated["pairs"])  # of rounding


@pytest.mark.real
def test_shipped_reward_model_has_mean_0_and_deviation_1_over_validation_sentences(real_model):
    scores = reward.load_reward_model(PRECISION).scores([s.text for s in sentences("validation")])
    assert (scores.mean().item(), scores.std().item()) == pytest.approx((0, 1), abs=0.02)


@pytest.mark.real
@pytest.mark.parametrize("precision", ["fp32", "8bit"])
def test_trl_reads_the_same_scores_from_the_sequence_classifier(precision, real_model, monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from trl.experimental.utils import get_reward

    tokenizer, classifier = load_tokenizer(), reward.load_sequence_classifier(precision)
    ids = tokenizer(TEXTS, return_tensors="pt", padding=True, add_special_tokens=False)["input_ids"]
    with torch.no_grad():  # left padding is TRL's for prompts, and the response here is the last token
        _, scores, _ = get_reward(classifier, ids.to(classifier.device), tokenizer.pad_token_id, ids.shape[1] - 1)
    torch.testing.assert_close(scores.cpu(), reward.load_reward_model(precision).scores(TEXTS), rtol=1e-4, atol=1e-4)


def test_shipped_adapter_config_names_no_path_of_a_machine():
    config = json.loads((reward.SHIPPED / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "SmolLM2-135M-Instruct"
    assert not re.search(r"[/\\]", json.dumps(config))


def test_shipped_files_are_the_adapter_and_what_made_it():
    names = {path.name for path in reward.SHIPPED.iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors", "head.safetensors", "figures.json"}
    assert {"model", "training_pairs", "training_seconds", "precision", "date"} <= set(
        json.loads((reward.SHIPPED / "figures.json").read_text())
    )


def test_readme_says_how_the_shipped_reward_model_is_trained_again():
    assert "python -m helpers reward --out helpers/reward_adapter" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_score_is_the_head_on_the_last_hidden_state(tiny_reward, tiny_course):
    plain = AutoModelForCausalLM.from_pretrained(tiny_course)  # the adapter adds nothing yet: B is zero
    ids = tiny_reward.tokenizer(TEXTS[2], add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        hidden = plain(ids, output_hidden_states=True).hidden_states[-1][0, -1]
        due = hidden @ tiny_reward.head.weight[0] + tiny_reward.head.bias[0]
    torch.testing.assert_close(tiny_reward.scores([TEXTS[2]])[0], due)


def test_score_does_not_depend_on_padding_or_batch(tiny_reward):
    alone = torch.cat([tiny_reward.scores([text]) for text in TEXTS])
    torch.testing.assert_close(tiny_reward.scores(TEXTS), alone)
    torch.testing.assert_close(tiny_reward.scores(TEXTS, batch_size=2), alone)


def test_reward_of_prompt_and_response_is_the_score_of_the_text(tiny_reward):
    assert tiny_reward(["A fine ", "Ba"], ["film.", "d"]) == tiny_reward.scores(TEXTS[:2]).tolist()


def test_reward_refuses_a_prompt_without_a_response(tiny_reward):
    with pytest.raises(ValueError, match="shorter"):
        tiny_reward(["one", "two"], ["only one"])


def test_new_reward_model_trains_adapters_of_the_top_third_and_the_head(tiny_reward):
    trained = [name for name, p in tiny_reward.model.named_parameters() if p.requires_grad]
    assert trained and all(".layers.1." in name and ".lora_" in name for name in trained)
    assert all(p.requires_grad for p in tiny_reward.head.parameters())


def test_training_puts_what_people_like_above_what_they_dislike(tiny_reward, written_ratings):
    torch.nn.init.zeros_(tiny_reward.head.weight)
    reward.train_reward_model(tiny_reward, pairs=150, batch_size=10, learning_rate=5e-3)
    good, bad = ([s.text for s in sentences("train") if (s.mean_rating > 0) == positive][:50] for positive in (1, 0))
    assert tiny_reward.scores(good).mean() > tiny_reward.scores(bad).mean() + 0.5


def test_training_on_less_than_a_batch_is_refused(tiny_reward, written_ratings):
    with pytest.raises(CourseError, match="8 pairs are less than one batch of 16"):
        reward.train_reward_model(tiny_reward, pairs=8)


def test_training_ends_with_mean_0_and_deviation_1_over_validation_sentences(tiny_reward, written_ratings):
    reward.train_reward_model(tiny_reward, pairs=16)
    scores = tiny_reward.scores([s.text for s in sentences("validation")])
    assert (scores.mean().item(), scores.std().item()) == pytest.approx((0, 1), abs=1e-3)


def test_saved_reward_model_loads_with_the_same_scores_and_frozen(untrained_files, tiny_reward):
    loaded = reward.load_reward_model("fp32", untrained_files)
    assert torch.equal(loaded.scores(TEXTS), tiny_reward.scores(TEXTS))
    assert not any(p.requires_grad for p in [*loaded.model.parameters(), *loaded.head.parameters()])


def test_saved_reward_model_is_refused_on_another_base_model(untrained_files, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", str(write_tiny_model(tmp_path / "other", seed=1)))
    for load in (reward.load_reward_model, reward.load_sequence_classifier):
        with pytest.raises(CourseError, match=r"was trained on .*tiny, and this is .*other"):
            load("fp32", untrained_files)


def test_reward_model_of_an_older_course_is_refused_with_the_same_sentence(untrained_files):
    stated = json.loads((untrained_files / "figures.json").read_text())
    del stated["fingerprints"]
    (untrained_files / "figures.json").write_text(json.dumps(stated))
    with pytest.raises(CourseError, match="Train one for it: python -m helpers reward"):
        reward.load_reward_model("fp32", untrained_files)


@pytest.mark.parametrize("saved_in", ["float32", "bfloat16", "float16"])
def test_any_two_precisions_of_a_model_share_a_fingerprint(saved_in, tiny_course):
    model = tiny_llama()
    for parameter in model.parameters():
        falling = torch.arange(parameter.numel()).view_as(parameter) % 24
        parameter.data = torch.randn_like(parameter) * 2.0**-falling  # many are subnormal in float16
    model.to(getattr(torch, saved_in)).save_pretrained(tiny_course)
    found = {name: set(reward.fingerprints(reward.load_model(name))) for name in PRECISIONS}
    apart = {(one, other) for one, other in combinations(PRECISIONS, 2) if not found[one] & found[other]}
    half_from_float32 = {("fp16", "bf16"), ("fp16", "8bit")}  # what the docstring excepts
    assert apart == (half_from_float32 if saved_in == "float32" else set())


def test_reward_model_of_float32_is_accepted_in_float16(tiny_reward, untrained_files):
    assert reward.load_reward_model("fp16", untrained_files).model.dtype == torch.float16


@pytest.mark.parametrize(
    "part", ["layers.0.mlp.up_proj.weight", "layers.1.input_layernorm.weight", "model.norm.weight"]
)
def test_fingerprint_changes_with_any_layer_though_the_embedding_is_the_same(part):
    changed = tiny_llama()
    next(p for name, p in changed.named_parameters() if name.endswith(part)).data.mul_(1.1)
    assert not set(reward.fingerprints(changed)) & set(reward.fingerprints(tiny_llama()))


def test_fingerprint_is_the_same_under_adapters_and_after_a_forward(tiny_course):
    before = reward.fingerprints(reward.load_model("8bit"))
    made = reward.new_reward_model("8bit")
    made.scores(TEXTS)
    assert reward.fingerprints(made.model) == before == reward.fingerprints(reward.load_classifier_base("8bit"))


@pytest.mark.real
def test_fingerprint_of_the_shipped_reward_model_is_the_real_models_at_every_precision(real_model):
    stated = json.loads((reward.SHIPPED / "figures.json").read_text())["fingerprints"]
    for precision in ("fp32", "fp16", "bf16", "8bit"):
        assert set(reward.fingerprints(reward.load_model(precision))) & set(stated), precision


def test_missing_reward_model_gets_a_sentence(tiny_course):
    with pytest.raises(CourseError, match=r"has no reward model in .* yet\. Train it: python -m helpers reward"):
        reward.load_reward_model("fp32")


def test_interrupted_save_leaves_the_old_reward_model_whole(untrained_files, tiny_reward, monkeypatch):
    before = {path.name: path.read_bytes() for path in untrained_files.iterdir()}
    monkeypatch.setattr(reward, "save_file", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    for parameter in tiny_reward.model.parameters():
        parameter.data += 1
    with pytest.raises(KeyboardInterrupt):
        reward.save_reward_model(tiny_reward, untrained_files, {"pairs": 1})
    assert {path.name: path.read_bytes() for path in untrained_files.iterdir()} == before


def test_value_model_trains_nothing_but_a_head_of_zeros(tiny_course):
    value = reward.load_classifier_base("8bit")
    assert [name for name, p in value.named_parameters() if p.requires_grad] == ["score.weight"]
    assert value.score.weight.shape == (1, 64) and not value.score.weight.any()


def test_reward_command_trains_for_the_named_model_and_caches_what_loads_again(tiny_course, written_ratings, capsys):
    assert main(["reward", "--pairs", "32"]) == 0
    folder = cache_folder() / "reward" / model_key()
    assert json.loads((folder / "figures.json").read_text())["training_pairs"] == 32
    assert "held-out pairs" in capsys.readouterr().out
    assert reward.load_reward_model("fp32").scores(TEXTS).isfinite().all()


@pytest.mark.parametrize("precision", ["fp32", "8bit"])
def test_reward_command_that_runs_out_of_memory_says_what_to_try(precision, tiny_course, monkeypatch, capsys):
    def too_large(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(command, "train_reward_model", too_large)
    assert main(["reward", "--precision", precision]) == 1
    cure = {"fp32": "Try --precision 8bit.", "8bit": "Take a smaller model."}[precision]
    assert f"too small to train the reward model in {precision}. {cure}" in capsys.readouterr().err


@pytest.mark.parametrize(("best", "number"), [("bf16", 2), ("fp16", 4)])
def test_reward_command_takes_8bit_where_weights_take_more_than_half_of_the_gpu(best, number, tiny_course, monkeypatch):
    card, weights = SimpleNamespace(), number * sum(p.numel() for p in tiny_llama().parameters())
    monkeypatch.setattr(command, "best_precision", lambda: (best, ""))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    found = []
    for card.total_memory in (2 * weights, 2 * weights - 1):
        found.append(command.suitable_precision())
    assert found == [{2: "bf16", 4: "fp32"}[number], "8bit"]


@pytest.fixture
def untrainable(tiny_course, monkeypatch):
    """Training fails the test: what is refused must be refused before it."""
    monkeypatch.setattr(command, "new_reward_model", lambda *_: pytest.fail("training started"))


@pytest.mark.parametrize("held", [["thesis.txt"], ["adapter_config.json"], ["figures.json", "thesis.txt"]])
def test_reward_command_refuses_to_replace_what_is_no_reward_adapter(held, untrainable, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    for name in held:
        (tmp_path / "mine" / name).write_text("years of work")
    assert main(["reward", "--out", str(tmp_path / "mine")]) == 1
    assert f"mine would be replaced, and holds {held[-1]}" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == held


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/reward", "x" * 300])
def test_reward_command_refuses_a_place_that_cannot_be_written(place, untrainable, tmp_path, capsys):
    (tmp_path / "file").write_text("a file")
    assert main(["reward", "--out", str(tmp_path / place)]) == 1
    assert re.search(r"cannot be written \(.*\)\. Name another folder with --out", capsys.readouterr().err)


def test_reward_command_replaces_the_shipped_adapter_only_when_told_to(untrainable, real_model, capsys):
    assert main(["reward"]) == 1
    assert "is shipped already" in capsys.readouterr().err
    assert command.checked_place(reward.SHIPPED) == reward.SHIPPED


def test_reward_command_takes_a_new_folder_an_empty_one_and_an_earlier_reward_adapter(untrained_files, tmp_path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "new" / "folder", tmp_path / "empty", untrained_files):
        assert command.checked_place(place) == place


@pytest.mark.real
def test_reward_command_killed_while_it_saves_leaves_no_half_reward_model(tiny_course, written_ratings):
    kill = "import os; from helpers import reward; reward.save_file = lambda *_: os.kill(os.getpid(), 9)"
    command = f"{kill}; from helpers.__main__ import main; main(['reward', '--pairs', '16'])"
    assert subprocess.run([sys.executable, "-c", command], capture_output=True).returncode == -signal.SIGKILL
    assert not reward.reward_folder().exists()
    assert main(["reward", "--pairs", "16"]) == 0
    assert [path.name for path in (cache_folder() / "reward").iterdir()] == [model_key()]  # the half one is swept
