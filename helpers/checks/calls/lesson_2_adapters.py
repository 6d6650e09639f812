"""Inputs and calls of two exercises of lesson 2 on finished adapters: what rank loses, and what training changed."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.calls.observe import NUMBER_OUTPUTS, call_again, call_for_each, call_for_number, texts_outputs

SHAPES = {"": (16, 16), "tall_": (12, 8), "wide_": (8, 12)}  # of the updates: square, and more rows or columns
LOSS_OF_RANK_OUTPUTS = {
    **NUMBER_OUTPUTS,
    **{f"{shape}{part}": NUMBER_OUTPUTS[part] for shape in SHAPES for part in ("output", "kind")},
}

# The runs in the order in which they are made. Which name each has is drawn.
RUNS = ("loud", "untrained", "reordered", "second adapter", "base trained")
DRAWS = 6  # so often is the answer asked, each time about five other runs: no guess is lucky every time
LOST_REFERENCE_OUTPUTS = texts_outputs(DRAWS)
NAME_OF_A_TENSOR = "name of a tensor"  # comes back where an answer returns one: it has dots, and is no name of a run
_BASE = {
    "q_proj.base_layer.weight": (8, 8),
    "q_proj.base_layer.bias": (8,),
    "up_proj.base_layer.weight": (12, 8),
    "up_proj.base_layer.bias": (12,),
    "norm.weight": (8,),
}
_GRID = 2**-6  # of all numbers of the base: sums of them, and of their squares, are exact
_STEP = 2**-20  # less than torch.allclose sees
_WAYS = (  # (tensor of the base that moves, how): a hair is the next float, about 2e-9 away
    ("up_proj.base_layer.bias", "up"),
    ("norm.weight", "hair"),
    ("q_proj.base_layer.weight", "down"),
    ("up_proj.base_layer.bias", "swap"),
    ("q_proj.base_layer.weight", "swap"),
    ("norm.weight", "swap"),
)
_ADAPTER = {
    "q_proj.lora_A.default.weight": (2, 8),
    "q_proj.lora_B.default.weight": (8, 2),
    "up_proj.lora_A.default.weight": (2, 8),
    "up_proj.lora_B.default.weight": (12, 2),
}


def loss_of_rank_inputs(seed: int) -> dict:
    """Updates of three shapes and an r of 3 or 5. Singular values fall so that no two slips agree within 1%."""
    generator = torch.Generator().manual_seed(seed)
    inputs = {"r": 3 + 2 * int(torch.randint(2, (), generator=generator))}
    for shape, (rows, columns) in SHAPES.items():
        size = min(rows, columns)
        left, right = (
            torch.linalg.qr(torch.randn(side, side, generator=generator).double())[0] for side in (rows, columns)
        )
        singular = 4 * (1 - torch.arange(size, dtype=torch.float64) / size) ** 1.86
        singular *= 0.99 + 0.02 * torch.rand(size, generator=generator, dtype=torch.float64)
        inputs[f"{shape}update"] = (left[:, :size] @ torch.diag(singular) @ right[:, :size].T).float()
    return inputs


def call_loss_of_rank(answer: Callable, inputs: dict) -> dict:
    """Call the answer on each update."""
    found = call_for_number(answer, {name: inputs[name] for name in ("update", "r")})
    for shape in list(SHAPES)[1:]:
        one = call_again(call_for_number, answer, {"update": inputs[f"{shape}update"], "r": inputs["r"]})
        found |= {f"{shape}output": one["output"], f"{shape}kind": one["kind"]}
        found["inputs_changed"] |= one["inputs_changed"]
    return found


def lost_reference_inputs(seed: int) -> dict:
    """Several draws (`_five_trainings`); the first begins with the loud run and ends with the one that is due.

    The second begins with the one that is due, the third with the untrained one: who turns a condition round, or takes
    the first run whatever it holds, takes another there.

    In each draw a tensor of the base moves in another of `_WAYS`: by `_STEP` up or down, or by less, so that close is
    not equal; or two of its numbers change places, so that no sum or norm tells. The first two draws, which end and
    begin with the run that is due, have the first two ways: there a guess may be right.
    """
    generator = torch.Generator().manual_seed(seed)
    later = [_WAYS[2 + place] for place in torch.randperm(len(_WAYS) - 2, generator=generator).tolist()]
    orders = [[0, 2, 3, 1, 4], _order(generator, "base trained"), _order(generator, "untrained")]
    orders += [_order(generator) for _ in later[1:]]
    draws = [_five_trainings(generator, order, *way) for order, way in zip(orders, (*_WAYS[:2], *later), strict=True)]
    return {f"draw {number}/{key}": value for number, draw in enumerate(draws) for key, value in draw.items()}


def _order(generator: torch.Generator, first: str = "") -> list[int]:
    """Places in `RUNS`, in another order, with the run that is made as `first` says at the first place.

    Else neither the untrained run is the first nor the one that is due, which does not stand last either: ties go to
    the first or to the last.
    """
    while True:
        order = torch.randperm(len(RUNS), generator=generator).tolist()
        begins, ends = RUNS[order[0]], RUNS[order[-1]]
        fits = begins == first if first else begins not in ("base trained", "untrained")
        if fits and ends != "base trained":
            return order


def _five_trainings(generator: torch.Generator, order: list[int], moved: str, how: str) -> dict:
    """The tensors of each run before and after, in the order in which they were saved.

    In one, a tensor of the base has moved, in one or two places. In the others only adapters have: one by a lot, and it
    is named `policy`, not `default`; one not at all; one was saved in another order, and one has a second adapter
    afterwards.

    Args:
        generator: draws the tensors, and the names of the runs.
        order: places in `RUNS`, as they are to stand among the names.
        moved, how: of `_WAYS`.
    """
    numbers = torch.randperm(9000, generator=generator)[: len(RUNS)] + 1000
    names = [f"run {number}" for number in numbers.tolist()]
    inputs = {"names": [names[place] for place in order]}
    for name, run in zip(names, RUNS, strict=True):
        before = {tensor: torch.randn(shape, generator=generator) for tensor, shape in _BASE.items()}
        before |= {tensor: torch.randn(shape, generator=generator) for tensor, shape in _ADAPTER.items()}
        before |= {tensor: torch.zeros(shape) for tensor, shape in _ADAPTER.items() if "lora_B" in tensor}
        for tensor in _BASE:  # sums are exact: a rounding would give it away, or swallow the step
            before[tensor] = (before[tensor] / 4 / _GRID).round() * _GRID + 0.0  # no -0.0
        before["norm.weight"][3] = _GRID  # small, so that a hair is
        after = _trained(run, before, moved, how, generator)
        if run == "loud":
            before, after = ({name.replace("default", "policy"): t for name, t in of.items()} for of in (before, after))
        inputs |= {f"{name}/before/{tensor}": value for tensor, value in before.items()}
        inputs |= {f"{name}/after/{tensor}": value for tensor, value in after.items()}
    return inputs


def call_lost_reference(answer: Callable, inputs: dict) -> dict:
    def named(runs: dict) -> object:
        value = answer(runs)
        return NAME_OF_A_TENSOR if type(value) is str and "." in value else value

    return call_for_each(named, ({"runs": runs} for runs in runs_of_draws(inputs)), may_find_none=True)


def runs_of_draws(inputs: dict) -> list[dict[str, dict]]:
    """For each draw, name -> {"before": tensors, "after": tensors}, the names as they stand in the draw."""
    draws: dict[str, dict] = {}
    for key, value in inputs.items():
        draw, _, rest = key.partition("/")
        if rest == "names":
            draws[draw] = {name: {"before": {}, "after": {}} for name in value}
        else:
            name, when, tensor = rest.split("/")
            draws[draw][name][when][tensor] = value
    return list(draws.values())


def _trained(
    run: str, before: dict[str, Tensor], moved: str, how: str, generator: torch.Generator
) -> dict[str, Tensor]:
    """The tensors of a run after training; those of the base are copies."""
    size = {"loud": 30.0, "untrained": 0.0}.get(run, 0.1)
    after = {name: value.clone() for name, value in before.items()}
    for tensor in _ADAPTER:
        if run != "base trained" or how != "hair" or "lora_B" in tensor:  # else fewer tensors changed than in others
            after[tensor] += size * torch.randn(after[tensor].shape, generator=generator)
    if run == "base trained":
        values = after[moved].view(-1)
        inner = 1 + values[1:-1].abs().argsort()  # neither the first nor the last
        least = inner[values[inner] != 0][0]
        if how == "swap":
            values[inner[[0, -1]]] = values[inner[[-1, 0]]]
        elif how == "hair":
            values[least] = torch.nextafter(values[least], torch.tensor(torch.inf))
        else:
            values[inner[-1]] += _STEP if how == "up" else -_STEP
    if run == "reordered":
        after = dict(reversed(after.items()))
    if run == "second adapter":
        second = {
            tensor.replace("default", "reward"): torch.randn(value.shape, generator=generator)
            for tensor, value in before.items()
        }
        after |= {tensor: value for tensor, value in second.items() if "reward" in tensor}
    return after
