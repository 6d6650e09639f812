"""`python -m helpers reward`: train the reward model on people's ratings, measure it on held-out pairs, save it."""

import argparse
import datetime
import platform
import tempfile
import time
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from helpers.device import best_precision
from helpers.download import CourseError
from helpers.model import model_folder, start_lesson
from helpers.reward import (
    SHIPPED,
    evaluate_reward_model,
    new_reward_model,
    reward_folder,
    save_reward_model,
    train_reward_model,
)

FILES = {"adapter_config.json", "adapter_model.safetensors", "head.safetensors", "figures.json"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pairs", type=int, default=2400, help="training pairs (default: 2400)")
    parser.add_argument(
        "--precision",
        choices=("fp32", "bf16", "8bit"),  # a T4's fp16 would need loss scaling
        help="of the frozen weights (default: bf16 where the machine has it, else fp32; on a GPU 8bit if these would "
        "take more than half of it)",
    )
    parser.add_argument("--out", type=Path, help="folder to write (default: the cache; needed for the default model)")


def run(args: argparse.Namespace) -> int:
    folder = checked_place(args.out)
    start_lesson()
    precision = args.precision or suitable_precision()
    try:
        reward = new_reward_model(precision)
        started = time.perf_counter()
        train_reward_model(reward, args.pairs)
        seconds = time.perf_counter() - started
        figures = evaluate_reward_model(reward)
    except torch.OutOfMemoryError as error:
        cure = "Take a smaller model." if precision == "8bit" else "Try --precision 8bit."
        raise CourseError(f"The GPU is too small to train the reward model in {precision}. {cure}") from error
    for judge in ("reward_model", "lexicon"):
        share, interval = figures[judge], figures[f"{judge}_interval"]
        print(f"{judge:12} agrees with people on {share:.1%} ± {interval:.1%} of {figures['pairs']} held-out pairs")
    of_cpu = f"{platform.machine()}, {torch.get_num_threads()} threads"
    run_figures = {
        "training_pairs": args.pairs,
        "training_seconds": round(seconds),
        "precision": precision,
        "machine": torch.cuda.get_device_name() if torch.cuda.is_available() else of_cpu,
        "date": datetime.date.today().isoformat(),
    }
    save_reward_model(reward, folder, {**run_figures, **figures})
    print(f"Saved to {folder} after {seconds:.0f} s of training.")
    return 0


def suitable_precision() -> str:
    """bf16 where the machine has it, else fp32; 8bit on a GPU of which the weights would take more than half."""
    precision = "bf16" if best_precision()[0] == "bf16" else "fp32"
    if not torch.cuda.is_available():
        return precision
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(model_folder()))
    weights = sum(p.numel() for p in model.parameters()) * {"bf16": 2, "fp32": 4}[precision]
    return "8bit" if 2 * weights > torch.cuda.get_device_properties(0).total_memory else precision


def checked_place(out: Path | None) -> Path:
    """The folder to write: `out`, or where the course looks for the model's reward adapter. Asked before training.

    Raises:
        CourseError: it would replace the shipped adapter unasked, replace anything but a reward adapter, or cannot be
            written.
    """
    if out is None and reward_folder() == SHIPPED:
        raise CourseError(
            "The reward adapter of the default model is shipped already, and nothing needs to be trained. To train "
            "another, name a folder: python -m helpers reward --out FOLDER"
        )
    folder = (out or reward_folder()).absolute()
    try:
        names = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if names and ("figures.json" not in names or names - FILES):
            raise CourseError(
                f"{folder} would be replaced, and holds {min(names - FILES or names)}, no reward adapter. Name "
                "a new folder with --out, or an earlier reward adapter's."
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryDirectory(dir=folder.parent).cleanup()
    except OSError as error:
        raise CourseError(f"{folder} cannot be written ({error.strerror}). Name another folder with --out.") from error
    return folder
