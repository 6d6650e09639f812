"""Inputs and calls of the exercise of lesson 4 that samples."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.observe import TENSOR_OUTPUTS, call_again, call_for_tensor, kind_of_error

_OTHERS = ("near", "far", "wide", "one")
SAMPLED_TOKENS_OUTPUTS = {
    **TENSOR_OUTPUTS,
    "varies": bool,  # another result when called again
    "ignores_uniforms": bool,  # the same with other random numbers
    **{f"{name}_output": Tensor for name in _OTHERS},
    **{f"{name}_kind": str for name in _OTHERS},
}
_ROWS, _VOCABULARY = 48, 12
TOP_ROWS = 4  # the last ones, whose random number is the largest that float32 has below 1
TOP_LEFT_OUT = "a tensor without them"  # in place of a kind: the output has no token for those rows


def sampled_tokens_inputs(seed: int) -> dict:
    """Logits, and random numbers that each fall well inside the stretch of one token, far from rounding.

    In four more rows four tokens have a probability of 1/4, which is exact, and the number falls on the end of one. In
    the last four it is the largest below 1, and the sum of the rounded probabilities stays below it.
    """
    generator = torch.Generator().manual_seed(seed)
    logits = 1.5 * torch.randn(_ROWS, _VOCABULARY, generator=generator)
    temperature = round(0.5 + 0.3 * torch.rand((), generator=generator).item(), 2)
    tokens = torch.multinomial(_likely(logits, temperature), 1, generator=generator)
    uniforms = _within(logits, temperature, tokens, generator)
    even = torch.rand(4, _VOCABULARY, generator=generator).argsort(dim=1) < 4
    logits = torch.cat([logits, torch.where(even, 0.0, -1e4)])
    logits = torch.cat([logits, _rows_that_end_low(temperature, generator)])
    uniforms = torch.cat([uniforms, torch.tensor([0.25, 0.5, 0.75, 0.25]), torch.full((TOP_ROWS,), 1 - 2**-24)])
    return {"logits": logits, "uniforms": uniforms, "temperature": temperature}


def _rows_that_end_low(temperature: float, generator: torch.Generator) -> Tensor:
    """Logits whose float32 probabilities add up to the least below 1; (TOP_ROWS, vocabulary)."""
    logits = 1.5 * torch.randn(4000, _VOCABULARY, generator=generator)
    probabilities = (logits / temperature).softmax(1)
    logits = logits[probabilities[:, -1] > 0.05]  # the last token is the one due, and no other is near
    ends = (logits / temperature).softmax(1).cumsum(1)[:, -1]
    return logits[ends.argsort(stable=True)[:TOP_ROWS]]


def other_rows(inputs: dict) -> dict[str, dict]:
    """Other rows and temperatures; no random number is so near an end that the rounding of float32 tells.

    near: numbers within a ten-thousandth of an end. far: logits near 100 and -100, and a temperature of 0.05. wide: a
    vocabulary of 300, in which ten tokens are unlikely, and a temperature above 1. one: a single row.
    """
    logits, uniforms, temperature = inputs["logits"][:_ROWS], inputs["uniforms"][:_ROWS], inputs["temperature"]
    generator = torch.Generator().manual_seed(int(uniforms[0] * 2**24))
    shift = 100 - 200 * (torch.arange(_ROWS)[:, None] % 2)
    return {
        "near": {**_near_an_end(logits, temperature, generator), "temperature": temperature},
        "far": {"logits": logits * (0.05 / temperature) + shift, "uniforms": uniforms, "temperature": 0.05},
        "wide": _wide(generator),
        "one": {**inputs, "logits": logits[:1], "uniforms": uniforms[:1]},
    }


def _near_an_end(logits: Tensor, temperature: float, generator: torch.Generator) -> dict:
    """Of these rows those whose number, next to a drawn end, keeps away from all others; on both sides in turn."""
    probabilities = _probabilities(logits, temperature)
    ends = probabilities.cumsum(1)[:, :-1]
    drawn = ends.gather(1, torch.multinomial(probabilities[:, :-1], 1, generator=generator))
    off = (3e-5 + 5e-5 * torch.rand(_ROWS, 1, generator=generator)) * (1 - 2 * (torch.arange(_ROWS)[:, None] % 2))
    numbers = (drawn + off).float()
    good = ((numbers - ends).abs().amin(1) > 2.5e-5) & (numbers > 1e-3).squeeze(1) & (numbers < 1 - 1e-3).squeeze(1)
    return {"logits": logits[good], "uniforms": numbers[good].squeeze(1)}


def _wide(generator: torch.Generator) -> dict:
    temperature = round(1.2 + 0.4 * torch.rand((), generator=generator).item(), 2)
    weights = (0.8 * torch.randn(30, 300, generator=generator)).exp()
    rare = torch.rand(30, 300, generator=generator).argsort(dim=1)[:, :10]
    weights.scatter_(1, rare, 0).div_(weights.sum(1, keepdim=True)).scatter_(1, rare, 8e-5)
    logits = temperature * weights.log()
    tokens = torch.multinomial(_likely(logits, temperature, 0.003), 1, generator=generator)
    tokens[::3] = rare[::3, :1]
    return {"logits": logits, "uniforms": _within(logits, temperature, tokens, generator), "temperature": temperature}


def _probabilities(logits: Tensor, temperature: float) -> Tensor:
    return (logits.double() / temperature).softmax(1)


def _likely(logits: Tensor, temperature: float, least: float = 0.01) -> Tensor:
    """The probabilities, 0 for those below the least."""
    probabilities = _probabilities(logits, temperature)
    return probabilities * (probabilities > least)


def _within(logits: Tensor, temperature: float, tokens: Tensor, generator: torch.Generator) -> Tensor:
    """A random number in the stretch of each token, neither in its first nor in its last tenth; (rows,) float32."""
    probabilities = _probabilities(logits, temperature)
    below = (probabilities.cumsum(1) - probabilities).gather(1, tokens)
    inside = 0.1 + 0.8 * torch.rand(len(tokens), 1, generator=generator, dtype=torch.float64)
    return (below + inside * probabilities.gather(1, tokens)).squeeze(1).float()


def call_sampled_tokens(answer: Callable, inputs: dict) -> dict:
    """Call the answer twice, once with the random numbers in another order, and on `other_rows`.

    Where it finds no token in the rows whose number is nearly 1, and only there, the kind of its output is the error
    that it ended in, or TOP_LEFT_OUT, and the output is that of the other rows.
    """
    others = {**inputs, **{name: inputs[name][:-TOP_ROWS] for name in ("logits", "uniforms")}}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            outputs = call_for_tensor(answer, inputs)
        except (IndexError, StopIteration) as error:
            outputs = call_again(call_for_tensor, answer, others)
            if outputs["kind"] != "Tensor":
                raise
            left_out = {**outputs, "kind": kind_of_error(error), "varies": False, "ignores_uniforms": False}
            return left_out | _of_other_rows(answer, inputs)
        again = call_for_tensor(answer, inputs)
        other = call_again(call_for_tensor, answer, {**inputs, "uniforms": inputs["uniforms"].flip(0)})
        outputs |= _of_other_rows(answer, inputs)
    if outputs["kind"] == "Tensor" and outputs["output"].shape == others["uniforms"].shape:
        outputs["kind"] = TOP_LEFT_OUT
    same = {name: torch.equal(outputs["output"], one["output"]) for name, one in (("again", again), ("other", other))}
    return {**outputs, "varies": not same["again"], "ignores_uniforms": same["other"]}


def _of_other_rows(answer: Callable, inputs: dict) -> dict:
    found = {name: call_again(call_for_tensor, answer, given) for name, given in other_rows(inputs).items()}
    return {f"{name}_{part}": one[part] for name, one in found.items() for part in ("output", "kind")}
