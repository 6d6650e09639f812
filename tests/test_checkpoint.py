"""A run that was killed, truncated, edited or out of disk goes on bit for bit, or says why not."""

import errno
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import tiny_llama
from peft import PeftModel
from tiny_ppo import PRECISIONS, config_of, llama, policy_of, reproducible, trained_weights, trainer_of

from helpers import checkpoint
from helpers.download import CourseError, sha256_of

TESTS = Path(__file__).parent
ALL_SETTINGS = {"num_mini_batches": 2, "kl_target": 3.0, "total_updates": 8, "missing_eos_penalty": 1.0}


def saving(folder: Path, **arguments):
    return trainer_of(config=config_of(output_dir=str(folder), save_every=1), **arguments)


@pytest.fixture
def two_saved(tmp_path) -> Path:
    """The checkpoints of updates 2 and 3."""
    saving(tmp_path / "run").train(3)
    return tmp_path / "run"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("precision", PRECISIONS)
def test_resumed_run_is_bit_for_bit_the_one_that_was_not_stopped(precision, tmp_path):
    policies = (policy_of(llama(precision, tmp_path / str(n))) for n in range(3))
    whole, first = (trainer_of(next(policies), config_of(**ALL_SETTINGS)) for _ in range(2))
    whole.train(4)
    first.train(2)
    first.save(tmp_path / "saved")
    second = trainer_of(next(policies), config_of(**ALL_SETTINGS), resume_from=tmp_path / "saved")
    assert reproducible(second.train(2)) == reproducible(whole.history)
    assert all(torch.equal(a, b) for a, b in zip(second.trained, whole.trained, strict=True))


def test_resumed_run_has_the_optimizer_of_the_one_that_was_saved(tmp_path):
    first = trainer_of()
    first.train(1)
    first.save(tmp_path / "saved")
    found = trainer_of(resume_from=tmp_path / "saved").optimizer.state_dict()["state"]
    for number, due in first.optimizer.state_dict()["state"].items():
        assert all(torch.equal(found[number][name], value) for name, value in due.items())


def test_saved_adapter_loads_with_peft_and_gives_the_policy(tmp_path):
    trainer, tokens = trainer_of(), torch.arange(3, 11)[None]
    trainer.train(1)
    trainer.save(tmp_path / "saved")
    loaded = PeftModel.from_pretrained(llama(), tmp_path / "saved").train()
    assert torch.equal(loaded(tokens).logits, trainer.model(tokens).logits)


def test_folder_of_checkpoints_keeps_the_last_two(two_saved):
    assert names(two_saved) == ["update-000002", "update-000003"]


def test_resuming_from_a_folder_takes_the_newest(two_saved):
    assert len(trainer_of(resume_from=two_saved).history) == 3


@pytest.mark.parametrize("damage", ["truncated", "edited", "missing", "half a list", "no list"])
@pytest.mark.parametrize("file", ["state.pt", "adapter_model.safetensors", "value_head.safetensors"])
def test_damaged_checkpoint_is_noticed_and_the_one_before_it_used(file, damage, two_saved, capsys):
    newest = two_saved / "update-000003"
    whole = (newest / file).read_bytes()
    sums = json.loads((newest / "sha256.json").read_text())
    if damage in ("truncated", "edited"):
        (newest / file).write_bytes(whole[:-9] if damage == "truncated" else whole[:-1] + bytes([whole[-1] ^ 1]))
    elif damage == "missing":
        (newest / file).unlink()
    else:
        (newest / "sha256.json").write_text("[" if damage == "no list" else json.dumps({file: sums[file]}))
    assert len(trainer_of(resume_from=two_saved).history) == 2
    assert "update-000003 is damaged (" in capsys.readouterr().out


def test_run_that_goes_on_before_a_damaged_checkpoint_writes_it_anew(two_saved):
    (two_saved / "update-000003" / "state.pt").unlink()
    saving(two_saved, resume_from=two_saved).train(1)
    assert checkpoint.damage_of(two_saved / "update-000003") is None
    assert len(trainer_of(resume_from=two_saved).history) == 3


def test_run_that_goes_on_before_a_damaged_checkpoint_does_not_count_it_as_one_of_two(two_saved):
    (two_saved / "update-000003").rename(two_saved / "update-000009")
    (two_saved / "update-000009" / "state.pt").unlink()
    saving(two_saved, resume_from=two_saved).train(1)
    assert names(two_saved) == ["update-000002", "update-000003"]


def test_nothing_intact_to_resume_from_is_said(two_saved, tmp_path):
    for folder in two_saved.iterdir():
        (folder / "state.pt").unlink()
    for folder in (two_saved, tmp_path / "nowhere"):
        with pytest.raises(CourseError, match="holds no intact checkpoint to resume from"):
            trainer_of(resume_from=folder)


def test_checkpoints_of_another_run_are_not_mixed_with_new_ones(two_saved):
    with pytest.raises(
        ValueError, match=r"output_dir=.* holds update-000003 of another run, and this one is at update 0"
    ):
        saving(two_saved)
    assert len(saving(two_saved, resume_from=two_saved).history) == 3


def test_checkpoint_of_another_adapter_is_refused(two_saved):
    policy = policy_of(llama(), target_modules=["k_proj"])
    with pytest.raises(CourseError, match=r"The model lacks adapters of the checkpoint .*q_proj"):
        trainer_of(policy, resume_from=two_saved)


def test_interrupted_save_leaves_what_was_there(two_saved, monkeypatch):
    trainer, before = trainer_of(resume_from=two_saved), sha256_of(two_saved / "update-000003" / "state.pt")
    monkeypatch.setattr(checkpoint, "sha256_of", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        trainer.save(two_saved / "update-000003")
    monkeypatch.undo()
    assert sha256_of(two_saved / "update-000003" / "state.pt") == before
    assert names(two_saved) == ["update-000002", "update-000003"]


@pytest.mark.parametrize("place", ["save_file", "sha256_of", "model"])
def test_full_disk_does_not_end_the_training_and_is_said_at_every_save(place, tmp_path, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    trainer = saving(tmp_path / "run")
    owner = (trainer.model, "save_pretrained") if place == "model" else (checkpoint, place)
    monkeypatch.setattr(*owner, full)
    assert len(trainer.train(3)) == 3
    printed = capsys.readouterr().out
    assert [f"update {n} was not written: " in printed for n in (1, 2, 3)] == [True] * 3
    assert printed.count("Training goes on.") == 3 and names(tmp_path / "run") == []


def test_disk_that_has_room_again_gets_the_next_checkpoint(tmp_path, monkeypatch):
    trainer = saving(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "sha256_of", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        trainer.train(1)
    trainer.train(1)
    assert names(tmp_path / "run") == ["update-000002"]


def test_state_is_loaded_as_weights_only_so_that_no_pickle_runs(two_saved, tmp_path):
    class Attack:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    newest = two_saved / "update-000003"
    torch.save({"history": Attack()}, newest / "state.pt")
    sums = json.loads((newest / "sha256.json").read_text())
    (newest / "sha256.json").write_text(json.dumps({**sums, "state.pt": sha256_of(newest / "state.pt")}))
    with pytest.raises(pickle.UnpicklingError):
        trainer_of(resume_from=two_saved)
    assert not (tmp_path / "ran").exists()


def test_loss_that_is_not_finite_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    from helpers import ppo

    trainer = saving(tmp_path / "run")
    trainer.train(1)
    due = trained_weights(trainer)
    monkeypatch.setattr(ppo, "policy_losses", lambda new, *_: new * float("inf"))
    with pytest.raises(ValueError, match="update 2"):
        trainer.train(1)
    monkeypatch.undo()
    found = trained_weights(trainer_of(resume_from=tmp_path / "run"))
    assert all(torch.equal(a, b) for a, b in zip(found, due, strict=True))


def test_checkpoint_holds_the_adapter_and_not_the_base(two_saved):
    base_bytes = sum(p.numel() * p.element_size() for p in tiny_llama().parameters())
    written = sum(path.stat().st_size for path in (two_saved / "update-000003").iterdir())
    assert written < base_bytes / 2


@pytest.mark.real  # processes of their own: too slow for make quick
def test_killed_runs_go_on_bit_for_bit():
    done = subprocess.run([sys.executable, TESTS / "kill.py", "3"], capture_output=True, text=True)
    assert done.stdout.endswith("3 of 3 killed runs have the bit-identical history\n"), done.stdout + done.stderr


@pytest.mark.real  # processes of their own: too slow for make quick
def test_two_processes_make_the_same_update_as_one(tmp_path):
    results = {}
    for count in (1, 2):
        (tmp_path / str(count)).mkdir()
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={count}"]
        environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*launch, "tiny_run.py", tmp_path / str(count), "1"], cwd=TESTS, env=environment, capture_output=True
        )
        assert done.returncode == 0, done.stderr.decode()
        results[count] = torch.load(tmp_path / str(count) / "result.pt", weights_only=True)
    one, two = results.values()
    assert one["processes"] == 1 and two["processes"] == 2
    assert two["history"] == [pytest.approx(row, rel=1e-5, abs=1e-5) for row in one["history"]]
    for a, b in zip(two["weights"], one["weights"], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)
