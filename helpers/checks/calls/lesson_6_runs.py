"""Inputs and calls of exercises 6.3 and 6.4: seven runs to tell apart by what they keep, and six by their first log.

Each check draws several such tables, so that neither a fixed name nor a tie passes.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.observe import call_for_texts, texts_outputs

TABLES = 6
GRPO_RUN_OUTPUTS = OUTDATED_REFERENCE_OUTPUTS = texts_outputs(TABLES)
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
    """Tables with a row of bytes (`LINES`) for each of seven runs of one model, in an order that the seed decides.

    Model, batches and lengths differ so much that neither a total nor the size of a line tells a method.
    """
    generator = torch.Generator().manual_seed(seed)
    return {"kept": _in_orders(generator, [_drawn_ledgers(generator) for _ in range(TABLES)])}


def _in_orders(generator: torch.Generator, tables: list[Tensor]) -> Tensor:
    """The rows of the tables in drawn orders, every other one the reverse of the one before: so of any two runs each
    comes first in some table, and who cannot tell them apart is found out whatever the seed."""
    orders = [torch.randperm(len(tables[0]), generator=generator) for _ in range(0, len(tables), 2)]
    both = [order for one in orders for order in (one, one.flip(0))]
    return torch.stack([table[order] for table, order in zip(tables, both, strict=True)])


def _drawn_ledgers(generator: torch.Generator) -> Tensor:
    def between(least: int, most: int) -> int:
        return int(torch.randint(least, most, (), generator=generator))

    model, trained = 10**6 * between(20, 200), 10**4 * between(40, 90)
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
        texts = 8 * between(2, 600)  # of DPO, which keeps one number for each
        rows.append(
            [
                2 * model if reference == "copied" else model,
                0 if method == "DPO" else model,
                head,
                2 * (4 * trained + head),
                4 * between(4, 17) * length * 49152,
                0 if method == "DPO" else responses * length * 46080,
                0 if reference == "none" else 4 * (texts if method == "DPO" else responses * length),
            ]
        )
    return torch.tensor(rows, dtype=torch.int64)


def call_grpo_run(answer: Callable, inputs: dict) -> dict:
    return call_for_texts(answer, ledgers(inputs), may_find_none=True)


def ledgers(inputs: dict) -> list[dict[str, dict[str, int]]]:
    """Of each table the bytes by line, by the name of the run."""
    return [
        {f"run {number}": dict(zip(LINES, row, strict=True)) for number, row in enumerate(rows, start=1)}
        for rows in inputs["kept"].tolist()
    ]


def outdated_reference_inputs(seed: int) -> dict:
    """Tables with figures (`METRICS`) of the first steps of six DPO runs, in an order that the seed decides.

    In every other pair of tables dropout makes the chosen text likelier, in the rest a wrong mode does: the sign of one
    reward names no run. Nor does a size: the rewards of the outdated run begin now higher, now lower than those of the
    other mode, and which of them or of dropout learns fastest goes round.
    """
    generator = torch.Generator().manual_seed(seed)
    return {"logs": _in_orders(generator, [_drawn_logs(generator, table) for table in range(TABLES)])}


def _drawn_logs(generator: torch.Generator, table: int) -> Tensor:
    def noise(size: float) -> float:
        return size * (2 * float(torch.rand((), generator=generator)) - 1)

    side, sizes = (-1) ** (table // 2), (0.6 + abs(noise(0.4)), 1.3 + abs(noise(0.5)))
    both, apart = sizes if table % 2 else sizes[::-1]  # of the outdated run, and of the other mode
    rows = []
    for kind in ("healthy", "outdated", "swapped", "dropout", "other mode", "stuck"):
        faster = ("outdated", "dropout", "other mode")[table % 3]
        speed = {"healthy": 2.5, faster: 0.9}.get(kind, 0.3) + abs(noise(0.1))
        for step in range(STEPS):
            learned = 0 if kind == "stuck" else step * speed
            of_chosen, of_rejected = (0.9, 0.3) if kind == "healthy" else (0.4, -0.6)
            chosen, rejected = (share * learned + noise(0.02 * learned) for share in (of_chosen, of_rejected))
            agree = 0.55 + {"healthy": 0.07, "swapped": -0.06}.get(kind, 0.06) * learned / speed
            shift = 0.0
            if kind == "outdated":  # both texts are reviews, and the start knew reviews: they are up together
                chosen, rejected = chosen + both, rejected + both + noise(0.003)
            if kind == "other mode":  # a fixed error of the reference, the same each time, that does not cancel
                chosen, rejected = chosen - side * apart + noise(0.05), rejected + side * apart + noise(0.05)
            if kind == "dropout":
                chosen, rejected = chosen + side * 0.2 + noise(0.1), rejected - side * 0.2 + noise(0.1)
                shift = 0.06 + abs(noise(0.03))
            loss = math.log1p(math.exp(rejected - chosen))
            rows.append([loss, loss + shift, chosen + 0.0, rejected + 0.0, agree])  # -0.0 becomes 0.0
    return torch.tensor(rows, dtype=torch.float64).view(6, STEPS, len(METRICS))


def call_outdated_reference(answer: Callable, inputs: dict) -> dict:
    return call_for_texts(answer, first_logs(inputs), may_find_none=True)


def first_logs(inputs: dict) -> list[dict[str, dict[str, list[float]]]]:
    """Of each table the values of each metric at each step, by the name of the run."""
    return [
        {f"run {number}": dict(zip(METRICS, log, strict=True)) for number, log in enumerate(logs, start=1)}
        for logs in inputs["logs"].mT.tolist()
    ]
