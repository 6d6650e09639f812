"""A rollout: what the policy wrote, and what every role said about it."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from helpers.backbone import Backbone, TrunkStates, head_values

Reward = Callable[[Sequence[str], Sequence[str]], Sequence[float]]


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
    backbone: Backbone,
    prompts: Tensor,
    mask: Tensor,
    uniforms: Tensor,
    *,
    temperature: float,
    stop: int | None,
    pad: int,
) -> tuple[Tensor, Tensor]:
    """Let the policy write: sample from softmax(logits / temperature) and from nothing else (no top-k, no penalty).

    Args:
        prompts, mask: (batch, prompt), padded on the left.
        uniforms: (batch, response), in [0, 1): the random numbers; the same ones give the same responses.
        stop: id of the end token, which ends a response and belongs to it; None: all responses have full length.
        pad: id that stands behind the end.

    Returns:
        tokens and mask, both (batch, prompt + response).
    """
    batch, response = uniforms.shape
    tokens, mask = torch.cat([prompts, prompts.new_full((batch, response), pad)], 1), mask.bool()
    cache_name = "cache" if "cache" in inspect.signature(backbone.decoder.forward).parameters else "past_key_values"
    cache = {cache_name: DynamicCache(config=backbone.decoder.config), "use_cache": True}
    new, positions = prompts, (mask.cumsum(1) - 1).clamp_min(0)
    running = torch.ones_like(mask[:, 0])
    for step in range(response):
        hidden = backbone.decoder(new, attention_mask=mask.long(), position_ids=positions, **cache).last_hidden_state
        logits = backbone.output_layer(hidden[:, -1]).float() / temperature
        new = torch.where(running, _sampled(logits, uniforms[:, step]), pad)[:, None]
        tokens[:, prompts.shape[1] + step] = new[:, 0]
        mask = torch.cat([mask, running[:, None]], 1)
        running = running & (new[:, 0] != (-1 if stop is None else stop))
        positions = positions[:, -1:] + 1
        if not running.any():
            break
    missing = tokens.shape[1] - mask.shape[1]
    return tokens, torch.cat([mask, mask.new_zeros(batch, missing)], 1)


@torch.no_grad()
def judged(
    backbone: Backbone,
    value_head: nn.Linear,
    tokens: Tensor,
    mask: Tensor,
    scores: Tensor | Callable[[TrunkStates, slice], Tensor],
    *,
    prompt: int,
    temperature: float,
    forward_batch: int,
) -> Rollout:
    """Let policy, reference and value (and the reward adapter, where there is one) read what was written.

    The old log-probabilities come from the same kind of pass that trains, not from decoding: in bfloat16 the two differ
    by up to 0.38 nats, and the first ratio would not be 1.

    Args:
        scores: (batch,), or a function that reads those of some rows off the backbone: (states of the rows, rows).
        prompt: length of the padded prompts.
        forward_batch: sequences a pass.
    """
    states = backbone.trunk(tokens, mask.long())
    responses = tokens[:, prompt:]
    rows = [slice(i, i + forward_batch) for i in range(0, len(tokens), forward_batch)]

    def read(part: slice) -> tuple[Tensor, Tensor]:
        hidden = backbone.top(states.rows(part))
        logprobs = backbone.response_logprobs(hidden, responses[part], temperature)
        return logprobs, head_values(value_head, hidden, responses.shape[1])

    policy = [read(part) for part in rows]
    with backbone.reference():
        reference = [read(part)[0] for part in rows]
    if callable(scores):
        scores = torch.cat([scores(states.rows(part), part) for part in rows])
    logprobs, values = (torch.cat(parts) for parts in zip(*policy, strict=True))
    return Rollout(tokens, mask, prompt, states, logprobs, torch.cat(reference), values, scores.float())


def _sampled(logits: Tensor, uniforms: Tensor) -> Tensor:
    """The token at which the cumulative probability of each row passes its random number (inverse-cdf sampling)."""
    cumulative = logits.softmax(1).cumsum(1)
    # The sum of 49,152 float32 numbers is not exactly 1; the last token with a probability above 0 is the limit.
    return torch.searchsorted(cumulative, uniforms[:, None] * cumulative[:, -1:], right=True).squeeze(1)
