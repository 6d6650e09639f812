"""Verdicts on two exercises of lesson 2 on finished adapters: what rank loses, and what training changed."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from helpers.checks.calls.lesson_2_adapters import SHAPES
from helpers.checks.verdicts.compare import Verdict, number_verdict
from helpers.checks.verdicts.draws import Picks, draws_verdict

_RANK_HINTS = {
    "share_of_squares": "This is the lost share of the squares. The norm is its square root.",
    "kept": "This is the share that is *kept*. Asked is what no adapter of rank r can reach.",
    "one_minus_kept": "You took 1 minus the norm that is kept. Norms at right angles add as squares: lost² + kept² = "
    "1.",
    "not_squared": "You added singular values. The Frobenius norm adds their *squares*, and takes the root.",
    "absolute": "This is the error itself. Divide by the norm of update: asked is its share.",
    "divided_by_kept": "You divided what is lost by what is kept. Divide by the norm of *update*, which holds both.",
    "in_percent": "This is percent. Asked is the share, from 0 to 1.",
    "spectral": "You compared single singular values (the spectral norm). In the Frobenius norm all that are left out "
    "count.",
    "divided_by_spectral": "You divided by the largest singular value, the spectral norm of update. Both norms are "
    "Frobenius norms: of update, the root of the sum of *all* squared singular values.",
    "one_too_few": "You kept r - 1 directions. The first r singular values are S[:r], what is left is S[r:].",
    "one_too_many": "You kept r + 1 directions. The first r singular values are S[:r], what is left is S[r:].",
    "smallest_kept": "You kept the r *smallest* singular values. torch.linalg.svd returns the largest first.",
    "columns_cut": "You cut update after r columns (or rows). That has rank r and is far from the best: the SVD turns "
    "the matrix first, so that the first r directions hold most.",
    "eigenvalues": "You took eigenvalues for singular values. They are the same for a symmetric matrix without "
    "negative eigenvalues; update is not symmetric, and a matrix that is not square has no eigenvalues at all.",
    "directions_counted": "You counted directions: yours is the same for every update of this shape. How much lies "
    "along each direction differs, and the best matrix of rank r keeps those with most.",
    "v_transposed": "V stands the wrong way round. torch.linalg.svd returns it already transposed (Vh): U @ diag(S) @ "
    "Vh, without another .T, and kept are Vh[:r]. torch.svd returns V itself: there V.T is due, and kept are V[:, :r].",
    "square_alone": "Right for a square update. One with another number of rows than of columns has as many singular "
    "values as the smaller of the two: torch.linalg.svdvals returns them, and svd with full_matrices=False fits U and "
    "Vh to them.",
    "mean_error": "You averaged over the elements on one side of the division only, or did not divide by the norm of "
    "update. Take the same norm on both sides.",
}


def loss_of_rank_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against the eigenvalues of updateᵀ update, in float64: they are the squares of the singular values."""
    for shape in SHAPES:
        update, r = inputs[f"{shape}update"].double(), inputs["r"]
        squares = torch.linalg.eigvalsh(update.T @ update).flip(0).clamp_min(0)
        due = (squares[r:].sum() / squares.sum()).sqrt().item()
        one = {"output": outputs[f"{shape}output"], "kind": outputs[f"{shape}kind"]}
        one["inputs_changed"] = outputs["inputs_changed"]
        verdict = number_verdict(one, due, () if shape else _rank_causes(update, r), _RANK_HINTS)
        if shape and not verdict.passed:
            got = f"{verdict.got} for an update of shape {tuple(update.shape)}"
            return replace(verdict, got=got, hint=_RANK_HINTS["square_alone"], hint_name="square_alone")
        if not verdict.passed:
            return verdict
    return verdict


def _rank_causes(update: Tensor, r: int) -> Iterator[tuple[str, float]]:
    singular = torch.linalg.svdvals(update)
    norm = singular.norm()

    def share(of: Tensor) -> float:
        return (of.norm() / norm).item()

    lost, kept = share(singular[r:]), share(singular[:r])
    yield from [
        ("share_of_squares", lost**2),
        ("kept", kept),
        ("kept", kept**2),
        ("one_minus_kept", 1 - kept),
        ("not_squared", (singular[r:].sum() / singular.sum()).item()),
        ("not_squared", (singular[r:].sum() / norm).item()),
        ("absolute", singular[r:].norm().item()),
        ("divided_by_kept", lost / kept),
        ("divided_by_kept", (lost / kept) ** 2),
        ("in_percent", 100 * lost),
        ("spectral", (singular[r] / singular[0]).item()),
        ("spectral", singular[r].item()),
        ("spectral", (singular[r] / norm).item()),
        ("divided_by_spectral", (singular[r:].norm() / singular[0]).item()),
        ("one_too_few", share(singular[r - 1 :])),
        ("one_too_many", share(singular[r + 1 :])),
        ("smallest_kept", share(singular[:-r])),
        ("smallest_kept", share(singular[-r:])),
        ("columns_cut", share(update[:, r:])),
        ("columns_cut", share(update[r:])),
        ("v_transposed", _missed_with_v_transposed(update.float(), r)),
        ("mean_error", (singular[r:].square().sum() / update.numel()).sqrt().item()),
        ("mean_error", lost / update.numel() ** 0.5),
        ("mean_error", lost * update.numel() ** 0.5),
        *(("directions_counted", (1 - r / len(singular)) ** power) for power in (1, 0.5)),
        *(("directions_counted", (r / len(singular)) ** power) for power in (1, 0.5)),
    ]
    if update.shape[0] == update.shape[1]:
        yield from (("eigenvalues", value) for value in _missed_with_eigenvalues(update.float(), r))


def _missed_with_eigenvalues(update: Tensor, r: int) -> Iterator[float]:
    """In the order in which they come, or the largest first; in float32, as an answer finds them."""
    for values in (torch.linalg.eigvals(update), torch.linalg.eigvalsh(update)):
        for each in (values, values.real, values.abs().sort(descending=True).values):
            yield from ((each[r:].norm() / size).item() for size in (each.norm(), update.norm()))


def _missed_with_v_transposed(update: Tensor, r: int) -> float:
    """In float32, as an answer does it: the signs of the singular vectors, which matter here, differ in float64."""
    left, singular, right = torch.linalg.svd(update)
    wrong = left[:, :r] @ torch.diag(singular[:r]) @ right[:, :r].T
    return ((update - wrong).norm() / update.norm()).item()


_REFERENCE_HINTS = {
    "always_first": "You named the first run in each draw. Either your condition holds for every run, as "
    "any(torch.equal…) does (some tensor is the same in each), or all runs are equal for it: then max and min return "
    "the first.",
    "inverted": "In each draw you named a run whose original is as it was. Your condition finds those that are "
    "*un*harmed: look at its direction (not, == or !=, any or all, max or min).",
    "adapters_counted": "In each draw you named the first run in which anything changed, adapters included. By which "
    "names do you know an adapter's tensors? Print a few: `lora_` stands inside them, not at the beginning.",
    "adapter_name": "You named the run whose adapter is called `policy`, not `default`. A user gives that name; what "
    "peft puts into every adapter's names is `lora_`.",
    "tensor_name": "You returned the name of a tensor. Asked is the name of the *run* in which it moved: a key of "
    "`runs`.",
    "loud": "In this run the adapter moved the farthest, and nothing else did: switched off, it is gone, however loud "
    "it was. Look at the tensors that stay when adapters are off.",
    "untrained": "In this run nothing moved at all: training did not reach the adapter. That is another illness, and "
    "the reference is unharmed.",
    "reordered": "Only adapters moved in this run (and its tensors are in another order: compare by name, not by "
    "place, and element by element).",
    "second adapter": "This run has a second adapter afterwards. It adds tensors, and changes none of the base: "
    "switched off, both are gone.",
    "other_name": "That is none of the names of the runs. Return one of the keys of `runs`, letter for letter.",
    "none_met": "No run met your condition, or nothing was returned: however little a tensor moved, small is not 0. "
    "Compare element by element (sums and means cancel), and let one tensor be enough: any, not all. (Of none, next() "
    "and [0] make an error; a function that ends without return gives None, too.)",
    "signed": "You missed the run in which a number only *fell*: you compare differences with their signs. Take abs() "
    "first, or compare with torch.equal.",
    "sums_compared": "You missed the runs in which two numbers of a tensor changed places, or one moved by a hair: "
    "sums, means and norms do not see that. Compare element by element.",
    "biases_left_out": "You missed the runs in which a *bias* of the original moved. All tensors whose names hold no "
    "lora_ belong to the original.",
    "weights_left_out": "You missed the runs in which a *weight* of the original moved: you looked at biases alone, it "
    "seems. All tensors whose names hold no lora_ belong to the original.",
    "norms_left_out": "You missed the run in which the weight of a *norm* moved. All tensors whose names hold no lora_ "
    "belong to the original.",
}


def lost_reference_verdict(inputs: dict, outputs: dict) -> Verdict:
    """By how the runs were made: in one of them a tensor of the base moved."""
    from helpers.checks.calls.lesson_2_adapters import NAME_OF_A_TENSOR, RUNS, runs_of_draws

    names: dict[str, list[str]] = {}  # of each draw, as RUNS are ordered
    for key in inputs:
        draw, name, *tensor = key.split("/")
        if tensor and name not in names.setdefault(draw, []):
            names[draw].append(name)
    draws = [dict(zip(of_draw, RUNS, strict=True)) for of_draw in names.values()]
    runs = runs_of_draws(inputs)
    made_of = list(zip(runs, draws, strict=True))

    def cause(picks: Picks) -> str:
        either = [[name for name in of_draw if made[name] in ("loud", "base trained")] for of_draw, made in made_of]
        of_name = "adapter_name" if picks == [names[0] for names in either] else ""
        return _direction(runs, draws, picks) or of_name or _left_out(runs, draws, picks)

    of_tensor = {NAME_OF_A_TENSOR: "tensor_name"}
    return draws_verdict(outputs, [made | of_tensor for made in draws], "base trained", _REFERENCE_HINTS, cause)


def _direction(runs: list[dict[str, dict]], draws: list[dict[str, str]], picks: Picks) -> str:
    """Whether each pick is the first run of all, of those that are not due, or of those in which anything changed.

    In one draw the run that is due stands first, in one the last, and in one the untrained one is the first.
    """
    for name, unmet in (("always_first", ""), ("inverted", "base trained"), ("adapters_counted", "untrained")):
        met = [[run for run in of_draw if made[run] != unmet] for of_draw, made in zip(runs, draws, strict=True)]
        if picks == [some[0] for some in met] or (name == "inverted" and picks == [some[-1] for some in met]):
            return name
    return ""


def _left_out(runs: list[dict[str, dict]], draws: list[dict[str, str]], picks: Picks) -> str:
    """Which kind of tensor was not compared, so that no run was found, or the first of several that seemed equal.

    Or that sums were compared, which miss numbers that change places, and nothing else. A right pick at either end
    says nothing: ties go there.
    """
    missed, found, places = set(), set(), set()
    ways = {True: set(), False: set()}  # how it moved, by whether the pick is right
    for of_draw, made, pick in zip(runs, draws, picks, strict=True):
        due = next(name for name, way in made.items() if way == "base trained")
        if pick == due in (next(iter(of_draw)), list(of_draw)[-1]):
            continue
        moved = next(name for name, value in of_draw[due]["before"].items() if _moved(name, value, of_draw[due]))
        before, after = (of_draw[due][when][moved] for when in ("before", "after"))
        ways[pick == due].add(_way_of_moving(before, after))
        kind = "bias" if "bias" in moved else "norm" if "norm" in moved else "weight"
        (found if pick == due else missed).add(kind)
        if pick != due:
            places.add(list(of_draw).index(pick) if pick in of_draw else pick)
    if ways[False] == {"down"} and "down" not in ways[True]:
        return "signed"
    if "swap" in ways[False] and "up" not in ways[False] and "swap" not in ways[True]:
        return "sums_compared"
    if ways[False] == {"hair"} or missed & found or len(places) > 1 or not places <= {None, 0, len(draws[0]) - 1}:
        return ""
    names = {("bias",): "biases_left_out", ("norm",): "norms_left_out", ("bias", "norm"): "biases_left_out"}
    names |= {("norm", "weight"): "weights_left_out", ("weight",): "weights_left_out"}
    return names.get(tuple(sorted(missed)), "")


def _way_of_moving(before: Tensor, after: Tensor) -> str:
    if torch.equal(before.flatten().sort().values, after.flatten().sort().values):
        return "swap"
    if (after <= before).all():
        return "down"
    return "hair" if before.sum() == after.sum() else "up"


def _moved(name: str, value: Tensor, run: dict) -> bool:
    return "lora_" not in name and not torch.equal(run["after"][name], value)
