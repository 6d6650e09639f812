"""How TRL's trainers are called: the record is what is installed, and changes are named. Nothing here asks an index."""

import argparse
import dataclasses
import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.course import signatures
from helpers.download import CourseError


def trl_package(folder: Path, trainer: str = "model, args=None, *, ref_model=None", beta: str = "0.1") -> Path:
    """A package as pip installs one, with a trainer and its settings."""
    package = folder / "trl"
    (package / "trainer").mkdir(parents=True)
    (folder / "trl-9.9.0.dist-info").mkdir()
    (package / "trainer" / "dpo_trainer.py").write_text(
        f"class DPOTrainer(Base):\n    def __init__(self, {trainer}):\n        pass\n"
    )
    (package / "trainer" / "dpo_config.py").write_text(
        "class DPOConfig(Base):\n"
        f"    beta: float = field(default={beta}, metadata={{}})\n"
        "    loss_type: list = field(default_factory=lambda: ['sigmoid'])\n"
        "    disable_dropout: bool = True\n"
    )
    return package


def test_recorded_pin_is_the_installed_trl():
    assert signatures.record()["pinned"] == signatures.installed_signatures()


def test_recorded_calls_are_those_that_python_sees(monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from trl import DPOTrainer, GRPOTrainer
    from trl.experimental.ppo import PPOTrainer

    for trainer in (PPOTrainer, DPOTrainer, GRPOTrainer):
        assert signatures.record()["pinned"][trainer.__name__] == list(inspect.signature(trainer).parameters)


def test_recorded_defaults_are_those_that_python_sees(monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from trl import DPOConfig, GRPOConfig
    from trl.experimental.ppo import PPOConfig

    for config in (PPOConfig, DPOConfig, GRPOConfig):
        fields = {field.name: field for field in dataclasses.fields(config)}
        for name, source in signatures.record()["pinned"][config.__name__].items():
            made = fields[name].default_factory
            due = fields[name].default if made is dataclasses.MISSING else made()
            assert repr(due) == source, f"{config.__name__}.{name}"


def test_record_has_a_date_and_a_newest_trl_that_is_no_older_than_the_pin():
    record = signatures.record()
    versions = [tuple(int(part) for part in record[part]["version"].split(".")) for part in ("pinned", "newest")]
    assert len(record["date"]) == 10 and versions[0] <= versions[1]


def test_signatures_are_read_from_source(tmp_path):
    found = signatures.read_signatures(trl_package(tmp_path))
    assert (found["version"], found["DPOTrainer"]) == ("9.9.0", ["model", "args", "ref_model"])
    assert found["DPOConfig"]["beta"] == "0.1" and found["DPOConfig"]["loss_type"] == "['sigmoid']"
    assert found["DPOConfig"]["disable_dropout"] == "True" and found["DPOConfig"]["sync_ref_model"] is None
    assert found["PPOTrainer"] is None


def test_differences_name_what_came_what_went_and_another_default(tmp_path):
    before = signatures.read_signatures(trl_package(tmp_path / "old"))
    after = signatures.read_signatures(trl_package(tmp_path / "new", "model, config=None, *, ref_model=None", "0.2"))
    assert signatures.differences(before, after) == [
        "DPOTrainer: args is gone",
        "DPOTrainer: config is new",
        "DPOConfig.beta: 0.1 is now 0.2",
    ]
    assert signatures.differences(before, before) == []


def test_differences_name_a_class_that_is_gone():
    record = signatures.record()
    assert "PPOTrainer: gone in 1.16.0" in signatures.differences(
        record["pinned"], {**record["pinned"], "version": "1.16.0", "PPOTrainer": None}
    )


def test_signatures_command_says_what_changed_and_writes_only_when_asked(tmp_path, monkeypatch, capsys):
    newest = signatures.read_signatures(trl_package(tmp_path))
    file = tmp_path / "record.json"
    file.write_bytes(signatures.RECORD.read_bytes())
    monkeypatch.setattr(signatures, "RECORD", file)
    monkeypatch.setattr(signatures, "newest_signatures", lambda: newest)
    before = file.read_bytes()
    assert signatures.run(argparse.Namespace(refresh=False)) == 1
    assert "GRPOTrainer: gone in 9.9.0" in capsys.readouterr().out and file.read_bytes() == before
    assert signatures.run(argparse.Namespace(refresh=True)) == 0
    signatures.record.cache_clear()
    assert signatures.record()["newest"] == newest
    assert signatures.run(argparse.Namespace(refresh=False)) == 0
    assert "Nothing has changed" in capsys.readouterr().out
    signatures.record.cache_clear()


def test_signatures_command_says_so_where_there_is_no_network(monkeypatch):
    failed = SimpleNamespace(returncode=1, stderr="noise\nERROR: No matching distribution found for trl")
    monkeypatch.setattr(signatures.subprocess, "run", lambda *args, **options: failed)
    with pytest.raises(CourseError, match=r"could not fetch the newest TRL .*No matching distribution"):
        signatures.newest_signatures()
