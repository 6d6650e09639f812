"""How far the optimisation phase is from what this machine's matrix products allow.

python tests/bench/limit.py [bf16 | 8bit | fp32] [top | all]        prints one line

The arithmetic of an update is counted (torch.utils.flop_counter), and divided by the speed of a large matrix product
in the same dtype, measured in the same process before and after.
"""

import sys
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from helpers.course.train import new_policy
from helpers.feedback import prompt_collator, prompt_ids
from helpers.model import load_tokenizer, start_lesson
from helpers.ppo import PPOConfig, PPOTrainer
from helpers.reward import AdapterReward


def flops_per_second(dtype: torch.dtype, size: int = 2048, times: int = 12) -> float:
    """Of a square matrix product, the median of `times`."""
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / sorted(seconds)[times // 2]


def main(precision: str = "bf16", layers: str = "top") -> None:
    start_lesson()
    model, tokenizer = new_policy(precision, layers=layers), load_tokenizer()
    config = PPOConfig(response_length=24, batch_size=16, temperature=1.0, learning_rate=1e-3)
    trainer = PPOTrainer(
        config,
        model,
        tokenizer=tokenizer,
        dataset=prompt_ids("train", tokenizer, 64),
        data_collator=prompt_collator(tokenizer),
        reward=AdapterReward(model),
    )
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32  # an 8-bit layer multiplies in float
    speeds = [flops_per_second(dtype)]
    trainer.train(1)  # warms up
    rollout = trainer._roll_out()
    with FlopCounterMode(display=False) as counted:
        trainer._optimize(rollout)
    seconds = []
    for _ in range(5):
        rollout = trainer._roll_out()
        started = time.perf_counter()
        trainer._optimize(rollout)
        seconds.append(time.perf_counter() - started)
    speeds.append(flops_per_second(dtype))
    speed, took, work = sum(speeds) / 2, sorted(seconds)[2], counted.get_total_flops()
    print(
        f"{precision}-{layers}: optimisation {work / 1e9:.0f} GFLOP; a matrix product of 2048 reaches "
        f"{speed / 1e9:.0f} GFLOP/s, at which it takes {work / speed:.2f} s; it took {took:.2f} s, "
        f"{took * speed / work:.2f} times as long"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
