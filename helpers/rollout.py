"""A rollout: what the policy wrote, and what every role said about it."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from helpers import eight_bit
from helpers.backbone import TRUNK_TEXT, Backbone, TrunkStates, full_batches, head_values

Reward = Callable[[Sequence[str], Sequence[str]], Sequence[float]]
Scores = Tensor | Callable[[TrunkStates, Tensor], Tensor]


@dataclass(frozen=True)
class Limits:
    """How responses are sampled, and where they end: id of the end token (None: at full length) and of the padding."""

    temperature: float
    stop: int | None
    pad: int


@dataclass(frozen=True)
class Written:
    """Responses that were written: tokens and mask, (batch, length), how many tokens a response has, and at which
    temperature they were sampled."""

    tokens: Tensor
    mask: Tensor
    response: int
    temperature: float


@dataclass
class Rollout:
    """One batch of responses.

    Attributes:
        tokens: (batch, length), int64: prompts padded on the left, responses padded on the right.
        mask: (batch, length), bool: true where a token is real.
        prompt_length: length of the padded prompts.
        states: what enters the adapted layers.
        logprobs, reference_logprobs: (batch, response), nats, float32: of the sampled tokens.
        values: (batch, response), float32: what the value head said before each token.
        scores: (batch,), float32: of the reward model, penalties included.
    """

    tokens: Tensor
    mask: Tensor
    prompt_length: int
    states: TrunkStates
    logprobs: Tensor
    reference_logprobs: Tensor
    values: Tensor
    scores: Tensor

    @property
    def responses(self) -> Tensor:
        """(batch, response), int64."""
        return self.tokens[:, self.prompt_length :]

    @property
    def response_mask(self) -> Tensor:
        """(batch, response), bool: true up to and including the end token."""
        return self.mask[:, self.prompt_length :]


@torch.no_grad()
def generate(
    backbone: Backbone, prompts: Tensor, mask: Tensor, uniforms: Tensor, limits: Limits
) -> tuple[Tensor, Tensor]:
    """Let the policy write: sample from softmax(logits / temperature) and from nothing else (no top-k, no penalty).

    Args:
        prompts, mask: (batch, prompt), padded on the left.
        uniforms: (batch, response), in [0, 1): the random numbers; the same ones give the same responses.

    Returns:
        tokens and mask, both (batch, prompt + response).
    """
    batch, response = uniforms.shape
    tokens = torch.cat([prompts, prompts.new_full((batch, response), limits.pad)], 1)
    mask = torch.cat([mask.bool(), torch.zeros_like(uniforms, dtype=torch.bool)], 1)
    cache_name = "cache" if "cache" in inspect.signature(backbone.decoder.forward).parameters else "past_key_values"
    cache = {cache_name: DynamicCache(config=backbone.decoder.config), "use_cache": True}
    positions = (mask.cumsum(1) - 1).clamp_min(0)
    running = torch.ones_like(mask[:, 0])
    start = 0
    with eight_bit.lean(backbone.model), eight_bit.in_bfloat16(backbone.decoder):
        for end in range(prompts.shape[1], tokens.shape[1]):
            hidden = backbone.decoder(
                tokens[:, start:end], attention_mask=mask[:, :end].long(), position_ids=positions[:, start:end], **cache
            ).last_hidden_state
            last = hidden[:, -1].to(backbone.output_layer.weight.dtype)
            logits = backbone.output_layer(last).float() / limits.temperature
            chosen = _sampled(logits, uniforms[:, end - prompts.shape[1]])
            tokens[:, end] = torch.where(running, chosen, limits.pad)
            mask[:, end] = running
            positions[:, end] = positions[:, end - 1] + 1
            if limits.stop is not None:
                running = running & (chosen != limits.stop)
                if not running.any():
                    break
            start = end
    return tokens, mask


@torch.no_grad()
def judged(backbone: Backbone, value_head: nn.Linear, written: Written, scores: Scores, forward_batch: int) -> Rollout:
    """Let policy, reference and value (and the reward adapter, where there is one) read what was written.

    The old log-probabilities come from the same kind of pass that trains, not from decoding: in bfloat16 the two differ
    by up to 0.38 nats, and the first ratio would not be 1. For the same reason all batches have one shape.

    Args:
        scores: (batch,), or a function that reads those of some rows off the backbone: (states of the rows, rows).
        forward_batch: sequences a pass; as many as in the passes that train. The trunk, which keeps nothing of them,
            reads more short ones at once.
    """
    tokens, mask, response, temperature = written.tokens, written.mask, written.response, written.temperature
    states = backbone.trunk(tokens, mask.long(), forward_batch * max(1, TRUNK_TEXT // tokens.shape[1]))

    def read(rows: Tensor) -> list[Tensor]:
        part = states.rows(rows)
        hidden = backbone.top(part)
        logprobs = backbone.response_logprobs(hidden, tokens[rows, -response:], temperature)
        reference = backbone.reference_logprobs(part, tokens[rows], mask[rows], response, temperature)
        found = scores(part, rows) if callable(scores) else scores[rows]
        return [logprobs, reference, head_values(value_head, hidden, response), found]

    batches = full_batches(torch.arange(len(tokens), device=tokens.device), forward_batch)
    parts = [[of_role[:count] for of_role in read(rows)] for rows, count in batches]
    logprobs, reference, values, found = (torch.cat(of_role) for of_role in zip(*parts, strict=True))
    return Rollout(tokens, mask, tokens.shape[1] - response, states, logprobs, reference, values, found)


def _sampled(logits: Tensor, uniforms: Tensor) -> Tensor:
    """The token at which the cumulative probability of each row passes its random number (inverse-cdf sampling); the
    last token where probabilities are no numbers, for a token beyond the vocabulary would take a GPU's context down."""
    cumulative = logits.softmax(1).cumsum(1)
    # Float32 sums of 49,152 numbers end near 1, not at it, so the random number is stretched to the sum's end.
    chosen = torch.searchsorted(cumulative, uniforms[:, None] * cumulative[:, -1:], right=True).squeeze(1)
    return chosen.clamp_max(logits.shape[1] - 1)


def decoded(tokenizer: Any, tokens: Tensor, mask: Tensor) -> list[str]:
    """The texts of the real tokens of each row, without special tokens."""
    return [tokenizer.decode(row[real], skip_special_tokens=True) for row, real in zip(tokens, mask, strict=True)]


def text_mask(tokenizer: Any, tokens: Tensor, mask: Tensor) -> Tensor:
    """(batch, length), bool: true where a token is real and stays in what `decoded` returns."""
    added = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    special = torch.tensor(sorted(added.union(tokenizer.all_special_ids)), device=tokens.device)
    return mask.bool() & ~torch.isin(tokens, special)


def sample_table(tokenizer: Any, rollout: Rollout, rows: int = 4) -> str:
    """Prompt, response, score and KL (nats) of the first responses of a rollout."""
    mask, prompt = rollout.response_mask, rollout.prompt_length
    kl = torch.where(mask, rollout.logprobs - rollout.reference_logprobs, 0).sum(1)
    prompts = decoded(tokenizer, rollout.tokens[:rows, :prompt], rollout.mask[:rows, :prompt])
    responses = decoded(tokenizer, rollout.responses[:rows], mask[:rows])
    return "\n".join(
        f"{score:+6.2f} reward {drift:6.2f} KL | {p} | {r.replace(chr(10), ' ')}"
        for p, r, score, drift in zip(prompts, responses, rollout.scores.tolist(), kl.tolist(), strict=False)
    )
