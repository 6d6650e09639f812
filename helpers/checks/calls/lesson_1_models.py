"""Inputs and calls of two exercises of lesson 1 on whole models: their bytes in 8-bit, and which one is in eval()."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.observe import NUMBER_OUTPUTS, TEXT_OUTPUTS, call_for_number, call_for_text

BYTES_IN_8BIT_OUTPUTS = NUMBER_OUTPUTS
EIGHT_BIT_IN_EVAL_OUTPUTS = TEXT_OUTPUTS
call_bytes_in_8bit = call_for_number

MEASURED = ("alone", "again", "in_a_batch")
# The variants in the order in which they are computed. Which name each has is drawn.
VARIANTS = ("bf16", "8-bit train", "8-bit eval", "4-bit", "dropout")
_WIDTH, _VOCABULARY, _TOKENS, _OTHERS = 256, 50, 100, 60


def bytes_in_8bit_inputs(seed: int) -> dict:
    """A small model's tensors: layers with biases and norms, a tied output layer, and a head of its own in float32."""
    generator = torch.Generator().manual_seed(seed)

    def size(least: int, most: int) -> int:
        return int(torch.randint(least, most, (), generator=generator))

    width, vocabulary, inner = 8 * size(5, 9), size(300, 500), 8 * size(11, 15)
    tensors, address = [], 4096

    def add(layer: str, kind: str, tensor: str, shape: list[int], bytes_each: int = 2) -> None:
        nonlocal address
        entry = {"layer": layer, "kind": kind, "tensor": tensor, "shape": shape, "bytes_each": bytes_each}
        tensors.append({**entry, "address": address})
        address += 64 * size(100, 1000)

    add("embed", "Embedding", "weight", [vocabulary, width])
    for number in range(size(2, 4)):
        shapes = {"q_proj": (width, width), "k_proj": (width // 2, width)}
        shapes |= {"up_proj": (inner, width), "down_proj": (width, inner)}
        for name, (rows, columns) in shapes.items():
            add(f"layers.{number}.{name}", "Linear", "weight", [rows, columns])
            add(f"layers.{number}.{name}", "Linear", "bias", [rows])
        add(f"layers.{number}.norm", "RMSNorm", "weight", [width], bytes_each=4)
    add("score", "Linear", "weight", [size(30, 40), width], bytes_each=4)
    tied = {**tensors[0], "layer": "lm_head", "kind": "Linear"}
    return {"tensors": [*tensors, tied], "skipped": ["lm_head", "score"]}


def eight_bit_in_eval_inputs(seed: int) -> dict:
    """Log-probabilities of one text under five versions of one output layer, each computed three times for real.

    In the batch, other texts have outlier columns. Every figure also carries the noise of another order of summation.
    """
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randperm(9000, generator=generator)[: len(VARIANTS)] + 1000
    names = [f"run {number}" for number in numbers.tolist()]
    columns = torch.randperm(_WIDTH, generator=generator)[:16]
    x = torch.randn(_TOKENS, _WIDTH, generator=generator)
    x[:, columns[0]] = 5.5  # no outlier yet, but it sets the scale of its row
    others = torch.randn(_OTHERS, _WIDTH, generator=generator)
    others[:, columns] += 12
    weight = 0.15 * torch.randn(_VOCABULARY, _WIDTH, generator=generator)
    tokens = torch.multinomial((x @ weight.T).softmax(-1), 1, generator=generator)

    def logprobs(logits: Tensor) -> Tensor:
        noise = 1e-6 * torch.randn(_TOKENS, generator=generator)
        return logits.log_softmax(-1).gather(-1, tokens).squeeze(-1) + noise

    inputs = {"names": [names[place] for place in torch.randperm(len(names), generator=generator).tolist()]}
    inputs["original"] = logprobs(x @ weight.T)
    for name, variant in zip(names, VARIANTS, strict=True):
        batch = (x, x, torch.cat([x, others]))
        inputs |= {
            f"{name}: {measured}": logprobs(_logits(variant, rows, weight, generator)[:_TOKENS])
            for measured, rows in zip(MEASURED, batch, strict=True)
        }
    return inputs


def call_eight_bit_in_eval(answer: Callable, inputs: dict) -> dict:
    runs = {name: {which: inputs[f"{name}: {which}"] for which in MEASURED} for name in inputs["names"]}
    return call_for_text(answer, {"original": inputs["original"], "runs": runs})


def _logits(variant: str, x: Tensor, weight: Tensor, generator: torch.Generator) -> Tensor:
    if variant == "bf16":
        return x @ weight.bfloat16().float().T
    if variant == "4-bit":
        return x @ _rounded(weight, steps=7).T
    if variant == "dropout":
        kept = torch.rand(x.shape, generator=generator) > 0.002
        return (x * kept / 0.998) @ weight.T
    if variant == "8-bit eval":
        outlier = (x.abs() > 6).any(dim=0)
        x = _rounded(x * ~outlier) + x * outlier
    return x @ _rounded(weight).T


def _rounded(rows: Tensor, steps: int = 127) -> Tensor:
    step = rows.abs().amax(dim=1, keepdim=True) / steps
    return (rows / step).round() * step
