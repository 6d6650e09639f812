"""How far the optimisation phase is from what this machine's matrix products allow.

python tests/bench/limit.py [bf16 | 8bit | fp32] [top | all] [MICRO-BATCH]   writes tests/bench/limit.json

The arithmetic of an update is counted (torch.utils.flop_counter), and divided by the speed of a large matrix product
in the same dtype, measured in the same process after each update.
Of attention, fewer products are counted than it needs: five in the backward, and on a CPU none in the forward.
"""

import contextlib
import json
import statistics
import sys
import time
from pathlib import Path

import torch
from run import machine
from torch.utils.flop_counter import FlopCounterMode
from worker import micro_batch

from helpers.course.train import new_policy
from helpers.feedback import prompt_collator, prompt_ids
from helpers.model import load_tokenizer, start_lesson
from helpers.ppo import PPOConfig, PPOTrainer
from helpers.reward import AdapterReward

RECORD = Path(__file__).parent / "limit.json"
UPDATES = 9


def flops_per_second(dtype: torch.dtype, size: int = 2048, times: int = 12) -> float:
    """Of a square matrix product, the median of `times`."""
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / sorted(seconds)[times // 2]


def main(precision: str = "bf16", layers: str = "top", micro: str = "") -> None:
    start_lesson()
    model, tokenizer = new_policy(precision, layers=layers), load_tokenizer()
    rows = int(micro) if micro else micro_batch(precision, layers)
    config = PPOConfig(
        response_length=24,
        batch_size=16,
        per_device_train_batch_size=rows,
        temperature=1.0,
        learning_rate=1e-3,
    )
    trainer = PPOTrainer(
        config,
        model,
        tokenizer=tokenizer,
        dataset=prompt_ids("train", tokenizer, 64),
        data_collator=prompt_collator(tokenizer),
        reward=AdapterReward(model),
    )
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32  # an 8-bit layer multiplies in float
    optimize, counted, took, ideal = trainer._optimize, FlopCounterMode(display=False), [], []

    def measured(rollout):
        started = time.perf_counter()
        with contextlib.nullcontext() if took else counted:  # the first update is counted, and warms up
            metrics = optimize(rollout)
        took.append(time.perf_counter() - started)
        ideal.append(counted.get_total_flops() / flops_per_second(dtype))
        return metrics

    trainer._optimize = measured
    trainer.train(1 + UPDATES)
    ratios = sorted(mine / best for mine, best in zip(took[1:], ideal[1:], strict=True))
    found = {
        "flop": counted.get_total_flops(),
        "flop_per_second": counted.get_total_flops() / statistics.median(ideal[1:]),
        "seconds": statistics.median(took[1:]),
        "times_the_limit": round(statistics.median(ratios), 2),
        "times_the_limit_range": [round(ratios[0], 2), round(ratios[-1], 2)],
    }
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {"limits": {}}
    record["limits"][f"{precision}-{layers}-{rows}"] = found
    RECORD.write_text(json.dumps(record | machine(), indent=1) + "\n")
    print(
        f"{precision}-{layers}, micro-batches of {rows}: {found['flop'] / 1e9:.0f} GFLOP; a matrix product of 2048 "
        f"reaches {found['flop_per_second'] / 1e9:.0f} GFLOP/s; it took {found['seconds']:.2f} s, "
        f"{found['times_the_limit']} times as long ({ratios[0]:.2f} to {ratios[-1]:.2f} in {UPDATES} updates)"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
