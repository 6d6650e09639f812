"""Verdict on exercise 1.3: four bits, block by block."""

from itertools import chain

import torch
from torch import Tensor

from helpers.checks.verdicts.compare import Causes, Verdict, tensor_verdict

_NF4_HINTS = {
    "one_scale_a_row": "You gave each row one scale. Here each *block* of block_size weights has its own: reshape to "
    "(-1, block_size) first.",
    "one_scale_for_all": "You used one scale for the whole weight. Each block of block_size weights has its own.",
    "strided_blocks": "Your blocks gather weights that stand apart. A block is block_size *neighbours*: "
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
    "scale_across_blocks": "Your scales run across the blocks: each is the largest of many blocks at one place. A "
    "block has one scale, the largest of its own values: amax over the last dimension, keepdim=True.",
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
    "fp4": "You rounded to the levels of fp4, which bitsandbytes takes unless told otherwise. Take the nearest of "
    "`levels`, as they are given.",
    "slice_shares_a_scale": "All rows of a slice of block_size columns share one scale. A block lies in *one* row: "
    "each row has a scale of its own for each of its blocks.",
    "scale_a_column": "Your scales run down the columns (dim=0). What shares a scale are block_size neighbours in a "
    "*row*.",
    "blocks_of_another_size": "Your blocks hold more or fewer than block_size weights. In reshape(-1, block_size) each "
    "row is a block; reshape(block_size, -1) makes block_size rows.",
    "blocks_moved": "The values are right, and most stand in the wrong place: slices of columns belong side by side "
    "again. torch.cat joins along dim=0 unless you say otherwise.",
    "smallest": "Your scale is the smallest value of a block, or of its magnitudes. Only divided by the *largest* "
    "magnitude does the whole block lie between -1 and 1.",
    "scale_of_the_first": "The scale of a first block serves others, too. Each block has its own, from its own "
    "block_size weights.",
    "signed_scale": "Your scale has the sign of the largest value: where that is negative, the whole block is turned "
    "round on its way to the levels. The scale is a magnitude.",
    "rounded_scale": "Your scales were rounded, to 16 bits or 8. Here they stay in float32, as they are.",
    "multiplied_in": "You multiplied each block by its scale before you looked for the nearest level. Divide on the "
    "way in: only then do its values reach from -1 to 1.",
    "zero_point": "You shifted the block, by its smallest value or its mean. The levels lie on both sides of 0 "
    "already: divide by the largest magnitude, and no more.",
    "next_level": "You took a level beside the nearest: its place plus or minus 1, or the second smallest distance.",
    "levels_missing": "Some of the 16 levels are never chosen. Compare each value, from -1 to 1, with all of `levels`, "
    "and look its place up in the same.",
    "magnitudes_compared": "You compared magnitudes. The levels below 0 are no mirror of those above: look for the "
    "nearest with the sign.",
    "other_scale_back": "The levels are right, and what brings them back is not: each is multiplied by the scale that "
    "its own block was divided by, once.",
    "error_not_value": "This is how far each weight is from its level. Asked is the level, times the scale of the "
    "block: argmin gives its place in `levels`.",
    "part_of_the_blocks": "Only some of the blocks went there and back; the others are 0, or as they came. Look at a "
    "return inside the loop, and at where the loop ends.",
    "divided_by_scale": "On the way back the level is multiplied by the scale of its block; yours was divided by it.",
}


def nf4_round_trip_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against bitsandbytes: its 4-bit kernel there and back, for nf4, then for fp4 in larger blocks."""
    first, other = ({n: inputs[f"{which}{n}"] for n in ("weight", "levels", "block_size")} for which in ("", "other_"))
    causes = chain(_nf4_causes(**first), [("fp4", _there_and_back("fp4", **first))])
    verdict = tensor_verdict(outputs, _there_and_back("nf4", **first), causes, _NF4_HINTS)
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
    blocks, blocks_a_row = weight.reshape(-1, block_size), weight.shape[1] // block_size
    found = chain(
        _causes_of_cutting(weight, levels, block_size),
        _causes_of_scales(blocks, levels, blocks_a_row),
        _causes_on_the_way_in(blocks, levels),
        _causes_of_nearness(blocks, levels),
        _causes_of_equal_distances(blocks, levels),
        _causes_on_the_way_back(blocks, levels, blocks_a_row),
        _causes_of_a_part(blocks, levels, blocks_a_row),
    )
    for name, values in found:
        yield name, values.reshape(weight.shape)


def _causes_of_cutting(weight: Tensor, levels: Tensor, block_size: int) -> Causes:
    """Where the weights that share a scale are not `block_size` neighbours in a row."""
    rows, width = weight.shape
    in_rows, down = weight.reshape(rows, -1, block_size), weight.T.reshape(-1, block_size)

    def one_scale_over(parts: Tensor, *dims: int) -> Tensor:
        return _rounded(parts, parts.abs().amax(dims, keepdim=True), levels)

    yield "one_scale_a_row", one_scale_over(weight, 1)
    yield "one_scale_for_all", one_scale_over(weight, 0, 1)
    yield "strided_blocks", one_scale_over(weight.reshape(block_size, -1), 0)
    yield "strided_blocks", one_scale_over(weight.reshape(rows, block_size, -1), 1)
    yield "slice_shares_a_scale", one_scale_over(in_rows, 0, 2)
    yield "scale_a_column", one_scale_over(weight, 0)
    for parts in (in_rows, in_rows.flatten(0, 1)[None]):
        yield "scale_across_blocks", one_scale_over(parts, 1)
    yield "blocks_of_columns", one_scale_over(down, 1).reshape(weight.T.shape).T
    yield "blocks_of_columns", one_scale_over(down, 1)
    yield "count_of_blocks", one_scale_over(weight.reshape(-1, width // block_size), 1)
    for size in (weight.numel() // block_size, len(levels), block_size // 2, 2 * block_size):
        if weight.numel() % size == 0:
            yield "blocks_of_another_size", one_scale_over(weight.reshape(-1, size), 1)
    yield "blocks_moved", one_scale_over(in_rows, 2).transpose(0, 1)  # slices of columns, one below the other


def _causes_of_scales(blocks: Tensor, levels: Tensor, blocks_a_row: int) -> Causes:
    """Where a block has one scale, and it is not the block's own largest magnitude."""
    absmax, lowest = blocks.abs().amax(1, keepdim=True), blocks.amin(1, keepdim=True)
    yield "signs_lost", _rounded(blocks, blocks.amax(1, keepdim=True), levels)
    for smallest in (lowest, lowest.abs(), blocks.abs().amin(1, keepdim=True)):
        yield "smallest", _rounded(blocks, smallest, levels)
    for spread in _spreads(blocks):
        yield "not_the_largest", _rounded(blocks, spread, levels)
    for first in (absmax[0], _first_of_row(absmax, blocks_a_row)):
        yield "scale_of_the_first", _rounded(blocks, first, levels)
    yield "signed_scale", _rounded(blocks, blocks.gather(1, blocks.abs().argmax(1, keepdim=True)), levels)
    for scale in _coarser(absmax):
        yield "rounded_scale", _rounded(blocks, scale, levels)
        yield "rounded_scale", _looked_up(blocks, levels) * scale


def _causes_on_the_way_in(blocks: Tensor, levels: Tensor) -> Causes:
    """Where what is compared with the levels is not the block divided by its scale."""
    absmax, lowest = blocks.abs().amax(1, keepdim=True), blocks.amin(1, keepdim=True)
    nearest, multiplied = levels[_nearest(blocks, levels)], levels[_nearest(blocks * absmax, levels)]
    yield from (("never_scaled", back) for back in (nearest, nearest * absmax))
    yield from (("multiplied_in", back) for back in (multiplied * absmax, multiplied / absmax, multiplied))
    span = blocks.amax(1, keepdim=True) - lowest
    shifted = levels[_nearest((blocks - lowest) / span * 2 - 1, levels)]
    yield from (("zero_point", back) for back in (shifted * absmax, (shifted + 1) / 2 * span + lowest))
    yield "zero_point", levels[_nearest((blocks - blocks.mean(1, keepdim=True)) / absmax, levels)] * absmax
    for steps in (127, 127.5, 128, 255):
        for whole in (torch.round, torch.trunc):
            yield "eight_bits", whole(blocks / absmax * steps) / steps * absmax


def _causes_of_nearness(blocks: Tensor, levels: Tensor) -> Causes:
    """Where another level is taken than the nearest of all."""
    absmax = blocks.abs().amax(1, keepdim=True)
    scaled = blocks / absmax
    away = scaled[..., None] - levels
    for right in (False, True):
        above = torch.searchsorted(levels, scaled.contiguous(), right=right)
        for place in (above, above - 1):
            yield "lower_level", levels[place.clamp(0, 15)] * absmax
    for step in (-1, 1):
        beside = _nearest(scaled, levels) + step
        for place in (beside.clamp(0, 15), beside % 16):  # levels[-1] is the last
            yield "next_level", levels[place] * absmax
    yield "next_level", levels[away.abs().argsort(-1)[..., 1]] * absmax
    for difference in (away, -away):
        yield "farthest_below", levels[difference.argmin(-1)] * absmax
    yield "farthest", levels[away.abs().argmax(-1)] * absmax
    for some in (levels[:-1], levels[1:], levels[7:], levels[8:], levels[:8]):
        yield "levels_missing", _rounded(blocks, absmax, some)
        yield "levels_missing", levels[_nearest(scaled, some)] * absmax
    yield "magnitudes_compared", levels[_nearest(scaled.abs(), levels.abs())] * absmax
    yield "magnitudes_compared", levels[_nearest(scaled.abs(), levels)] * absmax * blocks.sign()


def _causes_of_equal_distances(blocks: Tensor, levels: Tensor) -> Causes:
    """Where the levels, or their places, are taken to be at equal distances."""
    absmax = blocks.abs().amax(1, keepdim=True)
    scaled = blocks / absmax
    for steps in (7, 7.5, 8, 15, 16):
        yield "uniform_steps", (scaled * steps).round() / steps * absmax
    yield "uniform_steps", _rounded(blocks, absmax, torch.linspace(-1, 1, 16, dtype=torch.float64))
    for steps, middle in ((7.5, 7.5), (8, 8), (7, 7), (7, 8), (8, 7), (15, 0)):
        for whole in (torch.round, torch.floor, torch.ceil):
            for place in (whole(scaled * steps + middle), whole(scaled * steps) + middle):
                yield "uniform_places", levels[place.long().clamp(0, 15)] * absmax


def _causes_on_the_way_back(blocks: Tensor, levels: Tensor, blocks_a_row: int) -> Causes:
    """Where the right levels were found, and something else comes back than each times the scale of its block."""
    absmax, found = blocks.abs().amax(1, keepdim=True), _looked_up(blocks, levels)
    places = _nearest(blocks / absmax, levels)
    yield "as_it_came", blocks
    yield "scale_forgotten", found
    yield from (("codes", stored) for stored in (places, places * absmax))
    yield "divided_by_127", found * absmax / 127
    yield "divided_by_scale", found / absmax
    yield "without_sign", _rounded(blocks.abs(), absmax, levels)
    yield "without_sign", found.abs() * absmax
    of_row = absmax.reshape(-1, blocks_a_row).amax(1).repeat_interleave(blocks_a_row)[:, None]
    out_of_order = absmax.reshape(-1, blocks_a_row).T.reshape(-1, 1)
    repeated = absmax.repeat(blocks.shape[1], 1).reshape(blocks.shape)  # repeat where repeat_interleave is due
    others = (absmax.max(), absmax.mean(), absmax[0], of_row, _first_of_row(absmax, blocks_a_row))
    for other in (*others, absmax**2, out_of_order, repeated, blocks):
        yield "other_scale_back", found * other
    yield "other_scale_back", found + absmax
    off = blocks - found * absmax
    for error in (off, -off, off.abs(), off / absmax, -off / absmax, off.abs() / absmax):
        yield "error_not_value", error


def _causes_of_a_part(blocks: Tensor, levels: Tensor, blocks_a_row: int) -> Causes:
    """Where only some of the blocks went there and back."""
    due = _looked_up(blocks, levels) * blocks.abs().amax(1, keepdim=True)
    number = torch.arange(len(blocks))[:, None]
    in_row, last = number % blocks_a_row, blocks_a_row - 1
    done = (number == 0, number == number.max(), number < number.max(), number < blocks_a_row)
    done += (in_row == 0, in_row == last, in_row != last)
    for is_done in done:
        for left in (blocks, torch.zeros_like(blocks)):
            yield "part_of_the_blocks", torch.where(is_done, due, left)


def _first_of_row(absmax: Tensor, blocks_a_row: int) -> Tensor:
    """For each block, the scale of the first one in its row."""
    return absmax[::blocks_a_row].repeat_interleave(blocks_a_row, 0)


def _coarser(absmax: Tensor) -> list[Tensor]:
    """Scales in 16 bits, or in 8 as where they are quantized a second time."""
    step = absmax.max() / 255
    return [absmax.half().double(), absmax.bfloat16().double(), (absmax / step).round() * step]


def _spreads(blocks: Tensor) -> list[Tensor]:
    """What tells of the size of a block, and is not its largest magnitude; (blocks, 1)."""
    sizes = blocks.abs()
    found = [blocks.mean(1), sizes.mean(1), blocks.std(1), sizes.std(1), blocks.square().mean(1).sqrt()]
    span = blocks.amax(1) - blocks.amin(1)
    found += [sizes.median(1).values, sizes.sum(1), blocks.norm(dim=1), span, span / 2]
    return [spread[:, None] for spread in found]


def _looked_up(blocks: Tensor, levels: Tensor) -> Tensor:
    """The level that is nearest to each value of a block, divided by the block's largest magnitude."""
    return levels[_nearest(blocks / blocks.abs().amax(1, keepdim=True), levels)]


def _rounded(parts: Tensor, scale: Tensor, levels: Tensor) -> Tensor:
    return levels[_nearest(parts / scale, levels)] * scale


def _nearest(values: Tensor, levels: Tensor) -> Tensor:
    return (values[..., None] - levels).abs().argmin(-1)
