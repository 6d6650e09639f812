"""Inputs and call of an exercise of lesson 1: which of five runs is in eval()."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.observe import call_for_each, texts_outputs

MEASURED = ("alone", "again", "in_a_batch")
# The variants in the order in which they are computed. Which name each has is drawn.
VARIANTS = ("bf16", "8-bit train", "8-bit eval", "4-bit", "dropout")
_CHANGING = ("dropout", "8-bit eval")  # those that change beside other texts
DRAWS = 5  # so often is the answer asked, each time about five other runs: no guess is lucky every time
EIGHT_BIT_IN_EVAL_OUTPUTS = texts_outputs(DRAWS)
_WIDTH, _VOCABULARY, _TOKENS, _OTHERS = 256, 50, 100, 60
_SPARED = [*range(10), _TOKENS // 2, -2, -1]  # tokens that are looked at alone, if any is
_DISTANCES = (0.006, 0.015, 0.0375, 0.094, 0.234)  # of the five runs from the original, mean of all tokens, in nats


def eight_bit_in_eval_inputs(seed: int) -> dict:
    """Several draws (`_five_runs`); in the first four the run with dropout stands before the one in eval().

    Its second call only raises log-probabilities in the first, and only lowers them in the second, and leaves those of
    a few tokens: who compares differences with their signs, or of one token, finds that it repeats. In the first, too,
    the mean change beside other texts is largest with dropout, so that a mean of signed changes shows, and with dropout
    the distance from the original shrinks the most in a batch. In the third the changes of its second call add up to 0,
    and beside other texts one token of the run in eval() stays as it was: who compares sums, or wants every token
    changed, goes wrong there. In the fourth dropout changes least of all, and its second call holds the same numbers in
    another order, so that a wide tolerance, norms and extremes see no change; and the run in eval() has figures that
    round apart. In the last its second call changes little beside what a batch does, so that their difference is
    largest with dropout. First come the run with dropout in the third, a steady one in the fourth and the one in eval()
    in the last, and last in the third stands a steady one: who looks at the first or the last alone is known by it.
    """
    generator = torch.Generator().manual_seed(seed)
    orders = _orders_of_distance(generator)
    fits = (_dropout_lowers_most, _dropout_shows, _dropout_changes_more, _figures_change, _dropout_changes_much_more)
    named_in_order = (_is_dropout_before, _is_dropout_before, _is_dropout_first, _is_steady_first, _is_eval_first)
    draws = [_fitting(*asked, generator) for asked in zip(fits, named_in_order, orders, strict=True)]
    for draw, sign in zip(draws[:2], (1, -1), strict=True):
        _change_one_way(draw, sign, generator)
    _add_up_to_0_and_spare_one(draws[2], generator)
    _round_apart(draws[3])
    _swap_neighbours(draws[3])
    _change_little(draws[4])
    return {f"draw {number}/{key}": value for number, draw in enumerate(draws) for key, value in draw.items()}


def _orders_of_distance(generator: torch.Generator) -> list[dict[str, int]]:
    """For each draw, the place in `_DISTANCES` of each variant. The run in eval() takes each place once.

    In the first draw and the third the run with dropout is farther away than the one in eval(), and so changes more in
    a batch; in the second it is much closer, and in the fourth the closest, and changes less. The one in eval() is the
    closest but one in the third, and in the last the closest, and dropout far, at another place than in the first. At
    each place there is, in one draw at least, a run that neither other texts nor a second call change.
    """
    others = [variant for variant in VARIANTS if variant != "8-bit eval"]
    while True:
        farther = (2 + torch.randperm(3, generator=generator)).tolist()
        of_eval = [*farther[:2], 1, farther[2], 0]
        orders = []
        for place in of_eval:
            left = [other for other in range(len(VARIANTS)) if other != place]
            drawn_places = [left[number] for number in torch.randperm(len(left), generator=generator).tolist()]
            orders.append({**dict(zip(others, drawn_places, strict=True)), "8-bit eval": place})
        first, second, third = (order["dropout"] - order["8-bit eval"] for order in orders[:3])
        of_steady = {order[variant] for order in orders for variant in ("bf16", "8-bit train", "4-bit")}
        are_set = orders[3]["dropout"] == 0 and orders[4]["dropout"] == 3 != orders[0]["dropout"]
        if len(of_steady) == DRAWS and first > 0 and second < -1 and third > 0 and are_set:
            return orders


def _fitting(
    fits: Callable[[dict], bool],
    are_named_in_order: Callable[[dict], bool],
    order: dict[str, int],
    generator: torch.Generator,
) -> dict:
    while not fits(draw := _five_runs(generator, order)):
        pass
    while not are_named_in_order(draw):
        draw["names"] = [draw["names"][place] for place in torch.randperm(len(VARIANTS), generator=generator).tolist()]
    return draw


def _named(draw: dict) -> dict[str, str]:
    """The name of the run that was made in each way."""
    return {way: name for name, way in ways_of(draw).items()}


def _is_dropout_before(draw: dict) -> bool:
    """Whether the run with dropout stands before the one in eval()."""
    named = _named(draw)
    return draw["names"].index(named["dropout"]) < draw["names"].index(named["8-bit eval"])


def _is_dropout_first(draw: dict) -> bool:
    """Whether the first run is the one with dropout, and the last changes in neither way."""
    made = ways_of(draw)
    return made[draw["names"][0]] == "dropout" and made[draw["names"][-1]] not in _CHANGING


def _is_eval_first(draw: dict) -> bool:
    return ways_of(draw)[draw["names"][0]] == "8-bit eval"


def _is_steady_first(draw: dict) -> bool:
    """Whether the first run changes in neither way, and the one with dropout stands before the one in eval()."""
    return ways_of(draw)[draw["names"][0]] not in _CHANGING and _is_dropout_before(draw)


def _dropout_shows(draw: dict) -> bool:
    """Whether dropout changes in a batch the tokens that its second call will spare."""
    name = _named(draw)["dropout"]
    change = draw[f"{name}: in_a_batch"] - draw[f"{name}: alone"]
    return bool((change[_SPARED].abs() > 2e-4).all())


def _dropout_changes_much_more(draw: dict) -> bool:
    """Whether dropout changes much more beside other texts than the run in eval() does, and lowers the mean more."""
    named = _named(draw)
    lower = {way: (draw[f"{named[way]}: alone"] - draw[f"{named[way]}: in_a_batch"]).mean() for way in named}
    is_more = all(0.15 * change > other for change, other in zip(*_changes_in_a_batch(draw), strict=True))
    return bool(lower["dropout"] > lower["8-bit eval"].abs()) and is_more


def _changes_in_a_batch(draw: dict) -> tuple[list[float], list[float]]:
    """How much the run with dropout and the one in eval() change beside other texts, in three norms."""
    named = _named(draw)
    dropout, in_eval = (draw[f"{named[way]}: in_a_batch"] - draw[f"{named[way]}: alone"] for way in _CHANGING)
    return tuple([change.norm(power).item() for power in (1, 2, math.inf)] for change in (dropout, in_eval))


def _dropout_changes_more(draw: dict) -> bool:
    """Whether dropout changes more beside other texts than the run in eval() does, and changes the mean, too."""
    name = _named(draw)["dropout"]
    is_more = all(change > other for change, other in zip(*_changes_in_a_batch(draw), strict=True))
    mean = (draw[f"{name}: in_a_batch"] - draw[f"{name}: alone"]).mean()
    return is_more and bool(mean.abs() > 3e-3)


def _figures_change(draw: dict) -> bool:
    """Whether dropout changes less beside other texts than the run in eval() does, yet each figure of all tokens."""
    name = _named(draw)["dropout"]
    alone, in_a_batch = (draw[f"{name}: {measured}"] for measured in ("alone", "in_a_batch"))
    figures = (Tensor.mean, Tensor.std, Tensor.median, Tensor.amin, Tensor.amax)
    is_changed = all(abs(figure(alone) - figure(in_a_batch)) > 2e-4 for figure in figures)
    is_norm_changed = abs(alone.norm() - in_a_batch.norm()) > 3e-3
    is_less = all(change < other for change, other in zip(*_changes_in_a_batch(draw), strict=True))
    return is_changed and bool(is_norm_changed) and is_less


def _change_one_way(draw: dict, sign: int, generator: torch.Generator) -> None:
    """Let what dropout changes in a second call be up for all tokens, or down, and nothing for those of `_SPARED`."""
    name = _named(draw)["dropout"]
    alone, again = (draw[f"{name}: {measured}"] for measured in ("alone", "again"))
    draw[f"{name}: again"] = alone + sign * (again - alone).abs()
    draw[f"{name}: again"][_SPARED] = alone[_SPARED] + 1e-6 * torch.randn(len(_SPARED), generator=generator)


def _add_up_to_0_and_spare_one(draw: dict, generator: torch.Generator) -> None:
    """Let what dropout changes in a second call be some at each token, more than a batch changes, and add up to 0; and
    let one token in eval() be as it is alone, and the second call agree up to 5e-6 of each value."""
    named = _named(draw)
    dropout, in_eval = named["dropout"], named["8-bit eval"]
    change, in_a_batch = (draw[f"{dropout}: {other}"].double() - draw[f"{dropout}: alone"] for other in MEASURED[1:])
    change -= change.mean()
    change *= max(1, 1.2 * in_a_batch.abs().max() / change.abs().max())
    is_tiny = change.abs() < 1e-3
    change[is_tiny] = 2e-3
    change[~is_tiny] -= change.sum() / (~is_tiny).sum()
    draw[f"{dropout}: again"] = (draw[f"{dropout}: alone"] + change).float()
    alone = draw[f"{in_eval}: alone"]
    off = draw[f"{in_eval}: again"] - alone
    draw[f"{in_eval}: again"] = alone + torch.minimum(off.abs(), 5e-6 * alone.abs()) * off.sign()
    spared = int(torch.randint(1, _TOKENS - 1, (), generator=generator))
    draw[f"{in_eval}: in_a_batch"][spared] = draw[f"{in_eval}: alone"][spared] + 1e-6


def _swap_neighbours(draw: dict) -> None:
    """Let dropout's second call hold the numbers of the first in another order: sums, norms and extremes stay.

    Numbers that are close change places, and two that are a little farther apart than what a batch changes.
    """
    name = _named(draw)["dropout"]
    alone, in_a_batch = draw[f"{name}: alone"], draw[f"{name}: in_a_batch"]
    pairs = alone.argsort()[1:-1].reshape(-1, 2)
    gaps = alone[pairs[:, 1]] - alone[pairs[:, 0]]
    change = max(0.012, (in_a_batch - alone).abs().max())
    left = pairs[gaps >= 0.02].flatten()
    apart = alone[left][:, None] - alone[left]
    place = int(torch.where(apart > change, apart, math.inf).argmin())
    farther = left[[place // len(left), place % len(left)]]
    swapped = torch.cat([pairs[gaps < 0.02], farther[None]])
    again = alone.clone()
    again[swapped] = alone[swapped.flip(1)]
    draw[f"{name}: again"] = again


def _change_little(draw: dict) -> None:
    """Let dropout change less in a second call than beside other texts, though one token only a little less, and the
    mean more."""
    name = _named(draw)["dropout"]
    change, in_a_batch = (draw[f"{name}: {other}"] - draw[f"{name}: alone"] for other in MEASURED[1:])
    change *= 0.3
    change[change.argmax()] = 0.8 * in_a_batch.abs().max()
    change += 1.2 * in_a_batch.mean() - change.mean()
    draw[f"{name}: again"] = draw[f"{name}: alone"] + change


def _round_apart(draw: dict) -> None:
    """Move three tokens of all runs alike, so that the one in eval() rounds apart in equal calls: 1, 2, 3 decimals."""
    name = _named(draw)["8-bit eval"]
    tokens = draw["original"].argsort()[_TOKENS // 4 :][:3].tolist()  # far from the extremes and the median
    for digits, token in enumerate(tokens, start=1):
        value = draw[f"{name}: alone"][token].item()
        half = (math.floor(value * 10**digits) + 0.5) / 10**digits
        for key in draw:
            if key != "names":
                draw[key][token] += half - value
        draw[f"{name}: alone"][token], draw[f"{name}: again"][token] = half - 2e-6, half + 2e-6


def _dropout_lowers_most(draw: dict) -> bool:
    """Whether beside other texts dropout lowers the mean more than the run in eval() does, and comes closer to the
    original, and shows."""
    made = ways_of(draw)
    of = {way: [draw[f"{name}: {measured}"] for measured in MEASURED] for name, way in made.items()}
    change = {way: (alone - in_a_batch).mean().item() for way, (alone, _, in_a_batch) in of.items()}
    nears = {way: _nears(draw["original"], alone, in_a_batch) for way, (alone, _, in_a_batch) in of.items()}
    is_nearer = bool((nears["dropout"] > nears["8-bit eval"]).all())
    is_larger = change["dropout"] > 1e-4 and change["dropout"] > 2 * change["8-bit eval"]
    return _dropout_shows(draw) and is_nearer and is_larger


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
