"""Inputs and calls of lesson 5: how many prompts, what a run shows, and which checkpoint to keep."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.observe import NUMBER_OUTPUTS, call_for_number, call_for_texts, texts_outputs

PROMPTS_NEEDED_OUTPUTS = NUMBER_OUTPUTS
BEST_CHECKPOINT_OUTPUTS = NUMBER_OUTPUTS
call_prompts_needed = call_for_number
call_best_checkpoint = call_for_number

FIELDS = (
    "reward_change",
    "reward_half",
    "lexicon_change",
    "lexicon_half",
    "kl",
    "distinct_2_before",
    "distinct_2_after",
    "nll_before",
    "nll_after",
)
# One run of each kind. The figures are close to those of real runs of the course's trainer.
DRAWN = {
    "clear": (0.95, 0.11, 0.44, 0.06, 4.5, 0.91, 0.88, 3.5, 3.3),
    "small": (0.12, 0.04, 0.05, 0.02, 0.8, 0.72, 0.70, 3.5, 3.5),
    "far": (1.10, 0.12, 0.50, 0.06, 16.0, 0.90, 0.84, 3.5, 4.2),
    "unconfirmed": (2.10, 0.20, 0.03, 0.08, 3.0, 0.91, 0.88, 3.5, 3.4),
    "repeating": (1.80, 0.15, 0.52, 0.06, 9.0, 0.60, 0.42, 3.5, 3.4),  # lost less than 0.2, and more than a fifth
    "garbled": (1.60, 0.15, 0.41, 0.07, 9.0, 0.91, 0.90, 3.5, 5.9),
    "wide": (0.30, 0.38, 0.21, 0.08, 2.0, 0.91, 0.90, 3.5, 3.5),
    "wide_below": (-0.15, 0.33, -0.04, 0.08, 2.5, 0.91, 0.89, 3.5, 3.5),
    "fallen": (-0.50, 0.12, -0.20, 0.07, 12.0, 0.91, 0.40, 3.5, 6.4),
}
RUNS = len(DRAWN)
CLAIM_OF_OUTPUTS = texts_outputs(RUNS)
_PILOT = 40
_SAVED, _EVERY = 12, 10


def prompts_needed_inputs(seed: int) -> dict:
    """Paired scores of a pilot: prompts differ by a standard deviation of 1, changes by 0.6, nearly exactly.

    The number that is due, before rounding, ends in .2 to .4, so that rounding to the nearest is seen.
    """
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn(2, _PILOT, generator=generator, dtype=torch.float64)
    draws -= draws.mean(1, keepdim=True)
    draws[1] -= draws[0] * (draws[0] @ draws[1]) / (draws[0] @ draws[0])  # what is left is not correlated
    draws /= draws.std(1, keepdim=True)
    size = 0.95 + 0.1 * torch.rand((), generator=generator, dtype=torch.float64).item()
    due = int(torch.randint(200, 400, (), generator=generator)) + 0.2 + 0.2 * torch.rand((), generator=generator).item()
    change = 1.96 * 0.6 * size / due**0.5
    before = (size * draws[0]).float()
    after = (size * (draws[0] + 0.6 * draws[1]) + 1.25 * change).float()
    spread = (after.double() - before.double()).std().item()  # rounding to float32 has moved it a little
    return {"before": before, "after": after, "change": 1.96 * spread / due**0.5}


def claim_of_inputs(seed: int) -> dict:
    """A row of figures (`FIELDS`) for each of nine runs, in an order that the seed decides; each a little moved."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.tensor(list(DRAWN.values()), dtype=torch.float64)
    rows *= 0.96 + 0.08 * torch.rand(RUNS, 1, generator=generator, dtype=torch.float64)
    return {"runs": rows[torch.randperm(RUNS, generator=generator)].round(decimals=4)}


def call_claim_of(answer: Callable, inputs: dict) -> dict:
    """Call the answer once for each run, with its figures by name."""
    return call_for_texts(answer, (dict(zip(FIELDS, row, strict=True)) for row in inputs["runs"].tolist()))


def best_checkpoint_inputs(seed: int) -> dict:
    """A log of 120 updates with a checkpoint every 10. Each way to pick has a peak of its own, at another update.

    Of the checkpoints, in an order that the seed decides: one is the best within the budget; one is better, and over
    it, as are the lines beside it; one is better, too, and over it alone; one has the best line under its own number
    instead of the next; one has the lowest KL, one the lowest score. An early one is over the budget before the best
    one comes. Between two checkpoints lies the best line of all, and the first line is better than the best checkpoint.
    """
    generator = torch.Generator().manual_seed(seed)
    updates, budget = _SAVED * _EVERY, 5 + 2 * torch.rand((), generator=generator).item()
    scores = 0.2 + 0.1 * torch.rand(updates, generator=generator)
    kl = budget * (0.5 + 0.3 * torch.rand(updates, generator=generator))
    order = (_EVERY * (3 + torch.randperm(7, generator=generator))).tolist()  # checkpoints 30 … 90
    best, over, alone, shifted, nearest, unsaved, worst = order
    scores[best], scores[over], scores[alone], scores[0] = 1.0, 1.4, 1.3, 1.1
    kl[over - 1 : over + 2] = kl[alone] = 1.3 * budget
    scores[shifted - 1], scores[unsaved + 2] = 1.6, 2.0
    scores[worst], kl[nearest] = 0.0, 0.1 * budget
    scores[_EVERY], kl[2 * _EVERY] = 0.6, 1.1 * budget  # who stops at the first crossing keeps checkpoint 10
    scores[-1] = 1.2  # of the last update, whose checkpoint 120 no line describes
    return {"scores": scores, "kl": kl, "save_every": _EVERY, "kl_budget": budget}


def judged_checkpoints(scores: Tensor, save_every: int) -> range:
    """The checkpoints that a line of the log describes: the one after their own."""
    return range(save_every, len(scores), save_every)
