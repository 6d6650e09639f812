"""The verdict of the exercise of lesson 4 that samples."""

from dataclasses import replace

import torch
from torch import Tensor

from helpers.checks.calls.lesson_4_sampling import TOP_LEFT_OUT, TOP_ROWS, other_rows
from helpers.checks.verdicts.compare import Causes, Verdict, cause_of, described, failed, tensor_verdict

_CUTS = ((5, 1), (10, 1), (50, 1), (10**6, 0.9), (10**6, 0.95), (10**6, 0.99), (10**6, 0.999))  # top_k and top_p
_HINTS = {
    "dtype": "Your result comes as {got_dtype}; token ids are whole numbers, torch.int64.",
    "squeeze_forgotten": "Your result has shape {got_shape}. One number for each row is due: .squeeze(1) takes the "
    "dimension of size 1 away, and {due_shape} is left.",
    "own_random_numbers": "Called twice with the same random numbers, you give two results: yours are drawn inside. "
    "Use `uniforms`, so that a rollout can be repeated.",
    "uniforms_ignored": "With the random numbers in another order you give the same tokens. If yours are drawn inside, "
    "from a seed: use `uniforms` instead, of which a rollout has others for each token.",
    "nearest_end": "You take the token whose part ends (or begins) nearest to the random number. That is often a "
    "neighbour: the number has to lie inside the part, behind all ends that it has reached.",
    "greedy": "These are the likeliest tokens, whatever the random numbers say. PPO needs samples: only then are the "
    "log-probabilities those of what was drawn.",
    "no_temperature": "As with a temperature of 1. Divide the logits by it, before the softmax.",
    "times_temperature": "You multiply by the temperature, or divide after the softmax. A low one should sharpen the "
    "distribution: divide the logits.",
    "one_too_many": "Off by one: each token is the one *behind* that in whose stretch the random number falls. The "
    "token is the number of cumulative sums that the random number has reached.",
    "one_too_few": "Off by one: each token is the one *before* that in whose stretch the random number falls. The "
    "first cumulative sum is the first token's own probability, not 0.",
    "end_left_out": "Right but where the random number falls *on* the end of a token's part: the part reaches up to "
    "its end, without it. Count an end that equals the random number, too (<=, or right=True in searchsorted).",
    "above_the_last_end": "Right in all rows but those whose random number is nearly 1. The sum of all probabilities "
    "is 1, but in float32 it may end a little lower, and then no end lies above that number: you return a token that "
    "does not exist, or token 0, or none, or look behind the last (an IndexError, a StopIteration). Leave out the last "
    "end: what is behind all others is the last token's.",
    "likeliest_first": "You lay the tokens in the order of their probabilities. That samples from the right "
    "distribution, but the same random numbers should give the same tokens as everywhere in this course: from token 0 "
    "up.",
    "not_cumulative": "You compare the random number with each probability by itself. Lay them end to end first: "
    "cumsum.",
    "over_the_batch": "The softmax or the sum runs over the batch. Each row is a distribution of its own: dimension 1.",
    "sorted_and_lost": "You sorted the probabilities and return places in the sorted row. A place there is no token "
    "id; without sorting there is nothing to translate back.",
    "other_end": "You count from the last token down, or take 1 less the random number, which is the same. That "
    "samples from the right distribution, but the same random numbers should give the same tokens as everywhere in "
    "this course: from token 0 up.",
    "no_softmax": "You sum logits. Only probabilities, from a softmax, fill the stretch from 0 to 1.",
    "log_probabilities": "Every row gives one and the same token: the last, or one behind it. So it is with "
    "log-probabilities and their sums, which lie below 0 and so below any random number (only probabilities fill the "
    "stretch from 0 to 1), and with a loop that does not stop at the first end above the number, or begins at the "
    "last token.",
    "counted_above": "You count the ends above the random number. Count those at or below it: so many parts lie before "
    "that of the token.",
    "not_normalized": "Your probabilities do not add up to 1. exp(), or a power of a softmax, has to be divided by the "
    "sum of its row before the parts fill the stretch from 0 to 1.",
    "softmax_twice": "A softmax of probabilities is taken, which makes them nearly equal. One softmax, of the logits.",
    "cut_off": "Some tokens are never drawn, the unlikely ones or those above some id: a top_k, a top_p or a size of "
    "the vocabulary was set. Here nothing is cut off, and a vocabulary may have any size. (Or the temperature was "
    "bounded: it may be any number above 0.)",
    "temperature_bounded": "You go by another temperature than was given: it was bounded, or rounded. It may be any "
    "number above 0, above 1 too.",
    "too_coarse": "Right but where the random number is within a ten-thousandth of an end: probabilities, ends or "
    "numbers were rounded (half precision has three digits), or something was added to them. Stay in float32.",
    "exp_overflows": "Right for small logits, and not for those near 100 or -100: exp() of them is infinite, or 0 in "
    "a whole row. softmax takes the maximum of *each row* away first. (Or the temperature was bounded: it may be any "
    "number above 0.)",
    "one_row": "Right for several rows, and not for a single one. squeeze() without a dimension takes that of the row "
    "away, too; squeeze(1) does not.",
}


def sampled_tokens_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against a walk along each row: subtract probabilities from the random number until it is used up, in float64."""
    due, got = _walked(inputs), outputs["output"]
    if outputs["kind"] == TOP_LEFT_OUT or outputs["kind"].startswith("an error"):
        return _verdict_without_the_top(inputs, outputs, due)
    if outputs["kind"] != "Tensor" or outputs["inputs_changed"] or got.shape not in (due.shape, (*due.shape, 1)):
        return tensor_verdict(outputs, due, [], _HINTS)
    if name := _sampled_fault(inputs, outputs, due):
        return failed(name, got, due, _HINTS)
    return _verdict_on_others(inputs, outputs) or Verdict(True, described(got), described(due))


def _verdict_on_others(inputs: dict, outputs: dict) -> Verdict | None:
    """Of an answer that is right on the inputs, on other rows."""
    names = {"near": "too_coarse", "far": "exp_overflows", "wide": "cut_off", "one": "one_row"}
    for other, given in other_rows(inputs).items():
        got, kind, due = outputs[f"{other}_output"], outputs[f"{other}_kind"], _walked(given)
        if kind == "Tensor" and got.shape == due.shape and torch.equal(got.double(), due.double()):
            continue
        known = (name for name, wrong in _of_other_settings(given) if torch.equal(got.double(), wrong.double()))
        verdict = failed(next(known, names[other]), got if kind == "Tensor" else kind, due, _HINTS)
        size = "{} x {} logits up to {:.0f}".format(*given["logits"].shape, given["logits"].max())
        return replace(verdict, got=f"{verdict.got}, for {size} and a temperature of {given['temperature']}")
    return None


def _of_other_settings(inputs: dict) -> Causes:
    """The tokens where a bound changes the temperature, or unlikely tokens are left out."""
    probabilities = (inputs["logits"].double() / inputs["temperature"]).softmax(1)
    for most, share in _CUTS:
        ends = _cut(probabilities, most, share).cumsum(1)[:, :-1]
        yield ("cut_off", (ends <= inputs["uniforms"].double()[:, None]).sum(1))
    yield from (("temperature_bounded", tokens) for tokens in _bounded(inputs))


def _bounded(inputs: dict) -> list[Tensor]:
    """The tokens with a temperature that a bound has changed."""
    bounds = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 1.0, 1.5, 2.0)
    others = [bound for bound in bounds if abs(bound - inputs["temperature"]) > 0.1 * inputs["temperature"]]
    return [_walked({**inputs, "temperature": bound}) for bound in others]


def _sampled_fault(inputs: dict, outputs: dict, due: Tensor) -> str:
    """The name of what is wrong with a tensor of the right shape or one dimension more, '' for nothing."""
    got = outputs["output"]
    if got.shape != due.shape:
        return "squeeze_forgotten"
    if outputs["varies"]:
        return "own_random_numbers"
    if not torch.equal(got.double(), due.double()):
        if torch.equal(got[:-TOP_ROWS].double(), due[:-TOP_ROWS].double()):
            return "above_the_last_end"
        name = _sampled_cause(inputs, got[:-TOP_ROWS])
        return "uniforms_ignored" if name == "unknown" and outputs["ignores_uniforms"] else name
    return "" if got.dtype == torch.int64 else "dtype"


def _verdict_without_the_top(inputs: dict, outputs: dict, due: Tensor) -> Verdict:
    """On an answer that found no token in the last rows: it ended in an error there, or left them out."""
    got, expected = outputs["output"], due[:-TOP_ROWS]
    is_right = torch.equal(got.double(), expected.double())
    name = "above_the_last_end" if is_right else _sampled_cause(inputs, got)
    verdict = failed(name, got, expected, _HINTS)
    ended = "no token" if outputs["kind"] == TOP_LEFT_OUT else outputs["kind"]
    where = f"{ended} where the random number is nearly 1; in the other rows {verdict.got}"
    return replace(verdict, got=where, due=described(due))


def _sampled_cause(inputs: dict, got: Tensor) -> str:
    """The known mistake that gives these tokens in all rows but the last ones."""
    return cause_of(got.float(), ((name, tokens[:-TOP_ROWS]) for name, tokens in _sampled_causes(inputs)))


def _walked(inputs: dict) -> Tensor:
    probabilities = (inputs["logits"].double() / inputs["temperature"]).softmax(1)
    due = []
    for row, left in zip(probabilities.tolist(), inputs["uniforms"].tolist(), strict=True):
        token = 0
        while left >= row[token] and token < len(row) - 1:
            left -= row[token]
            token += 1
        due.append(token)
    return torch.tensor(due)


def _sampled_causes(inputs: dict) -> Causes:
    logits, uniforms = inputs["logits"].double(), inputs["uniforms"].double()[:, None]
    temperature = inputs["temperature"]
    probabilities, due = (logits / temperature).softmax(1), _walked(inputs)
    last = logits.shape[1] - 1

    def drawn(of: Tensor) -> Tensor:
        return (of.cumsum(1) <= uniforms).sum(1)

    (descending, order), (ascending, upwards) = probabilities.sort(dim=1, descending=True), probabilities.sort(dim=1)
    below = (probabilities.cumsum(1) < uniforms).sum(1)
    every_end = probabilities.cumsum(1)
    starts = every_end - probabilities
    plain, over_batch = logits.softmax(1), (logits / temperature).softmax(0)
    found = [
        ("greedy", logits.argmax(1)),
        *[("nearest_end", (ends - uniforms).abs().argmin(1)) for ends in (every_end, every_end[:, :-1], starts)],
        ("other_end", (probabilities.cumsum(1) <= 1 - uniforms).sum(1)),
        ("no_temperature", drawn(plain)),
        ("times_temperature", drawn((logits * temperature).softmax(1))),
        ("times_temperature", drawn(plain / temperature)),
        ("one_too_many", due + 1),
        ("one_too_few", due - 1),
        ("not_cumulative", (probabilities < uniforms).long().argmax(1)),
        ("not_cumulative", (probabilities >= uniforms).long().argmax(1)),
        ("not_cumulative", (probabilities - uniforms).abs().argmin(1)),
        ("over_the_batch", drawn(over_batch)),
        ("sorted_and_lost", drawn(descending)),
        ("sorted_and_lost", drawn(ascending)),
        ("other_end", last - drawn(probabilities.flip(1))),
        ("end_left_out", below),
        ("one_too_many", below + 1),
        ("one_too_few", below - 1),
        ("likeliest_first", order.gather(1, drawn(descending)[:, None].clamp(max=last)).squeeze(1)),
        ("likeliest_first", upwards.gather(1, drawn(ascending)[:, None].clamp(max=last)).squeeze(1)),
        ("log_probabilities", torch.full_like(due, last + 1)),
        *[("counted_above", (ends > uniforms).sum(1)) for ends in (every_end, every_end[:, :-1])],
        ("not_normalized", drawn((logits / temperature).exp())),
        ("not_normalized", drawn(logits.exp())),
        ("not_normalized", drawn(plain ** (1 / temperature))),
        ("softmax_twice", drawn(probabilities.softmax(1))),
        *_of_other_settings(inputs),
    ]
    for name, ends in (  # ends that need not rise: leaving out the last is not the same as a clamp
        ("not_cumulative", probabilities),
        ("over_the_batch", probabilities.cumsum(0)),
        ("no_softmax", (logits / temperature).cumsum(1)),
        ("no_softmax", logits.cumsum(1)),
    ):
        found += [(name, (some <= uniforms).sum(1)) for some in (ends, ends[:, :-1])]
    for name, tokens in found:
        yield from ((name, tokens), (name, tokens.clamp(0, last)))


def _cut(probabilities: Tensor, most: int, share: float) -> Tensor:
    """The probabilities of the likeliest tokens, as many as top_k and top_p leave; each row adds up to 1."""
    descending = probabilities.sort(dim=1, descending=True).values
    kept = ((descending.cumsum(1) - descending < share) & (torch.arange(descending.shape[1]) < most)).sum(1)
    least = descending.gather(1, kept[:, None] - 1)
    left = torch.where(probabilities >= least, probabilities, 0)
    return left / left.sum(1, keepdim=True)
