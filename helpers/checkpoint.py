"""Save a training run so that it goes on bit for bit, whatever kills it.

A checkpoint is a folder, written aside and renamed, with the SHA-256 of each of its files. No pickle is loaded from it
except by `torch.load(weights_only=True)`, which builds tensors and plain containers only.
"""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import nn

from helpers.download import CourseError, sha256_of, written_aside

KEPT = 2
FILES = {"adapter_config.json", "adapter_model.safetensors", "value_head.safetensors", "state.pt", "history.json"}


def save(folder: Path, model: PeftModel, value_head: nn.Linear, state: dict[str, Any]) -> None:
    """Write one checkpoint; `folder` appears whole or stays what it was.

    Args:
        folder: to write. `PeftModel.from_pretrained(base, folder)` loads the adapter from it.
        model: only its active adapter is written; the base never changes.
        state: optimizer, random states, history …: tensors and plain containers.

    Raises:
        OSError, CourseError: the disk is full, or the place may not be written.
    """
    with written_aside(Path(folder)) as aside:
        model.save_pretrained(aside, selected_adapters=[model.active_adapter])
        (aside / "README.md").unlink(missing_ok=True)  # peft's empty model card
        save_file(
            {name: t.detach().cpu() for name, t in value_head.state_dict().items()}, aside / "value_head.safetensors"
        )
        in_memory = io.BytesIO()  # torch's own writer would word a full disk as a RuntimeError of a stream
        torch.save(state, in_memory)
        (aside / "state.pt").write_bytes(in_memory.getbuffer())
        (aside / "history.json").write_text(json.dumps(state["history"], indent=1))
        sums = {f.name: sha256_of(f) for f in sorted(aside.iterdir())}
        (aside / "sha256.json").write_text(json.dumps(sums, indent=1))


def save_numbered(folder: Path, number: int, model: PeftModel, value_head: nn.Linear, state: dict[str, Any]) -> None:
    """Write `folder/update-NNNNNN`, and then remove all but the last `KEPT`."""
    save(Path(folder) / f"update-{number:06}", model, value_head, state)
    for damaged in _later(Path(folder), number):
        shutil.rmtree(damaged, ignore_errors=True)  # it would count as one of the last
    for old in _numbered(Path(folder))[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def load(folder: Path, model: PeftModel, value_head: nn.Linear) -> dict[str, Any]:
    """Bring adapter and value head back from a checkpoint, or from the newest intact one of a folder of them.

    A damaged one is named in a sentence, and the one before it is used.

    Returns:
        The `state` that was saved.

    Raises:
        CourseError: there is no intact checkpoint.
    """
    folder = Path(folder)
    candidates = [folder] if (folder / "sha256.json").exists() else _numbered(folder)[::-1]
    for candidate in candidates:
        damage = damage_of(candidate)
        if damage is None:
            weights = load_file(candidate / "adapter_model.safetensors")
            loaded = set_peft_model_state_dict(model, weights, model.active_adapter)
            if loaded.unexpected_keys:
                raise CourseError(
                    f"The model lacks adapters of the checkpoint {candidate}, such as {loaded.unexpected_keys[0]}. "
                    "Resume with the LoraConfig that the run began with."
                )
            value_head.load_state_dict(load_file(candidate / "value_head.safetensors"))
            return torch.load(candidate / "state.pt", weights_only=True, map_location="cpu")
        print(f"The checkpoint {candidate} is damaged ({damage}); using the one before it.", flush=True)
    raise CourseError(f"{folder} holds no intact checkpoint to resume from. Start anew without resume_from.")


def damage_of(folder: Path) -> str | None:
    """What is wrong with a checkpoint: a file is missing, or is not what was written. None if it is intact."""
    try:
        sums = json.loads((folder / "sha256.json").read_text())
        if FILES - sums.keys():
            return "its list of files is not whole"
    except (OSError, ValueError, AttributeError):
        return "its list of files cannot be read"
    for name, due in sums.items():
        if not (folder / name).is_file() or sha256_of(folder / name) != due:
            return f"{name} is missing or not what was written"
    return None


def refuse_newer(folder: Path, done: int) -> None:
    """Raise a `ValueError` if the folder holds checkpoints that a run which stands at update `done` has not made.

    They would be taken for its own: kept instead of new ones, and resumed from.
    """
    newer = [path for path in _later(Path(folder), done) if damage_of(path) is None]
    if newer:
        raise ValueError(
            f"output_dir={str(folder)!r} holds {newer[-1].name} of another run, and this one is at update {done}. "
            "Name another folder, or go on with that run: resume_from."
        )


def _numbered(folder: Path) -> list[Path]:
    return sorted(folder.glob("update-[0-9]*"))


def _later(folder: Path, number: int) -> list[Path]:
    return [path for path in _numbered(folder) if path.name > f"update-{number:06}"]
