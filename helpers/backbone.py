"""One backbone, four roles: policy, reference, value and reward from a single model.

Adapters may sit on the top layers only. Then all layers below, the **trunk**, compute the same for every role and in
every epoch: run it once a rollout, keep its output, and run only the **top** again. With adapters on all layers the
trunk is the embedding, and nothing else changes.
"""

import contextlib
import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from helpers.adapters import reference as without_adapters
from helpers.eight_bit import read_rows_alone
from helpers.layers import forwards
from helpers.products import product

LAYERS, FINAL_NORMS = ("layers", "h"), ("norm", "ln_f", "final_layer_norm", "final_layernorm")
CHUNK_LOGITS = 2**19  # logits that exist at the same time
LONG_TEXT = 64  # tokens, padding included; of longer ones the backward computes some layers again
TRUNK_TEXT = 256  # tokens; of shorter texts the trunk reads as many more at once


@dataclass(frozen=True)
class TrunkStates:
    """What enters the first adapted layer: hidden states (batch, length, width), and the other arguments of layers.

    Arguments go by the kind of a layer: in Gemma 3, those that attend to a few tokens before get a mask of their own.
    """

    hidden: Tensor
    arguments: dict[str, dict[str, Any]]

    def rows(self, index: Tensor | slice) -> "TrunkStates":
        """The states of some sequences of the batch."""
        batch = len(self.hidden)

        def pick(value):
            of_texts = not isinstance(value, Tensor) or value.dim() < 3 or len(value) in (1, batch)
            if not of_texts or not isinstance(value, Tensor | tuple | dict | str | int | float | None):
                shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
                raise ValueError(f"its layers are given a {type(value).__name__}{shape}, not to be taken text by text")
            if isinstance(value, dict):
                return {name: pick(part) for name, part in value.items()}
            if isinstance(value, tuple):
                return tuple(pick(part) for part in value)
            return value[index] if isinstance(value, Tensor) and value.dim() and len(value) == batch else value

        return TrunkStates(self.hidden[index], pick(self.arguments))


class Backbone:
    """A peft model, split at the first layer that has an adapter; on a GPU its 8-bit layers read each text alone.

    Args:
        model: a `PeftModel` whose base is embedding, layers, final norm and output matrix.
        reference: None: the model without adapters; the name of a frozen adapter; or a model of its own.

    Raises:
        ValueError: an adapter sits outside the layers, where `top` would not run it, or the base has other parts.
    """

    def __init__(self, model: PeftModel, reference: str | nn.Module | None = None):
        self.model, self.reference = model, reference
        for given in (model, reference):
            if isinstance(given, nn.Module):
                read_rows_alone(given)
        self.policy_adapter = model.active_adapter
        base = model.get_base_model()
        self.decoder = _decoder(base)
        self.layers = _part(self.decoder, LAYERS)
        self.norm = _part(self.decoder, FINAL_NORMS)
        self.kinds = (getattr(base.config, "layer_types", None) or ["layer"] * len(self.layers))[: len(self.layers)]
        self.output_layer = base.get_output_embeddings()
        self.first_adapted = _first_adapted(model, len(self.layers))

    @torch.no_grad()
    def trunk(self, tokens: Tensor, mask: Tensor, rows: int | None = None) -> TrunkStates:
        """Run embedding and frozen layers, without gradients: they are the same for every role.

        Args:
            tokens: (batch, length), int64, padded on the left.
            mask: (batch, length): 1 where a token is real. Positions count real tokens only.
            rows: sequences a pass of the layers; None: all.
        """
        states = self._entering(tokens, mask)
        layers, rows = range(self.first_adapted), rows or len(tokens)
        for start in range(0, len(tokens), rows):
            part = states.rows(slice(start, start + rows))
            part.hidden.copy_(self._through(layers, part.hidden, part.arguments))
        return states

    def _entering(self, tokens: Tensor, mask: Tensor) -> TrunkStates:
        """What enters the first layer, and what each kind of layer is given beside: no layer is run."""
        positions = (mask.cumsum(1) - 1).clamp_min(0)
        kind_of, found = dict(zip(self.layers, self.kinds, strict=True)), {}

        def catch(layer, *inputs, **arguments):
            names = list(inspect.signature(type(layer).forward).parameters)[1:]  # GPT-2's mask comes without its name
            arguments = dict(zip(names, inputs, strict=False)) | arguments
            hidden = arguments.pop(names[0]).detach()
            found.setdefault(kind_of[layer], arguments)
            if len(found) == len(set(self.kinds)):
                raise _EnteringIsCaughtError(hidden)
            return hidden

        with forwards(dict.fromkeys(self.layers, catch)):
            try:
                self.decoder(tokens, attention_mask=mask, position_ids=positions, use_cache=False)
            except _EnteringIsCaughtError as entering:
                return TrunkStates(entering.args[0], found)

    def top(self, states: TrunkStates) -> Tensor:
        """Run the layers from the first adapted one on; (batch, length, width), behind the final norm.

        Which role it is depends on the adapter that is on: the policy's, unless inside `adapter(name)`.

        Of texts longer than `LONG_TEXT` only as many layers keep all that their backward needs as would keep no more of
        texts of that length. The lower ones keep what enters them, a tenth or less, and are computed again in
        the backward, one at a time (Chen et al., 2016, "Training Deep Nets with Sublinear Memory Cost", section 4). The
        same adapter must be on until then. How many do so depends on the length alone, so that smaller micro-batches
        never take more memory.
        """
        hidden, layers = states.hidden, range(self.first_adapted, len(self.layers))
        trained = sum(_has_gradients(self.layers[layer]) for layer in layers)  # below a frozen adapter's, none is kept
        again = max(0, len(layers) - trained * LONG_TEXT // hidden.shape[1])
        for layer in layers[:again]:
            hidden = checkpoint(self._through, [layer], hidden, states.arguments, use_reentrant=False)
        return self.norm(self._through(layers[again:], hidden, states.arguments))

    def _through(self, layers: Sequence[int], hidden: Tensor, arguments: dict) -> Tensor:
        for layer in layers:
            output = self.layers[layer](hidden, **arguments[self.kinds[layer]])
            hidden = output[0] if isinstance(output, tuple) else output
        return hidden

    def response_logprobs(self, hidden: Tensor, responses: Tensor, temperature: float) -> Tensor:
        """Log-probabilities of response tokens; logits for no other position, and never for all at once.

        Args:
            hidden: (batch, length, width), what `top` returned.
            responses: (batch, response): the last tokens of the sequences.
            temperature: divides the logits, as in sampling.

        Returns:
            (batch, response), nats, float32.
        """
        return _response_logprobs(hidden, self.output_layer.weight, responses, temperature)

    def reference_logprobs(self, states: TrunkStates, tokens: Tensor, mask: Tensor, response: int, temperature: float):
        """What the reference says of the last `response` tokens; (batch, response), nats, float32, no gradients."""
        responses = tokens[:, -response:]
        if isinstance(self.reference, nn.Module):
            return whole_logprobs(self.reference, tokens, mask, response, temperature)
        role = without_adapters(self.model) if self.reference is None else self.adapter(self.reference)
        with torch.no_grad(), role:
            return self.response_logprobs(self.top(states), responses, temperature)

    def reference_states(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """The last states of a reference that is a model of its own; (batch, length, width)."""
        return last_states(self.reference, tokens, mask)

    @contextlib.contextmanager
    def adapter(self, name: str) -> Iterator[None]:
        """Another, frozen adapter instead of the policy's, inside; what is trainable is restored."""
        trainable = {name: p.requires_grad for name, p in self.model.named_parameters()}
        self.model.base_model.set_adapter(name, inference_mode=True)
        try:
            yield
        finally:
            self.model.base_model.set_adapter(self.policy_adapter)
            for key, parameter in self.model.named_parameters():
                parameter.requires_grad_(trainable[key])


def _response_logprobs(hidden: Tensor, weight: Tensor, responses: Tensor, temperature: float) -> Tensor:
    # The slice is made contiguous once: the output layer would otherwise copy it, again and again, in a slow order.
    rows = hidden[:, -responses.shape[1] - 1 : -1].contiguous().flatten(0, 1)
    return _TokenLogprobs.apply(rows, weight, responses.flatten(), 1 / temperature).view_as(responses)


class _TokenLogprobs(torch.autograd.Function):
    """log softmax(scale · h Wᵀ)[token] of each row, in slices of the vocabulary, with W frozen.

    The softmax's normalizer is summed slice by slice under a running maximum (Milakov & Gimelshein, 2018). The gradient
    of a row's log-probability, scale · (W[token] - softmax · W), does not depend on what comes after, so the forward
    sums it along, and keeps a (rows, width) tensor instead of the logits.
    """

    @staticmethod
    def forward(context, hidden: Tensor, weight: Tensor, tokens: Tensor, scale: float) -> Tensor:
        dtype = torch.promote_types(hidden.dtype, weight.dtype)
        rows, size = hidden.to(dtype), max(1, CHUNK_LOGITS // len(hidden))
        size = size if weight.dtype == dtype else min(size, 1024)  # a slice is copied, then
        size -= size % 64 if size > 64 else 0  # products of odd widths take up to twice as long
        highest = hidden.new_full((len(hidden), 1), -torch.inf, dtype=torch.float32)
        total, average = torch.zeros_like(highest), 0.0  # Σ exp(logit - highest), and Σ exp(logit - highest) · W
        buffer = highest.new_empty(len(rows) * min(size, len(weight)))  # fresh memory costs more than a copy
        for part in weight.split(size):
            part = part.to(dtype)
            logits = buffer[: len(rows) * len(part)].view(len(rows), -1).copy_(product(rows, part)).mul_(scale)
            higher = torch.maximum(highest, logits.amax(1, keepdim=True))
            shrunk, shares = (highest - higher).exp_(), logits.sub_(higher).exp_()
            total = total * shrunk + shares.sum(1, keepdim=True)
            if context.needs_input_grad[0]:
                average = average * shrunk + product(shares.to(dtype), part.T)
            highest = higher
        chosen = weight[tokens].float()
        if context.needs_input_grad[0]:
            context.save_for_backward((chosen - average / total).mul_(scale).to(hidden.dtype))
        return (rows.float() * chosen).sum(1).mul_(scale) - (highest + total.log()).squeeze(1)

    @staticmethod
    def backward(context, gradient: Tensor):
        (slopes,) = context.saved_tensors
        return (gradient[:, None] * slopes).to(slopes.dtype), None, None, None


class _EnteringIsCaughtError(Exception):
    """Ends a forward where every kind of layer was met; with what entered the first."""


def _decoder(base: nn.Module) -> nn.Module:
    return _part(base, (base.base_model_prefix, "model", "transformer"))


def _part(model: nn.Module, names: Sequence[str]) -> nn.Module:
    """The decoder of a model, or the layers or the final norm of that: architectures call them by different names."""
    found = next((name for name in names if hasattr(model, name)), None)
    if found is None:
        raise ValueError(
            f"model: a {type(model).__name__} has none of {', '.join(names)}, where this trainer looks for a part of "
            "it. Take a model of another architecture, such as Llama, Qwen3 or the text-only Gemma 3."
        )
    return getattr(model, found)


def _first_adapted(model: PeftModel, layers: int) -> int:
    """The lowest layer index that any adapter touches."""
    adapted = [name for name, _ in model.named_parameters() if ".lora_" in name]
    found = [re.search(r"\.(?:layers|h)\.(\d+)\.", name) for name in adapted]
    if None in found:
        raise ValueError(
            f"target_modules: {adapted[found.index(None)]} adapts what is no layer, and would be left out of every "
            "log-probability. Adapt modules of the layers only, such as q_proj and v_proj."
        )
    return min((int(match[1]) for match in found), default=layers)


def _has_gradients(layer: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in layer.parameters())


def switch_dropout_off(model: nn.Module) -> None:
    """Every dropout of the model to 0, the ones that attention keeps as a number too."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in [name for name, value in vars(module).items() if "drop" in name and isinstance(value, float)]:
            setattr(module, name, 0.0)


def full_batches(rows: Tensor, size: int) -> list[tuple[Tensor, int]]:
    """Rows in batches of exactly `size`, each with how many of it count: a last, smaller one repeats its rows.

    In bfloat16 the matrix products of two shapes differ: on a CPU the same token in batches of 8 and of 16 by up to 0.3
    nats. Passes that are compared with each other must have one shape.
    """
    return [(part.repeat(-(-size // len(part)))[:size], len(part)) for part in rows.split(size) if len(part)]


@torch.no_grad()
def whole_logprobs(model: nn.Module, tokens: Tensor, mask: Tensor, response: int, temperature: float) -> Tensor:
    """Log-probabilities of the last `response` tokens by a plain forward of any causal model; (batch, response)."""
    hidden = last_states(model, tokens, mask)
    return _response_logprobs(hidden, model.get_output_embeddings().weight, tokens[:, -response:], temperature)


def last_states(model: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
    """(batch, length, width), behind the final norm."""
    decoder = _decoder(model.get_base_model() if isinstance(model, PeftModel) else model)
    positions = (mask.cumsum(1) - 1).clamp_min(0)
    return decoder(tokens, attention_mask=mask.long(), position_ids=positions, use_cache=False).last_hidden_state


def head_values(head: nn.Linear, hidden: Tensor, response: int) -> Tensor:
    """What the value head says before each response token; (batch, response), float32."""
    return head(hidden[:, -response - 1 : -1].float()).squeeze(-1)
