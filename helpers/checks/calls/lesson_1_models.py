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
DRAWS = 5  # so often is the answer asked, each time about five other runs: no guess is lucky every time
EIGHT_BIT_IN_EVAL_OUTPUTS = texts_outputs(DRAWS)
_WIDTH, _VOCABULARY, _TOKENS, _OTHERS = 256, 50, 100, 60
_DISTANCES = (0.006, 0.015, 0.0375, 0.094, 0.234)  # of the five runs from the original, mean of all tokens, in nats


def bytes_in_8bit_inputs(seed: int) -> dict:
    """A small model's tensors: layers with biases and norms, a tied output layer, and a head of its own in float32.

    Of the names in `skipped` one is the beginning of another layer's, the end of a third one's and the last part of a
    fourth one's, one ends as other layers' names do, and one holds another layer's name. A quantized weight, too,
    serves in two layers; some quantized ones came in float32.
    """
    generator = torch.Generator().manual_seed(seed)

    def size(least: int, most: int) -> int:
        return int(torch.randint(least, most, (), generator=generator))

    width, vocabulary = 4 * size(40, 72), size(3000, 4000)  # large, as all that follows: two slips hardly agree
    inner = 2 * size(175, 240) + 1
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
            add(f"layers.{number}.{name}", "Linear", "weight", [rows, columns], 4 if name == "down_proj" else 2)
            add(f"layers.{number}.{name}", "Linear", "bias", [rows])
        add(f"layers.{number}.norm", "RMSNorm", "weight", [width], bytes_each=4)
    add("score_in", "Linear", "weight", [size(200, 300), width])
    add("pre_score", "Linear", "weight", [size(300, 400), width])
    add("score", "Linear", "weight", [size(400, 500), width], bytes_each=4)
    add("head", "Linear", "weight", [size(500, 600), width])
    add("value.score", "Linear", "weight", [size(600, 700), width])
    tied = {**tensors[0], "layer": "lm_head", "kind": "Linear"}
    first = next(tensor for tensor in tensors if tensor["layer"] == "layers.0.up_proj")
    shares = next(t for t in tensors if (t["layer"], t["tensor"]) == ("layers.1.up_proj", "weight"))
    shares["address"], shares["bytes_each"] = first["address"], first["bytes_each"]
    return {"tensors": [*tensors, tied], "skipped": ["lm_head", "score", "layers.1.q_proj"]}


def eight_bit_in_eval_inputs(seed: int) -> dict:
    """Several draws (`_five_runs`); in the first three the run with dropout stands before the one in eval().

    Its second call only raises log-probabilities in the first, and only lowers them in the second, and leaves those of
    the first and the last token: who compares differences with their signs, or of one token, finds that it repeats.
    In the first, too, the mean change beside other texts is largest with dropout, so that a mean of signed changes
    shows, and with dropout the distance from the original shrinks the most in a batch. In the third the changes of its
    second call add up to 0, and beside other texts one token of the run in eval() stays as it was: who compares sums,
    or wants every token changed, goes wrong there.
    """
    generator = torch.Generator().manual_seed(seed)
    orders = _orders_of_distance(generator)
    draws = [_five_runs(generator, order) for order in orders]
    while not _dropout_comes_first(draws[0]):
        draws[0] = _five_runs(generator, orders[0])
    for number in (1, 2):
        while not _is_before("dropout", "8-bit eval", draws[number]):
            draws[number] = _five_runs(generator, orders[number])
    for draw, sign in zip(draws[:2], (1, -1), strict=True):
        _change_one_way(draw, sign, generator)
    _add_up_to_0_and_spare_one(draws[2], generator)
    return {f"draw {number}/{key}": value for number, draw in enumerate(draws) for key, value in draw.items()}


def _orders_of_distance(generator: torch.Generator) -> list[dict[str, int]]:
    """For each draw, the place in `_DISTANCES` of each variant. The run in eval() takes each place once.

    In the first draw and the third the run with dropout is farther away than the one in eval(), and so changes more in
    a batch; in the second it is much closer, and in the fourth closer, and changes less. At each
    place there is, in one draw at least, a run that neither other texts nor a second call change.
    """
    while True:
        places = [torch.randperm(len(VARIANTS), generator=generator).tolist() for _ in range(DRAWS)]
        orders = [dict(zip(VARIANTS, of_draw, strict=True)) for of_draw in places]
        first, second, third, fourth = (order["dropout"] - order["8-bit eval"] for order in orders[:4])
        of_eval = {order["8-bit eval"] for order in orders}
        of_steady = {order[variant] for order in orders for variant in ("bf16", "8-bit train", "4-bit")}
        if len(of_eval) == len(of_steady) == DRAWS and first > 0 > fourth and second < -1 and third > 0:
            return orders


def _is_before(first: str, second: str, draw: dict) -> bool:
    order = [ways_of(draw)[name] for name in draw["names"]]
    return order.index(first) < order.index(second)


def _change_one_way(draw: dict, sign: int, generator: torch.Generator) -> None:
    """Let what dropout changes in a second call be up for all tokens, or down, and nothing for the first and last."""
    name = {way: name for name, way in ways_of(draw).items()}["dropout"]
    alone, again = (draw[f"{name}: {measured}"] for measured in ("alone", "again"))
    draw[f"{name}: again"] = alone + sign * (again - alone).abs()
    draw[f"{name}: again"][[0, -1]] = alone[[0, -1]] + 1e-6 * torch.randn(2, generator=generator)


def _add_up_to_0_and_spare_one(draw: dict, generator: torch.Generator) -> None:
    """Move what dropout changes in a second call to a mean of 0, and let one token in eval() be as it is alone."""
    named = {way: name for name, way in ways_of(draw).items()}
    dropout, in_eval = named["dropout"], named["8-bit eval"]
    change = draw[f"{dropout}: again"].double() - draw[f"{dropout}: alone"]
    draw[f"{dropout}: again"] = (draw[f"{dropout}: alone"] + change - change.mean()).float()
    spared = int(torch.randint(1, _TOKENS - 1, (), generator=generator))
    draw[f"{in_eval}: in_a_batch"][spared] = draw[f"{in_eval}: alone"][spared] + 1e-6


def _dropout_comes_first(draw: dict) -> bool:
    made = ways_of(draw)
    of = {way: [draw[f"{name}: {measured}"] for measured in MEASURED] for name, way in made.items()}
    change = {way: (alone - in_a_batch).mean().item() for way, (alone, _, in_a_batch) in of.items()}
    nears = {way: _nears(draw["original"], alone, in_a_batch) for way, (alone, _, in_a_batch) in of.items()}
    is_before = _is_before("dropout", "8-bit eval", draw)
    is_nearer = bool((nears["dropout"] > nears["8-bit eval"]).all())
    return is_before and is_nearer and change["dropout"] > 1e-4 and change["dropout"] > 2 * change["8-bit eval"]


def _nears(original: Tensor, alone: Tensor, in_a_batch: Tensor) -> Tensor:
    """How many times farther from the original a run is alone than in a batch, on average."""
    off, off_in_a_batch = alone - original, in_a_batch - original
    return torch.stack([off.norm(power) / off_in_a_batch.norm(power) for power in (1, 2)])


def _five_runs(generator: torch.Generator, order: dict[str, int]) -> dict:
    """Log-probabilities of one text under five versions of one output layer, each computed three times.

    In the batch, other texts have outlier columns. What a version changes in the logits is made larger or smaller, as
    where more layers are converted or fewer, until it is as far from the original as its place in `order` says. Every
    figure also carries the noise of another order of summation.
    """
    numbers = torch.randperm(9000, generator=generator)[: len(VARIANTS)] + 1000
    names = [f"run {number}" for number in numbers.tolist()]
    columns = torch.randperm(_WIDTH, generator=generator)[:16]
    x = torch.randn(_TOKENS, _WIDTH, generator=generator).double()
    x[:, columns[0]] = 3.5  # no outlier yet, but mostly it sets the scale of its row
    others = torch.randn(_OTHERS, _WIDTH, generator=generator).double()
    others[:, columns] += 12
    weight = 0.15 * torch.randn(_VOCABULARY, _WIDTH, generator=generator).double()
    exact = x @ weight.T
    tokens = torch.multinomial(exact.softmax(-1), 1, generator=generator)

    def logprobs(logits: Tensor) -> Tensor:
        noise = 1e-6 * torch.randn(_TOKENS, generator=generator)
        return (logits.log_softmax(-1).gather(-1, tokens).squeeze(-1) + noise).float()

    inputs = {"names": [names[place] for place in torch.randperm(len(names), generator=generator).tolist()]}
    inputs["original"] = logprobs(exact)
    for name, variant in zip(names, VARIANTS, strict=True):
        batch = (x, x, torch.cat([x, others]))
        changes = [_logits(variant, rows, weight, generator)[:_TOKENS] - exact for rows in batch]
        distance = (logprobs(exact + changes[0]) - inputs["original"]).abs().mean()
        factor = _DISTANCES[order[variant]] / distance
        for measured, change in zip(MEASURED, changes, strict=True):
            inputs[f"{name}: {measured}"] = logprobs(exact + factor * change)
    return inputs


def call_eight_bit_in_eval(answer: Callable, inputs: dict) -> dict:
    def arguments(draw: dict) -> dict:
        runs = {name: {which: draw[f"{name}: {which}"] for which in MEASURED} for name in draw["names"]}
        return {"original": draw["original"], "runs": runs}

    return call_for_each(answer, (arguments(draw) for draw in drawn(inputs)), may_find_none=True)


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
        return x @ weight.bfloat16().double().T
    if variant == "4-bit":
        return x @ _rounded(weight, steps=7).T
    if variant == "dropout":
        kept = torch.rand(x.shape, generator=generator) > 0.02
        return (x * kept / 0.98) @ weight.T
    if variant == "8-bit eval":
        outlier = (x.abs() > 6).any(dim=0)
        x = _rounded(x * ~outlier) + x * outlier
    return x @ _rounded(weight).T


def _rounded(rows: Tensor, steps: int = 127) -> Tensor:
    step = rows.abs().amax(dim=1, keepdim=True) / steps
    return (rows / step).round() * step
