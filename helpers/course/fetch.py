"""`python -m helpers fetch`: all that needs the network or much time, once: model and ratings, verified, converted."""

import argparse
import os
import shutil
from pathlib import Path

from helpers.download import cache_folder, damage_of_folder, fetch, sweep


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no options: what is fetched is fixed, and COURSE_CACHE says where it goes."""


def run(args: argparse.Namespace) -> int:
    """Fetch what is missing or damaged, hash what is there, and convert the model. Needs no network once it is done."""
    print("Looking at model and ratings.", flush=True)
    from helpers import feedback, model  # after that line, for they import torch, which can take seconds

    for aside in cache_folder().rglob(".aside-*"):
        sweep(aside.parent)
    if not os.environ.get("COURSE_MODEL"):
        fetch(model.SOURCE, trust_note=False)
    fetch(feedback.SOURCE, trust_note=False)
    for precision in ("bf16", "8bit"):
        remove_if_damaged(cache_folder() / "models" / model.model_key() / precision)
    model.prepare()
    feedback.prepare()
    print(f"Model and ratings are ready, in {cache_folder()}")
    return 0


def remove_if_damaged(folder: Path) -> None:
    """Remove a converted model that is not as it was written, and say so; `model.prepare` then converts it again."""
    damage = damage_of_folder(folder) if folder.exists() else None
    if damage is not None:
        print(f"{damage}; converting it again.", flush=True)
        shutil.rmtree(folder)
