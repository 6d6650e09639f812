"""Verdict on exercise 1.3: four bits, block by block."""

from itertools import chain

import torch
from torch import Tensor

from helpers.checks.verdicts.compare import Causes, Verdict, tensor_verdict

_NF4_HINTS = {
    "one_scale_a_row": "You gave each row one scale. Here each *block* of block_size weights has its own: reshape to "
    "(-1, block_size) first.",
    "one_scale_for_all": "You used one scale for the whole weight. Each block of block_size weights has its own.",
    "strided_blocks": "Your blocks gather weights from all over the matrix. A block is block_size *neighbours*: "
    "reshape(-1, block_size), not reshape(block_size, -1).",
    "not_the_largest": "Your scale is a mean, a spread or a norm of the block. Only divided by the *largest* magnitude "
    "do its values reach from -1 to 1, as the levels do.",
    "eight_bits": "You rounded each block to the steps of 8 bits. Four bits have 16 codes, and what they stand for are "
    "the `levels`: take the nearest of them.",
    "signs_lost": "The scale of a block is its largest *absolute* value. Where that is of a negative weight, yours "
    "is too small, and values beyond -1 are cut off.",
    "lower_level": "You took the next level below (or above) each value. Take the nearest: the smallest distance wins.",
    "never_scaled": "The weights were compared with the levels as they came. The levels run from -1 to 1: divide each "
    "block by its scale first.",
    "scale_forgotten": "These are the levels themselves. Each has to be multiplied by the scale of its block again.",
    "codes": "These are the places 0 to 15 of the levels, which is what is *stored*. Asked is what comes back: the "
    "level at that place, times the scale of the block.",
    "uniform_places": "You computed the place of a level from its value, as if the 16 levels stood at equal distances. "
    "They do not: compare each value with all of `levels`, and take the nearest.",
    "uniform_steps": "You rounded to steps of equal width. The levels of nf4 lie closer together around 0, where most "
    "weights are: take the nearest of `levels`.",
    "as_it_came": "This is the weight as it came. Rounding to the nearest level is missing.",
    "blocks_of_columns": "Your blocks run down the columns. The neighbours of a block stand in one row: reshape weight "
    "as it is, without .T.",
    "farthest_below": "You took the smallest difference with its sign, so always the last level. Nearest is the "
    "smallest *distance*: abs() before argmin.",
    "scale_across_blocks": "Your scales run across the blocks (dim=0). After the reshape each row is a block, and has "
    "one scale: amax(dim=1, keepdim=True).",
    "count_of_blocks": "You cut each row into block_size blocks. block_size is how many weights *one* block holds.",
    "block_size_typed_in": "This is right for blocks of 64 in rows of 128, and wrong for larger ones: a number stands "
    "where `block_size` belongs, or what follows from it.",
    "levels_typed_in": "This is right for the levels of nf4, and wrong for others: look up and compare in `levels`, as "
    "it is given.",
    "divided_by_127": "127 belongs to 8 bits. The levels run from -1 to 1, so a level times the scale of its block is "
    "what comes back.",
    "farthest": "You took the level that is farthest away: argmax of the distances. The nearest has the smallest.",
    "without_sign": "Your results are never negative: the sign went with abs(). It belongs to the scale alone, "
    "blocks.abs().amax(…), and to the distances.",
    "divided_by_scale": "On the way back the level is multiplied by the scale of its block; yours was divided by it.",
}


def nf4_round_trip_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against bitsandbytes: its 4-bit kernel there and back, for nf4, then for fp4 in larger blocks."""
    first, other = ({n: inputs[f"{which}{n}"] for n in ("weight", "levels", "block_size")} for which in ("", "other_"))
    verdict = tensor_verdict(outputs, _there_and_back("nf4", **first), _nf4_causes(**first), _NF4_HINTS)
    if not verdict.passed:
        return verdict
    outputs = {**outputs, "output": outputs["other_output"], "kind": outputs["other_kind"]}
    causes = chain(_typed_in_causes(first, other), _nf4_causes(**other))
    return tensor_verdict(outputs, _there_and_back("fp4", **other), causes, _NF4_HINTS)


def _there_and_back(kind: str, weight: Tensor, levels: Tensor, block_size: int) -> Tensor:
    """`levels` are those of the kind, which bitsandbytes knows itself."""
    import bitsandbytes.functional as bnb

    return bnb.dequantize_4bit(*bnb.quantize_4bit(weight, blocksize=block_size, quant_type=kind)).double()


def _typed_in_causes(first: dict, other: dict) -> Causes:
    """What numbers and levels that are right for the first weight make of the other one."""
    weight, numbers = other["weight"].double(), other["weight"].numel()
    rows, width = first["weight"].shape
    blocks_a_row = width // first["block_size"]
    sizes = (first["block_size"], weight.shape[1] // blocks_a_row, numbers // (rows * blocks_a_row))
    tried = [("levels_typed_in", first["levels"], other["block_size"])]
    tried += [("block_size_typed_in", given["levels"], size) for given in (other, first) for size in sizes]
    for name, levels, size in tried:
        parts = weight.reshape(-1, size)
        back = _rounded(parts, parts.abs().amax(1, keepdim=True), levels.double())
        yield name, back.reshape(weight.shape)


def _nf4_causes(weight: Tensor, levels: Tensor, block_size: int) -> Causes:
    weight, levels = weight.double(), levels.double()
    blocks = weight.reshape(-1, block_size)
    absmax = blocks.abs().amax(1, keepdim=True)
    scaled = blocks / absmax
    places = _nearest(scaled, levels)

    def back(values: Tensor) -> Tensor:
        return values.reshape(weight.shape)

    columns = weight.reshape(block_size, -1)
    for name, parts in (("one_scale_a_row", weight), ("one_scale_for_all", weight.reshape(1, -1))):
        yield name, back(_rounded(parts, parts.abs().amax(1, keepdim=True), levels))
    yield "strided_blocks", back(_rounded(columns, columns.abs().amax(0, keepdim=True), levels))
    yield "strided_blocks", back(_rounded(columns, columns.abs().amax(1, keepdim=True), levels))
    yield "signs_lost", back(_rounded(blocks, blocks.amax(1, keepdim=True), levels))
    for right in (False, True):
        above = torch.searchsorted(levels, scaled.contiguous(), right=right)
        for place in (above, above - 1):
            yield "lower_level", back(levels[place.clamp(0, 15)] * absmax)
    yield "never_scaled", back(levels[_nearest(blocks, levels)])
    yield "never_scaled", back(levels[_nearest(blocks, levels)] * absmax)
    yield "scale_forgotten", back(levels[places])
    for stored in (places, places * absmax):
        yield "codes", back(stored)
    for spread in _spreads(blocks):
        yield "not_the_largest", back(_rounded(blocks, spread, levels))
    for steps in (127, 127.5, 128, 255):
        for whole in (torch.round, torch.trunc):
            yield "eight_bits", back(whole(scaled * steps) / steps * absmax)
    for steps in (7, 7.5, 8, 15, 16):
        yield "uniform_steps", back((scaled * steps).round() / steps * absmax)
    for place in (scaled + 1) / 2 * 15, (scaled + 1) * 8, (scaled + 1) * 7.5:
        for whole in (place.round(), place.floor()):
            yield "uniform_places", back(levels[whole.long().clamp(0, 15)] * absmax)
    down = weight.T.reshape(-1, block_size)
    yield "blocks_of_columns", _rounded(down, down.abs().amax(1, keepdim=True), levels).reshape(weight.T.shape).T
    yield "farthest_below", back(levels[(scaled[..., None] - levels).argmin(-1)] * absmax)
    yield "farthest_below", back(levels[(levels - scaled[..., None]).argmin(-1)] * absmax)
    yield "scale_across_blocks", back(_rounded(blocks, blocks.abs().amax(0), levels))
    few = weight.reshape(-1, weight.shape[1] // block_size)
    yield "count_of_blocks", back(_rounded(few, few.abs().amax(1, keepdim=True), levels))
    yield "as_it_came", weight
    yield "divided_by_127", back(levels[places] * absmax / 127)
    yield "farthest", back(levels[(scaled[..., None] - levels).abs().argmax(-1)] * absmax)
    yield "without_sign", back(_rounded(blocks.abs(), absmax, levels))
    yield "without_sign", back(levels[places].abs() * absmax)
    yield "uniform_steps", back(_rounded(blocks, absmax, torch.linspace(-1, 1, 16, dtype=torch.float64)))
    yield "divided_by_scale", back(levels[places] / absmax)


def _spreads(blocks: Tensor) -> list[Tensor]:
    """What tells of the size of a block, and is not its largest magnitude; (blocks, 1)."""
    sizes = blocks.abs()
    found = [blocks.mean(1), sizes.mean(1), blocks.std(1), sizes.std(1), blocks.square().mean(1).sqrt()]
    found += [sizes.median(1).values, sizes.sum(1), blocks.norm(dim=1), blocks.amax(1) - blocks.amin(1)]
    return [spread[:, None] for spread in found]


def _rounded(parts: Tensor, scale: Tensor, levels: Tensor) -> Tensor:
    return levels[_nearest(parts / scale, levels)] * scale


def _nearest(values: Tensor, levels: Tensor) -> Tensor:
    return (values[..., None] - levels).abs().argmin(-1)
