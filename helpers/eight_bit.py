"""A frozen 8-bit model that computes one function, on a CPU and on a GPU, in less memory than bitsandbytes takes.

That function is the one of bitsandbytes' layers on a CPU in `train()`: the integers as floats, then one product.
"""

import contextlib
import ctypes
import functools
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding, linear

from helpers.device import best_precision
from helpers.layers import forwards
from helpers.products import product


def read_rows_alone(model: nn.Module) -> None:
    """From now on, let 8-bit layers on a GPU compute what they compute on a CPU in `train()`; there, change nothing.

    bitsandbytes' product on a GPU rounds the inputs, too, and takes apart the columns that have an outlier *anywhere in
    the batch* (Dettmers et al., 2022, section 3.2): what the model says of a text depends on the texts beside it, and a
    rollout and its micro-batches are read by two functions. tests/bench/gpu.json has what that did to PPO on an H100.
    """
    floats = _Floats()
    for layer in filter(_on_gpu, _eight_bit_layers(model)):
        layer.forward = functools.partial(_frozen, floats, layer)


@contextlib.contextmanager
def lean(model: nn.Module) -> Iterator[None]:
    """Inside, what PPO has frozen takes less; outputs and gradients stay those of the model in `train()` on a CPU.

    There they are equal to the bit, or on AMD's processors to rounding, and faster (`helpers.products`). 8-bit
    layers keep no input for the backward: the gradient of a frozen layer's input does not need it. And where a
    processor multiplies in bfloat16, an embedding (and output layer) in float32 whose numbers are all exact in bfloat16
    is stored so: it was loaded from there.
    """
    layers = _eight_bit_layers(model)
    left = [layer for layer in layers if "forward" not in vars(layer)]  # the others multiply so already: one buffer
    ends = [model.get_input_embeddings(), model.get_output_embeddings()] if layers and _in_bfloat16_is_fast() else []
    with forwards(dict.fromkeys(left, functools.partial(_frozen, _Floats()))), _halved(ends):
        yield


@contextlib.contextmanager
def in_bfloat16(model: nn.Module) -> Iterator[None]:
    """Inside, 8-bit layers multiply in bfloat16 where the processor does, at half the time; without gradients.

    bitsandbytes makes float32 of all weights for every token. Their 8-bit integers are exact in bfloat16, too, so only
    inputs and outputs are rounded; and, as with a model in bfloat16, no log-probability is to be taken from it.
    """
    layers = _eight_bit_layers(model) if _in_bfloat16_is_fast() else []
    with forwards(dict.fromkeys(layers, functools.partial(_rounded, _Floats()))):
        yield


@contextlib.contextmanager
def _halved(ends: list[nn.Module]) -> Iterator[None]:
    """Embedding and output layer in half the bytes, inside, if all of both is frozen, plain, and exact in bfloat16."""
    if not all(map(_can_be_halved, ends)):
        ends = []
    weights = {end.weight for end in ends}  # one, if they are tied
    if weights:
        _give_free_memory_back()  # for a moment, both sizes are there
    for weight in weights:
        weight.data = weight.data.bfloat16()
    try:
        with forwards({end: _looked_up if type(end) is nn.Embedding else _multiplied for end in ends}):
            yield
    finally:
        if weights:
            _give_free_memory_back()
        for weight in weights:
            _widen(weight)


def _widen(weight: Tensor) -> None:
    """To float32, half by half: not all of both is there at once."""
    half, wide = len(weight) // 2, torch.empty_like(weight, dtype=torch.float32)
    wide[half:] = weight.data[half:]
    rest = weight.data[:half].clone()
    weight.data = wide  # frees what was there
    wide[:half] = rest


def _can_be_halved(end: nn.Module) -> bool:
    plain = type(end) is nn.Embedding or (type(end) is nn.Linear and end.bias is None)
    if not plain or end.weight.dtype != torch.float32 or end.weight.requires_grad:
        return False
    return all(torch.equal(part.bfloat16().float(), part) for part in end.weight.split(1024))


def _looked_up(layer: nn.Embedding, tokens: Tensor) -> Tensor:
    return embedding(tokens, layer.weight).float()


def _multiplied(layer: nn.Linear, x: Tensor) -> Tensor:
    """In the precision of `x`, with a part of the weights at a time."""
    return torch.cat([linear(x, part.to(x.dtype)) for part in layer.weight.split(1024)], -1)


def _give_free_memory_back() -> None:
    with contextlib.suppress(OSError, AttributeError):  # glibc's; elsewhere the allocator decides
        ctypes.CDLL(None).malloc_trim(0)


class _Floats:
    """One buffer for the floats of all layers' integers, one after the other: new ones would scatter the heap."""

    def __init__(self):
        self.buffer = torch.empty(0)

    def of(self, integers: Tensor, dtype: torch.dtype) -> Tensor:
        """A view of the buffer, which holds until the next call."""
        fits = (self.buffer.dtype, self.buffer.device) == (dtype, integers.device)
        if not fits or len(self.buffer) < integers.numel():
            self.buffer = torch.empty(integers.numel(), dtype=dtype, device=integers.device)
        return self.buffer[: integers.numel()].view_as(integers).copy_(integers)


def _in_bfloat16_is_fast() -> bool:
    return best_precision()[0] == "bf16"


def _on_gpu(layer: nn.Module) -> bool:
    return layer.weight.device.type == "cuda"


def _eight_bit_layers(model: nn.Module) -> list[nn.Module]:
    """bitsandbytes' own layers, not peft's around them, that hold integers."""
    name = "bitsandbytes.nn.modules.Linear8bitLt"
    found = [layer for layer in model.modules() if f"{type(layer).__module__}.{type(layer).__name__}" == name]
    return [layer for layer in found if layer.weight.dtype == torch.int8]


def _frozen(floats: _Floats, layer: nn.Module, x: Tensor) -> Tensor:
    found = _FrozenProduct.apply(x, layer.weight.data, _largest(layer), floats)
    return found if layer.bias is None else found + layer.bias.to(x.dtype)


def _rounded(floats: _Floats, layer: nn.Module, x: Tensor) -> Tensor:
    integers = floats.of(layer.weight.data, torch.bfloat16)
    product = (x.bfloat16() @ integers.t()).to(x.dtype) * (_largest(layer) / 127).to(x.dtype)
    return product if layer.bias is None else product + layer.bias.to(x.dtype)


def _largest(layer: nn.Module) -> Tensor:
    """(outputs,): the largest magnitude in each row of the weight, for which 127 stands."""
    return layer.state.SCB if layer.weight.SCB is None else layer.weight.SCB  # the first forward moves it


class _FrozenProduct(torch.autograd.Function):
    @staticmethod
    def forward(context, x: Tensor, integers: Tensor, largest: Tensor, floats: _Floats) -> Tensor:
        context.save_for_backward(integers, largest)
        context.floats = floats
        return product(x, floats.of(integers, x.dtype).mul_(largest[:, None] * (1.0 / 127.0)))

    @staticmethod
    @once_differentiable  # the buffer holds another layer's floats by then
    def backward(context, gradient: Tensor):
        integers, largest = context.saved_tensors
        weight = context.floats.of(integers, gradient.dtype).mul_(largest[:, None] * (1.0 / 127.0))
        return product(gradient, weight.T), None, None, None
