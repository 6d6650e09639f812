"""What a policy does on held-out prompts: reward, drift, an independent judge, variety, and broken texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from helpers.backbone import Backbone
from helpers.feedback import lexicon_scores
from helpers.reward import AdapterReward
from helpers.rollout import Limits, decoded, generate, text_mask


@dataclass(frozen=True)
class Responses:
    """Texts of one policy, and a number for each; all (prompts,), float32.

    Attributes:
        prompts, responses: texts.
        reward: of the reward adapter, in standard deviations over human sentences.
        lexicon: compound score of the VADER lexicon, in [-1, 1]; nothing was trained on it.
        kl: nats a response: sum over tokens of log policy - log reference.
        reference_nll: nats a token under the reference; high where a text has stopped being language.
    """

    prompts: list[str]
    responses: list[str]
    reward: Tensor
    lexicon: Tensor
    kl: Tensor
    reference_nll: Tensor

    @property
    def distinct_2(self) -> float:
        """Distinct pairs of neighbouring words, as a share of all pairs, over all responses; 1 is no repetition."""
        pairs = [pair for text in self.responses for pair in zip(text.split(), text.split()[1:], strict=False)]
        return len(set(pairs)) / max(1, len(pairs))


@torch.no_grad()
def responses_to(
    prompts: Sequence[list[int]], backbone: Backbone, reward: AdapterReward, tokenizer: Any, length: int, seed: int = 0
) -> Responses:
    """Let the policy respond to prompts at temperature 1, with random numbers that depend on `seed` alone.

    Args:
        prompts: token ids.
        length: tokens a response.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for start in range(0, len(prompts), 32):
        rows = [{"input_ids": list(prompt)} for prompt in prompts[start : start + 32]]
        batch = tokenizer.pad(rows, return_tensors="pt").to(backbone.model.device)
        uniforms = torch.rand(len(rows), length, generator=generator).to(backbone.model.device)
        limits = Limits(1.0, None, tokenizer.pad_token_id)
        tokens, mask = generate(backbone, batch["input_ids"], batch["attention_mask"], uniforms, limits)
        states = backbone.trunk(tokens, mask.long())
        logprobs = backbone.response_logprobs(backbone.top(states), tokens[:, -length:], 1.0)
        reference = backbone.reference_logprobs(states, tokens, mask, length, 1.0)
        scores = reward.read(backbone, states, text_mask(tokenizer, tokens, mask))
        texts = (
            decoded(tokenizer, tokens[:, :-length], mask[:, :-length]),
            decoded(tokenizer, tokens[:, -length:], mask[:, -length:]),
        )
        parts.append((*texts, scores.cpu(), (logprobs - reference).sum(1).cpu(), -reference.mean(1).cpu()))
    asked, answered, scores, kl, nll = zip(*parts, strict=True)
    asked, answered = list(chain(*asked)), list(chain(*answered))
    lexicon = lexicon_scores([p + r for p, r in zip(asked, answered, strict=True)])
    return Responses(asked, answered, torch.cat(scores), lexicon, torch.cat(kl), torch.cat(nll))


def mean_and_interval(values: Tensor) -> tuple[float, float]:
    """The mean, and the half-width of its 95% interval, 1.96 standard errors."""
    return values.mean().item(), 1.96 * values.std().item() / len(values) ** 0.5


def change_and_interval(before: Tensor, after: Tensor) -> tuple[float, float]:
    """The mean change prompt by prompt, and the half-width of its 95% interval: the prompts are the same, so it is
    the differences whose spread counts."""
    return mean_and_interval(after - before)
