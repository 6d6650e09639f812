"""Norm, attention, gated block and LoRA of Llama, Mistral and Qwen2, with less time and memory for their backward.

Shazeer, 2020, "GLU Variants Improve Transformer", equation 6 (SwiGLU); Zhang & Sennrich, 2019, "Root Mean Square Layer
Normalization", equation 4; Vaswani et al., 2017, "Attention Is All You Need", equation 1; Hu et al., 2021, "LoRA:
Low-Rank Adaptation of Large Language Models", equation 3.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator

import torch
from peft.tuners.lora import Linear as AdaptedLinear
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear, silu
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

_MODELS = ("Llama", "Mistral", "Qwen2")  # of transformers; a class of another model may compute another function
SHORT_ATTENTION = 2**20  # weights of a layer that exist at once: beyond, PyTorch's own way takes less


@contextlib.contextmanager
def lean_layers(model: nn.Module) -> Iterator[None]:
    """Inside, these layers keep less for the backward; outputs are equal to the bit, gradients to rounding.

    - A norm keeps its input and 1 / rms, where PyTorch keeps a float32 copy of an input in 16 bits.
    - Attention in bfloat16 on a CPU keeps queries, keys and values, where PyTorch's keeps its output, too, and keys and
      values once for each head of the queries. For a short text its backward takes a fifth of the time, since PyTorch's
      is made for long ones, which are left to it.
    - A gated block keeps gate and up, and computes silu(gate) again.
    - An adapter on a layer in 16 bits keeps its input as it is, where peft keeps a float32 copy for each adapter.

    Other models, and layers that are trained themselves, stay as they are; on a GPU, where the rest has not been
    measured, all but the gated block.
    """
    found = {module: _LEAN[kind] for module in model.modules() if (kind := _kind(module)) in _LEAN}
    plain = ALL_ATTENTION_FUNCTIONS["sdpa"]
    ALL_ATTENTION_FUNCTIONS["sdpa"] = functools.partial(_attention, plain)
    try:
        with forwards(found):
            yield
    finally:
        ALL_ATTENTION_FUNCTIONS["sdpa"] = plain


@contextlib.contextmanager
def forwards(changed: dict[nn.Module, Callable]) -> Iterator[None]:
    """Other forwards inside, each called with its layer."""
    before = {layer: vars(layer).get("forward") for layer in changed}
    for layer, forward in changed.items():
        layer.forward = functools.partial(forward, layer)
    try:
        yield
    finally:
        for layer, forward in before.items():
            del layer.forward
            if forward is not None:
                layer.forward = forward


def _kind(module: nn.Module) -> str | None:
    if type(module) is AdaptedLinear:
        return "adapter" if module.weight.is_cpu else None
    name = type(module).__name__
    if name in [f"{model}MLP" for model in _MODELS] and type(module.act_fn).__name__ in ("SiLU", "SiLUActivation"):
        return "gated block"
    if name in [f"{model}RMSNorm" for model in _MODELS] and module.weight.is_cpu and not module.weight.requires_grad:
        return "norm"
    return None


class _Norm(torch.autograd.Function):
    """weight · x / rms(x)."""

    @staticmethod
    def forward(context, x: Tensor, weight: Tensor, epsilon: float):
        inverse = torch.rsqrt(x.float().square().mean(-1, keepdim=True) + epsilon)
        context.save_for_backward(x, inverse, weight)
        return weight * (x.float() * inverse).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(context, gradient: Tensor):
        x, inverse, weight = context.saved_tensors
        of_normed, normed = (gradient * weight).float(), x.float() * inverse
        along = (of_normed * normed).mean(-1, keepdim=True)
        return of_normed.addcmul_(normed, along, value=-1).mul_(inverse).to(x.dtype), None, None


class _GatedProduct(torch.autograd.Function):
    """silu(gate) · up."""

    @staticmethod
    def forward(context, gate: Tensor, up: Tensor) -> Tensor:
        context.save_for_backward(gate, up)
        return silu(gate).mul_(up)

    @staticmethod
    @once_differentiable
    def backward(context, gradient: Tensor):
        gate, up = context.saved_tensors
        return torch.ops.aten.silu_backward(gradient * up, gate), gradient * silu(gate)


class _Adapted(torch.autograd.Function):
    """result + scale · B A x, summed in float32."""

    @staticmethod
    def forward(context, result: Tensor, x: Tensor, a: Tensor, b: Tensor, scale: float):
        low = linear(x.float(), a)
        context.save_for_backward(x, low, a, b)
        context.scale = scale
        return linear(low, b).mul_(scale).add_(result).to(result.dtype)

    @staticmethod
    @once_differentiable
    def backward(context, gradient: Tensor):
        x, low, a, b = context.saved_tensors
        of_high = gradient.float().mul_(context.scale)
        of_low = of_high @ b
        of_x = (of_low @ a).to(x.dtype) if context.needs_input_grad[1] else None
        of_a = of_low.flatten(0, -2).T @ x.float().flatten(0, -2)
        return gradient, of_x, of_a, of_high.flatten(0, -2).T @ low.flatten(0, -2), None


def _adapted(layer: AdaptedLinear, x: Tensor, *others, **options) -> Tensor:
    name, *more = [name for name in layer.active_adapters if name in layer.lora_A] or [None]
    plain = not (others or options or more or layer.disable_adapters or layer.merged) and name is not None
    if not plain or x.dtype.itemsize != 2 or not _is_lora(layer, name):
        return type(layer).forward(layer, x, *others, **options)
    a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
    return _Adapted.apply(layer.base_layer(x), x, a, b, layer.scaling[name])


def _is_lora(layer: AdaptedLinear, name: str) -> bool:
    """Two matrices in float32, and no more: no variant such as DoRA, no dropout, no bias."""
    dropout, low, high = layer.lora_dropout[name], layer.lora_A[name], layer.lora_B[name]
    without = isinstance(dropout, nn.Identity) or dropout.p == 0 or not dropout.training
    return without and name not in layer.lora_variant and high.bias is None and low.weight.dtype == torch.float32


_LEAN = {
    "adapter": _adapted,
    "norm": lambda norm, x: _Norm.apply(x, norm.weight, norm.variance_epsilon),
    "gated block": lambda block, x: block.down_proj(_GatedProduct.apply(block.gate_proj(x), block.up_proj(x))),
}


def _attention(plain: Callable, layer: nn.Module, queries: Tensor, keys: Tensor, values: Tensor, mask, **options):
    plain = functools.partial(plain, layer, **options)
    known = type(layer).__name__ in [f"{model}Attention" for model in _MODELS]
    if not known or options.get("dropout") or options.get("is_causal") is False or not _is_short(queries, keys, mask):
        return plain(queries, keys, values, mask)
    scale = options.get("scaling") or queries.shape[-1] ** -0.5
    return _ShortAttention.apply(plain, queries, keys, values, mask, scale), None


def _is_short(queries: Tensor, keys: Tensor, mask: Tensor | None) -> bool:
    batch, heads, length, _ = queries.shape
    return (
        queries.dtype == torch.bfloat16
        and queries.device.type == "cpu"
        and torch.is_grad_enabled()
        and 1 < length == keys.shape[2]
        and batch * heads * length**2 <= SHORT_ATTENTION
        and (mask is None or (mask.dtype == torch.bool and mask.shape[1] == 1))
    )


class _ShortAttention(torch.autograd.Function):
    """softmax(scale · Q Kᵀ) V; to a head of the keys, the heads of queries that share it are one longer text."""

    @staticmethod
    def forward(context, plain: Callable, queries: Tensor, keys: Tensor, values: Tensor, mask, scale: float):
        context.save_for_backward(queries, keys, values, mask)
        context.scale = scale
        return plain(queries, keys, values, mask)[0]

    @staticmethod
    @once_differentiable
    def backward(context, gradient: Tensor):
        queries, keys, values, mask = context.saved_tensors
        length = queries.shape[2]
        if mask is None:
            mask = torch.ones(1, 1, length, length, dtype=torch.bool).tril()
        q, k, v, g = (_by_key(x, keys) for x in (queries * context.scale, keys, values, gradient.transpose(1, 2)))
        hidden = ~mask[:, :, None]
        scores = (q @ k.mT).float().view(*keys.shape[:2], -1, length, length).masked_fill_(hidden, -torch.inf)
        weights = scores.softmax(-1).masked_fill_(hidden, 0).view(len(k), -1, length)  # rows that see nothing, too
        del scores
        slopes = torch._softmax_backward_data((g @ v.mT).float(), weights, -1, torch.float32).to(k.dtype)
        of_queries = (slopes @ k).mul_(context.scale).view_as(queries)
        of_values = weights.to(v.dtype).mT @ g
        return None, of_queries, (slopes.mT @ q).view_as(keys), of_values.view_as(values), None, None


def _by_key(x: Tensor, keys: Tensor) -> Tensor:
    """(batch, heads, length, width) as (batch · heads of keys, heads a key · length, width)."""
    return x.reshape(keys.shape[0] * keys.shape[1], -1, x.shape[-1])
