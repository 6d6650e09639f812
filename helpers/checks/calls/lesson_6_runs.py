"""Inputs and calls of exercises 6.3 and 6.4: seven runs to tell apart by what they keep, and six by their first log."""

import math
from collections.abc import Callable

import torch

from helpers.checks.calls.observe import TEXT_OUTPUTS, call_for_text

GRPO_RUN_OUTPUTS = OUTDATED_REFERENCE_OUTPUTS = TEXT_OUTPUTS
LINES = (
    "weights",
    "reward model",
    "value head",
    "optimizer state",
    "logits",
    "KV cache",
    "reference log-probs",
)
METRICS = ("loss", "loss again", "rewards/chosen", "rewards/rejected", "people agree")
STEPS = 4


def grpo_run_inputs(seed: int) -> dict:
    """A row of bytes (`LINES`) for each of seven runs of one model, in an order that the seed decides."""
    generator = torch.Generator().manual_seed(seed)

    def between(least: int, most: int) -> int:
        return int(torch.randint(least, most, (), generator=generator))

    model, trained = 10**6 * between(100, 900), 10**4 * between(40, 90)
    rows = []
    for method, reference in (
        ("DPO", "shared"),
        ("DPO", "copied"),
        ("GRPO", "shared"),
        ("GRPO", "copied"),
        ("GRPO", "none"),
        ("PPO", "shared"),
        ("PPO", "copied"),
    ):
        head = 4 * between(500, 4000) if method == "PPO" else 0
        responses, length = 8 * between(2, 9), 8 * between(2, 9)
        rows.append(
            [
                2 * model if reference == "copied" else model,
                0 if method == "DPO" else model,
                head,
                2 * (4 * trained + head),
                4 * between(4, 17) * length * 49152,
                0 if method == "DPO" else responses * length * 46080,
                0 if reference == "none" else 4 * responses * (1 if method == "DPO" else length),
            ]
        )
    order = torch.randperm(len(rows), generator=generator)
    return {"kept": torch.tensor(rows, dtype=torch.int64)[order]}


def call_grpo_run(answer: Callable, inputs: dict) -> dict:
    return call_for_text(answer, {"kept": ledgers(inputs)})


def ledgers(inputs: dict) -> dict[str, dict[str, int]]:
    """Bytes by line, by the name of the run."""
    rows = inputs["kept"].tolist()
    return {f"run {number}": dict(zip(LINES, row, strict=True)) for number, row in enumerate(rows, start=1)}


def outdated_reference_inputs(seed: int) -> dict:
    """Figures (`METRICS`) of the first steps of six DPO runs, in an order that the seed decides."""
    generator = torch.Generator().manual_seed(seed)

    def noise(size: float) -> float:
        return size * (2 * float(torch.rand((), generator=generator)) - 1)

    rows = []
    for kind in ("healthy", "outdated", "swapped", "dropout", "other mode", "stuck"):
        speed = 0.3 + abs(noise(0.1))
        for step in range(STEPS):
            learned = 0 if kind == "stuck" else step * speed
            chosen, rejected = 0.4 * learned + noise(0.02 * learned), -0.6 * learned + noise(0.02 * learned)
            agree = 0.55 + (-0.06 if kind == "swapped" else 0.06) * learned / speed
            shift = 0.0
            if kind == "outdated":  # both texts are reviews, and the start knew reviews: they are up together
                both = 4 + noise(0.5)
                chosen, rejected = chosen + both, rejected + both + noise(0.02)
            if kind == "other mode":  # a fixed error of the reference, the same each time, that does not cancel
                chosen, rejected = chosen - 0.45 + noise(0.05), rejected + 0.45 + noise(0.05)
            if kind == "dropout":
                chosen, rejected = chosen - 0.2 + noise(0.1), rejected + 0.2 + noise(0.1)
                shift = 0.06 + abs(noise(0.03))
            loss = math.log1p(math.exp(rejected - chosen))
            rows.append([loss, loss + shift, chosen + 0.0, rejected + 0.0, agree])  # -0.0 becomes 0.0
    logs = torch.tensor(rows, dtype=torch.float64).view(6, STEPS, len(METRICS))
    return {"logs": logs[torch.randperm(6, generator=generator)]}


def call_outdated_reference(answer: Callable, inputs: dict) -> dict:
    return call_for_text(answer, {"logs": first_logs(inputs)})


def first_logs(inputs: dict) -> dict[str, dict[str, list[float]]]:
    """The values of each metric at each step, by the name of the run."""
    return {
        f"run {number}": dict(zip(METRICS, [list(column) for column in zip(*log, strict=True)], strict=True))
        for number, log in enumerate(inputs["logs"].tolist(), start=1)
    }
