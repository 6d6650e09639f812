"""The verdict of exercise 4.2: the gradient of a whole minibatch, one micro-batch at a time."""

from dataclasses import replace

import torch
from torch import Tensor

from helpers.checks.calls.lesson_4 import even, one_by_one
from helpers.checks.verdicts.compare import Causes, Verdict, agree, described, failed, tensor_verdict

_HINTS = {
    "no_gradient": "weight.grad is empty after the call. Each micro-batch needs a loss.backward(), which adds to it.",
    "all_at_once": "The gradient is right, but you asked for more sequences at once than micro_batch allows: what they "
    "keep for the backward is the memory that micro-batches save. `split(n)` makes parts of n rows, `chunk(n)` n "
    "parts.",
    "backward_at_the_end": "The gradient is right, but what one micro-batch keeps for its backward is still there when "
    "you ask for the next: all of them are in memory at once. Call backward() inside the loop, without retain_graph or "
    "create_graph, and keep no losses for the next round.",
    "weighted_by_sequences": "You weigh the mean of each micro-batch by its share of *sequences*. PPO's loss is a mean "
    "over tokens: divide each sum by the number of real tokens of the whole minibatch.",
    "mean_of_means": "You average the means of the micro-batches: a token in a micro-batch with few tokens counts more "
    "than one in a full batch. Divide each *sum* by the number of real tokens of the whole minibatch.",
    "sum_of_means": "Every micro-batch is divided by its own tokens, and the means are added up. Divide each *sum* by "
    "the number of real tokens of the whole minibatch.",
    "means_by_micro_batch": "The mean of each micro-batch is divided by micro_batch once more, a number of sequences. "
    "Divide each *sum*, once, by the number of real tokens of the whole minibatch.",
    "padding_counted": "Losses behind the end of a response are in it. Pick the real ones with the rows of the mask.",
    "positions_of_each": "Losses behind the end count as 0, but each micro-batch is divided by all its positions, and "
    "they are among them. Divide each *sum* by the number of real tokens of the whole minibatch.",
    "divided_by_positions": "Only real tokens are summed, but you divide by all positions: short responses shrink the "
    "step. Divide by mask.sum().",
    "not_divided": "This is the gradient of the sum, which grows with the batch. Divide by the number of real tokens.",
    "divided_by_sequences": "You divide by the number of sequences. PPO's loss is a mean over tokens.",
    "mean_of_sequences": "You average each sequence, then the sequences: a token of a short response counts more. All "
    "real tokens of the minibatch weigh the same.",
    "zeroed_between": "This is the gradient of the last micro-batch alone: the ones before were set to zero, or "
    "written over, or backward() stands behind the loop. backward() adds to weight.grad; let it, in each round.",
    "first_alone": "This is the gradient of the first micro-batch alone: does the function end inside the loop?",
    "last_rows_dropped": "The last rows are missing. 14 sequences are no whole number of micro-batches, and the "
    "smaller one at the end counts too; `torch.arange(len(mask)).split(…)` keeps it.",
    "even_batch": "Right with a smaller micro-batch at the end, and wrong where micro_batch divides the batch: then "
    "nothing is left over, and `index[-0:]` is all of them. `split` needs no case of its own.",
    "means_without_the_last": "This is the usual loop of gradient accumulation, and two things are wrong with it: the "
    "rows behind the last whole micro-batch are left out, and the means of the others are averaged, so that a token in "
    "a micro-batch with few tokens counts more. Take all rows, and divide each *sum* by the number of real tokens of "
    "the whole minibatch.",
    "tokens_typed_in": "Right on 14 sequences, and on fewer of them off by a factor: you divide by a number of tokens "
    "that was typed in. Each minibatch has its own, mask.sum().",
    "sequences_typed_in": "Right on 14 sequences, and on more of them the last are missing: their number was typed in. "
    "It is len(mask).",
    "one_sequence": "Right with several sequences at a time, and not with micro_batch = 1. Do the losses of one "
    "sequence keep both dimensions, (1, response)? A squeeze() takes the first away.",
    "clipped": "The direction is right and the length is that of a clipped gradient. Clipping comes later, with the "
    "step; here leave the gradient as it is.",
    "wrong_sign": "Right size, wrong sign: these are losses, and the optimizer makes them small.",
    "divided_twice": "Right but for a factor: the mean over tokens is divided once more, by the number of sequences or "
    "of micro-batches. backward() adds the parts up, and their sum is the mean over all tokens already.",
    "mask_upside_down": "Only padding counts in this gradient: mask is true where a token is real.",
    "mask_of_other_rows": "Each micro-batch is masked like the first one. The losses of `rows` need the mask of the "
    "same rows, mask[rows].",
    "running_total": "You divide each micro-batch by the tokens seen so far. All are divided by the same number, which "
    "is known before the first: the real tokens of the whole minibatch.",
    "gradients_off": "The gradient is right, but after your call the weight gets none any more: "
    "torch.set_grad_enabled(False) or requires_grad_(False) stays until it is taken back. Nothing here needs either.",
    "hook_left": "The gradient is right, but a hook stays on the weight and changes every later gradient as well. Take "
    "it away again (`handle.remove()`), or divide the loss instead.",
    "unknown": "None of the usual slips gives this. weight.grad differs most at {where}, counted from 0: you have "
    "{got:.4g}, due is {due:.4g}. Print for each micro-batch how many real tokens it has and what you divide by: do "
    "all tokens come, once, and is the divisor always that of the whole minibatch?",
    "weight_changed": "The weight is not what it was. The step comes later, once, from the whole gradient.",
}


def accumulated_gradient_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against the gradient of a mean of squared errors by its closed form, 2 / n · Σ error · features, in float64."""
    due, got = _due(inputs), outputs["gradient"]
    if outputs["kind"] != "Tensor":
        return replace(failed("no_gradient", "NoneType", due, _HINTS), got="no gradient")
    if outputs["weight_changed"]:
        verdict = failed("weight_changed", got, due, _HINTS)
        return replace(verdict, got="a weight with other values afterwards", due="the weight as it came")
    of_gradient = {"output": got, "kind": "Tensor", "inputs_changed": outputs["inputs_changed"]}
    verdict = tensor_verdict(of_gradient, due, _causes(inputs, due), _HINTS)
    for counted, name in (("most_rows", "all_at_once"), ("most_kept", "backward_at_the_end")):
        if verdict.passed and outputs[counted] > inputs["micro_batch"]:
            verdict = failed(name, got, due, _HINTS)
            due_rows = f"at most {inputs['micro_batch']}"
            return replace(verdict, got=f"{outputs[counted]} sequences at once", due=due_rows)
    for other, given, name in (("even", even(inputs), "even_batch"), ("ones", one_by_one(inputs), "one_sequence")):
        if verdict.passed:
            of_other = {part: outputs[f"{other}_{part}"] for part in ("gradient", "kind", "most_rows")}
            verdict = _verdict_on_other(inputs, given, of_other, name)
    for name in ("gradients_off", "hook_left"):
        if verdict.passed and outputs[name]:
            later = "none" if name == "gradients_off" else "another"
            return Verdict(False, f"{verdict.got}, and {later} later", verdict.due, _HINTS[name], name)
    return verdict


def _verdict_on_other(inputs: dict, given: dict, outputs: dict, name: str) -> Verdict:
    """Of the answer, right on `inputs`, on other sequences of them or another micro_batch."""
    got, due, micro_batch = outputs["gradient"], _due(given), given["micro_batch"]
    from_these = f"from {len(given['mask'])} sequences in micro-batches of {micro_batch}"
    if outputs["kind"] != "Tensor":
        ended = "no gradient" if outputs["kind"] == "NoneType" else outputs["kind"]
        return replace(failed(name, ended, due, _HINTS), got=f"{ended}, {from_these}")
    if not agree(got, due):
        tokens, rows = inputs["mask"].sum(), len(inputs["mask"])
        share = given["mask"].sum()
        causes = [("tokens_typed_in", due * share / tokens)]
        causes += [("sequences_typed_in", _slopes(given)[:rows][given["mask"][:rows]].sum(0) / share)]
        cause = next((known for known, wrong in causes if agree(got, wrong)), name)
        verdict = failed(cause, got, due, _HINTS)
        return replace(verdict, got=f"{verdict.got}, {from_these}")
    if outputs["most_rows"] > micro_batch:
        verdict = failed("all_at_once", got, due, _HINTS)
        return replace(verdict, got=f"{outputs['most_rows']} sequences at once", due=f"at most {micro_batch}")
    return Verdict(True, described(got), described(due.float()))


def _due(inputs: dict) -> Tensor:
    return _slopes(inputs)[inputs["mask"]].sum(0) / inputs["mask"].sum()


def _slopes(inputs: dict) -> Tensor:
    """The gradient of each position's squared error; (rows, response, width), float64."""
    features, weight, targets = (inputs[name].double() for name in ("features", "weight", "targets"))
    return 2 * (features @ weight - targets)[..., None] * features


def _causes(inputs: dict, due: Tensor) -> Causes:
    slopes, mask = _slopes(inputs), inputs["mask"]
    parts = torch.arange(len(mask)).split(inputs["micro_batch"])
    real, everything = torch.where(mask[..., None], slopes, 0), slopes.sum((0, 1))
    sums, counts = [real[rows].sum((0, 1)) for rows in parts], [mask[rows].sum() for rows in parts]
    means = torch.stack([total / count for total, count in zip(sums, counts, strict=True)])
    positions = torch.stack([real[rows].mean((0, 1)) for rows in parts])
    tokens, total = mask.sum(), real.sum((0, 1))
    of_sequences = real.sum(1) / mask.sum(1, keepdim=True)
    by_sequence = torch.stack([of_sequences[rows].mean(0) for rows in parts])
    whole = [total for total, rows in zip(sums, parts, strict=True) if len(rows) == inputs["micro_batch"]]
    divisors, steps = [1, tokens], len(mask) / inputs["micro_batch"]
    seen = torch.stack(counts).cumsum(0)
    like_first = [slopes[rows][mask[: len(rows)]].sum(0) for rows in parts]
    other_rows = slopes[~mask]
    return [
        *[("mean_of_means", means.sum(0) / number) for number in (len(parts), steps, int(steps))],
        ("means_without_the_last", means[: int(steps)].mean(0)),
        ("means_without_the_last", means[: int(steps)].sum(0) / len(parts)),
        ("sum_of_means", means.sum(0)),
        ("means_by_micro_batch", means.sum(0) / inputs["micro_batch"]),
        ("weighted_by_sequences", sum(mean * len(rows) for mean, rows in zip(means, parts, strict=True)) / len(mask)),
        ("padding_counted", everything / tokens),
        ("padding_counted", everything / mask.numel()),
        ("padding_counted", everything),
        ("padding_counted", torch.stack([slopes[rows].mean((0, 1)) for rows in parts]).mean(0)),
        ("padding_counted", torch.stack([slopes[rows].mean((0, 1)) for rows in parts]).sum(0)),
        ("divided_by_positions", total / mask.numel()),
        ("positions_of_each", positions.mean(0)),
        ("positions_of_each", positions.sum(0)),
        ("not_divided", total),
        ("divided_by_sequences", total / len(mask)),
        ("mean_of_sequences", of_sequences.mean(0)),
        *[("mean_of_sequences", by_sequence.sum(0) / number) for number in (1, len(parts), steps, int(steps))],
        *[("zeroed_between", sums[-1] / divisor) for divisor in (*divisors, counts[-1])],
        *[("first_alone", sums[0] / divisor) for divisor in (*divisors, counts[0])],
        *[("last_rows_dropped", sum(whole) / divisor) for divisor in divisors],
        *[("clipped", due / due.norm() * most) for most in (0.5, 1, 2, 5, 10)],
        ("wrong_sign", -due),
        *[("divided_twice", due / number) for number in (len(mask), len(parts), steps, int(steps))],
        *[("mask_upside_down", other_rows.sum(0) / number) for number in (1, tokens, len(other_rows))],
        *[("mask_of_other_rows", sum(like_first) / number) for number in divisors],
        ("running_total", sum(total / so_far for total, so_far in zip(sums, seen, strict=True))),
    ]
