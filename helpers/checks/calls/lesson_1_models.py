"""Inputs and calls of two exercises of lesson 1 on whole models: their bytes in 8-bit, and which one is in eval()."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.observe import NUMBER_OUTPUTS, call_for_each, call_for_number, texts_outputs

BYTES_IN_8BIT_OUTPUTS = NUMBER_OUTPUTS
call_bytes_in_8bit = call_for_number

MEASURED = ("alone", "again", "in_a_batch")
# The variants in the order in which they are computed. Which name each has is drawn.
VARIANTS = ("bf16", "8-bit train", "8-bit eval", "4-bit", "dropout")
DRAWS = 4  # so often is the answer asked, each time about five other runs: no guess is lucky every time
EIGHT_BIT_IN_EVAL_OUTPUTS = texts_outputs(DRAWS)
_WIDTH, _VOCABULARY, _TOKENS, _OTHERS = 256, 50, 100, 60


def bytes_in_8bit_inputs(seed: int) -> dict:
    """A small model's tensors: layers with biases and norms, a tied output layer, and a head of its own in float32.

    Of the names in `skipped` one is the beginning of another layer's, and one ends as other layers' names do.
    """
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
    add("score_in", "Linear", "weight", [size(20, 30), width])
    add("score", "Linear", "weight", [size(30, 40), width], bytes_each=4)
    tied = {**tensors[0], "layer": "lm_head", "kind": "Linear"}
    return {"tensors": [*tensors, tied], "skipped": ["lm_head", "score", "layers.1.q_proj"]}


def eight_bit_in_eval_inputs(seed: int) -> dict:
    """Several draws (`_five_runs`); in the first the run with dropout stands before the one in eval().

    There, too, the mean change beside other texts is largest with dropout, so that a mean of signed changes shows.
    """
    generator = torch.Generator().manual_seed(seed)
    draws = [_five_runs(generator) for _ in range(DRAWS)]
    while not _dropout_comes_first(draws[0]):
        draws[0] = _five_runs(generator)
    return {f"draw {number}/{key}": value for number, draw in enumerate(draws) for key, value in draw.items()}


def _dropout_comes_first(draw: dict) -> bool:
    made = ways_of(draw)
    order = [made[name] for name in draw["names"]]
    change = {
        made[name]: (draw[f"{name}: alone"] - draw[f"{name}: in_a_batch"]).mean().item() for name in draw["names"]
    }
    is_before = order.index("dropout") < order.index("8-bit eval")
    return is_before and change["dropout"] > 1e-4 and change["dropout"] > 2 * change["8-bit eval"]


def _five_runs(generator: torch.Generator) -> dict:
    """Log-probabilities of one text under five versions of one output layer, each computed three times for real.

    In the batch, other texts have outlier columns. Every figure also carries the noise of another order of summation.
    """
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
    def arguments(draw: dict) -> dict:
        runs = {name: {which: draw[f"{name}: {which}"] for which in MEASURED} for name in draw["names"]}
        return {"original": draw["original"], "runs": runs}

    return call_for_each(answer, (arguments(draw) for draw in drawn(inputs)))


def drawn(inputs: dict) -> list[dict]:
    """The draws apart, each with the names that it came with."""
    draws = {}
    for key, value in inputs.items():
        number, _, name = key.partition("/")
        draws.setdefault(number, {})[name] = value
    return list(draws.values())


def ways_of(draw: dict) -> dict[str, str]:
    """How the run of each name was made: their figures stand in the order of `VARIANTS`."""
    names = [key.removesuffix(": alone") for key in draw if key.endswith(": alone")]
    return dict(zip(names, VARIANTS, strict=True))


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
