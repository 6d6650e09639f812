"""`python -m helpers reward`: train the reward model on people's ratings, measure it on held-out pairs, save it."""

import argparse
import datetime
import platform
import time
from pathlib import Path

import torch

from helpers.model import best_precision, start_lesson
from helpers.reward import (
    evaluate_reward_model,
    new_reward_model,
    reward_folder,
    save_reward_model,
    train_reward_model,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pairs", type=int, default=2400, help="training pairs (default: 2400)")
    parser.add_argument("--out", type=Path, help="folder to write (default: where the course looks for it)")


def run(args: argparse.Namespace) -> int:
    start_lesson()
    precision = "bf16" if best_precision()[0] == "bf16" else "fp32"  # a T4's fp16 would need loss scaling
    reward = new_reward_model(precision)
    started = time.perf_counter()
    train_reward_model(reward, args.pairs)
    seconds = time.perf_counter() - started
    figures = evaluate_reward_model(reward)
    for judge in ("reward_model", "lexicon"):
        share, interval = figures[judge], figures[f"{judge}_interval"]
        print(f"{judge:12} agrees with people on {share:.1%} ± {interval:.1%} of {figures['pairs']} held-out pairs")
    run_figures = {
        "training_pairs": args.pairs,
        "training_seconds": round(seconds),
        "precision": precision,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "date": datetime.date.today().isoformat(),
    }
    save_reward_model(reward, args.out or reward_folder(), {**run_figures, **figures})
    print(f"Saved to {args.out or reward_folder()} after {seconds:.0f} s of training.")
    return 0
