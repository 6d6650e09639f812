"""Verdicts of lesson 4: one backbone, four roles."""

from dataclasses import replace

import torch
from torch import Tensor

from helpers.checks.calls.lesson_4 import even_rows
from helpers.checks.verdicts.compare import Causes, Verdict, agree, described, failed, left_to, tensor_verdict
from helpers.checks.verdicts.lesson_4_runs import bytes_per_adapted_layer_verdict, run_diagnosis_verdict
from helpers.checks.verdicts.lesson_4_sampling import sampled_tokens_verdict

__all__ = ["bytes_per_adapted_layer_verdict", "run_diagnosis_verdict", "sampled_tokens_verdict"]

_RETURNS_HINTS = {
    "behind_the_end": "You have {got:.4g} where {due:.4g} is due: what stands behind the end of a response leaks in. "
    "There is no token there, so its reward and its value count as 0, also as the *next* value of the last token.",
    "padding_not_zero": "Right at every token of a response, but not behind its end: there, 0 is due.",
    "lambda_swapped": "λ and 1 - λ have changed places. λ weighs what was really collected later, R at t + 1; 1 - λ "
    "weighs the guess, V at t + 1.",
    "advantages": "These are advantages: a value too low by V everywhere. The return is what the value head should "
    "have said, R = A + V.",
    "gamma_missing": "As with gamma = 1: nothing that comes later is discounted.",
    "gamma_on_one_part": "gamma discounts the whole of what comes later, the guess and the collected part: put a "
    "bracket around both.",
    "monte_carlo": "As with λ = 1: you add up the rewards and never use the values. λ below 1 mixes in the guess of "
    "the value head at the next token.",
    "values_left_out": "Of what comes later you have only λ times R, the collected part: the values are missing. The "
    "guess, V at t + 1, has the rest of the weight, 1 - λ.",
    "weights_not_one": "Guess and collected part are no mixture here: their weights add up to more than 1. V at t + 1 "
    "counts 1 - λ, and R at t + 1 counts λ.",
    "not_reversed": "These are the right returns in the wrong order: you went from the end to the start and appended, "
    "so the last token's stands first. Turn them round, or write each to its own place.",
    "value_for_the_return": "At the last token you begin with R = V. What comes after it is 0, so its return is what "
    "was paid for it, its reward; what the value head said is what that is compared with.",
    "left_to_helper": "`advantages_and_returns` of helpers.formulas did the work. It is what the trainer calls, and "
    "does it by way of the advantages; here, write the recursion itself, from the last token to the first.",
    "one_step": "As with λ = 0: one reward and the next guess. λ above 0 mixes in what was collected after that.",
    "own_value": "You mix in the value of the token itself. What is still to come *after* this token is guessed at the "
    "next one: V at t + 1.",
    "forwards": "You go through the response from its first token on. The return looks ahead, so R at t needs R at "
    "t + 1: begin at the end.",
    "own_guess_behind_the_end": "At the last token you take its own value for what comes after it. Nothing comes after "
    "it: V and R count as 0 there.",
    "last_token_left_out": "At the last place of the row you have 0, and what was paid there is lost to all before it: "
    "your loop begins one place too early. `reversed(range(n))` begins at n - 1.",
    "no_rewards": "The rewards are missing: R at t begins with what was paid for token t.",
    "settings_of_the_lesson": "These are the returns with λ = 0.95, as in the lesson, or with its gamma = 1, too. The "
    "function is given its own: `gamma` and `lam`.",
}


def lambda_returns_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against the explicit double sum of generalized advantage estimation, plus the values, in float64."""
    due, got, mask = _advantages_by_double_sum(inputs) + _masked(inputs, "values"), outputs["output"], inputs["mask"]
    if outputs["left_to_helper"]:
        return left_to("advantages_and_returns", "left_to_helper", _RETURNS_HINTS)
    right_in_part = got.shape == due.shape and agree(torch.where(mask, got, 0), due) and not outputs["inputs_changed"]
    if outputs["kind"] == "Tensor" and right_in_part and not agree(got, due):
        return failed("padding_not_zero", got, due, _RETURNS_HINTS)
    return tensor_verdict(outputs, due, _returns_causes(inputs, due), _RETURNS_HINTS)


def _masked(inputs: dict, name: str) -> Tensor:
    return torch.where(inputs["mask"], inputs[name], 0).double()


def _advantages_by_double_sum(inputs: dict) -> Tensor:
    """A_t = sum over k of (gamma · lam)^k · delta_{t+k}, each sum written out."""
    rewards, values, gamma, lam = _masked(inputs, "rewards"), _masked(inputs, "values"), inputs["gamma"], inputs["lam"]
    due = torch.zeros_like(rewards)
    for row, length in enumerate(inputs["mask"].sum(1).tolist()):
        for t in range(length):
            for k in range(length - t):
                following = values[row, t + k + 1] if t + k + 1 < length else 0
                delta = rewards[row, t + k] + gamma * following - values[row, t + k]
                due[row, t] += (gamma * lam) ** k * delta
    return due


def _returns_causes(inputs: dict, due: Tensor) -> Causes:
    rewards, values, mask = _masked(inputs, "rewards"), _masked(inputs, "values"), inputs["mask"]
    raw_rewards, raw_values = inputs["rewards"].double(), inputs["values"].double()
    gamma, lam = inputs["gamma"], inputs["lam"]
    following = _next(values)

    def returns(guess: float, collected: float, r: Tensor = rewards, v: Tensor = following, start=0) -> Tensor:
        running, found = start, torch.zeros_like(r)
        for t in reversed(range(r.shape[1])):
            found[:, t] = running = r[:, t] + guess * v[:, t] + collected * running
        return found

    def forwards(v: Tensor) -> Tensor:
        running, found = 0, torch.zeros_like(rewards)
        for t in range(rewards.shape[1]):
            found[:, t] = running = rewards[:, t] + gamma * ((1 - lam) * v[:, t] + lam * running)
        return found

    def without_last(v: Tensor) -> Tensor:
        first = torch.arange(v.shape[1]) < v.shape[1] - 1
        return torch.where(first, returns(gamma * (1 - lam), gamma * lam, torch.where(first, rewards, 0), v * first), 0)

    right = gamma * (1 - lam), gamma * lam
    found = [
        ("behind_the_end", returns(*right, raw_rewards, _next(raw_values))),
        ("behind_the_end", returns(*right, rewards, _next(raw_values))),
        ("behind_the_end", returns(*right, raw_rewards, following)),
        ("lambda_swapped", returns(gamma * lam, gamma * (1 - lam))),
        ("advantages", due - values),
        ("gamma_missing", returns(1 - lam, lam)),
        ("gamma_on_one_part", returns(gamma * (1 - lam), lam)),
        ("gamma_on_one_part", returns(1 - lam, gamma * lam)),
        ("monte_carlo", returns(0, gamma)),
        ("values_left_out", returns(0, gamma * lam)),
        *[("weights_not_one", returns(*weights)) for weights in ((gamma, right[1]), (right[0], gamma), (gamma, gamma))],
        *[("not_reversed", backwards) for backwards in _from_the_end(due, mask)],
        *[("value_for_the_return", returns(*right, *begun)) for begun in _begun_with_the_value(inputs)],
        ("one_step", returns(gamma, 0)),
        ("own_value", returns(*right, rewards, values)),
        ("forwards", forwards(following)),
        ("forwards", forwards(_next(values.flip(1)).flip(1))),
        *[("own_guess_behind_the_end", returns(*right, rewards, *ends)) for ends in _own_guesses(values, mask, lam)],
        ("last_token_left_out", without_last(following)),
        ("last_token_left_out", without_last(values)),
        ("no_rewards", returns(*right, torch.zeros_like(rewards))),
        ("settings_of_the_lesson", returns(0.05, 0.95)),  # gamma 1, lam 0.95
        ("settings_of_the_lesson", returns(0.05 * gamma, 0.95 * gamma)),
    ]
    yield from ((name, torch.where(mask, wrong, 0)) for name, wrong in found)
    yield from found  # the same, with what it gives behind the end left there


def _own_guesses(values: Tensor, mask: Tensor, lam: float) -> list[tuple]:
    """What follows each token where the last value counts twice: as the next V, or as the next R, too."""
    last, row_end = mask.sum(1, keepdim=True) - 1, torch.cat([values[:, 1:], values[:, -1:]], dim=1)
    own = values.gather(1, last)
    by_row = [_next(values).scatter(1, last, guess) for guess in (own, own / (1 - lam))]
    starts = [(row_end, values[:, -1]), (_next(values), values[:, -1])]
    return [(row_end,), *starts, *[(following,) for following in by_row]]


def _begun_with_the_value(inputs: dict) -> list[tuple[Tensor, Tensor]]:
    """Rewards that make R = V where the walk begins, in the last column or at each last token; and the next values."""
    rewards, values = _masked(inputs, "rewards"), _masked(inputs, "values")
    last = inputs["mask"].sum(1, keepdim=True) - 1
    found = [(rewards.scatter(1, last, values.gather(1, last)), _next(values))]
    for r, v in ((rewards, values), (inputs["rewards"].double(), inputs["values"].double())):
        found.append((torch.cat([r[:, :-1], v[:, -1:]], dim=1), _next(v)))
    return found


def _from_the_end(due: Tensor, mask: Tensor) -> list[Tensor]:
    """The right returns as they are found: of each row, or of its real tokens, the last one first."""
    places = mask.sum(1, keepdim=True) - 1 - torch.arange(due.shape[1])
    return [due.flip(1), torch.where(mask, due.gather(1, places.clamp_min(0)), 0)]


def _next(values: Tensor) -> Tensor:
    return torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=1)


_GRADIENT_HINTS = {
    "no_gradient": "weight.grad is empty after the call. Each micro-batch needs a loss.backward(), which adds to it.",
    "all_at_once": "The gradient is right, but you asked for more sequences at once than micro_batch allows: what they "
    "keep for the backward is the memory that micro-batches save. `split(n)` makes parts of n rows, `chunk(n)` n "
    "parts.",
    "backward_at_the_end": "The gradient is right, but what one micro-batch keeps for its backward is still there when "
    "you ask for the next: all of them are in memory at once. Call backward() inside the loop, without retain_graph.",
    "weighted_by_sequences": "You weigh the mean of each micro-batch by its share of *sequences*. PPO's loss is a mean "
    "over tokens: divide each sum by the number of real tokens of the whole minibatch.",
    "mean_of_means": "This is the mean of the micro-batches' means: a token in a micro-batch with few tokens counts "
    "more than one in a full batch. Divide each *sum* by the number of real tokens of the whole minibatch.",
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
    "written over. backward() adds to weight.grad; let it.",
    "first_alone": "This is the gradient of the first micro-batch alone: does the function end inside the loop?",
    "last_rows_dropped": "The last rows are missing. 11 sequences are no whole number of micro-batches, and the "
    "smaller one at the end counts too; `torch.arange(11).split(…)` keeps it.",
    "even_batch": "Right with a smaller micro-batch at the end, and wrong where micro_batch divides the batch: then "
    "nothing is left over, and `index[-0:]` is all of them. `split` needs no case of its own.",
    "weight_changed": "The weight is not what it was. The step comes later, once, from the whole gradient.",
}


def accumulated_gradient_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against the gradient of a mean of squared errors by its closed form, 2 / n · Σ error · features, in float64."""
    slopes, mask, got = _slopes(inputs), inputs["mask"], outputs["gradient"]
    due = slopes[mask].sum(0) / mask.sum()
    if outputs["kind"] != "Tensor":
        return replace(failed("no_gradient", "NoneType", due, _GRADIENT_HINTS), got="no gradient")
    if outputs["weight_changed"]:
        verdict = failed("weight_changed", got, due, _GRADIENT_HINTS)
        return replace(verdict, got="a weight with other values afterwards", due="the weight as it came")
    verdict = tensor_verdict(
        {"output": got, "kind": "Tensor", "inputs_changed": False}, due, _gradient_causes(inputs), _GRADIENT_HINTS
    )
    for counted, name in (("most_rows", "all_at_once"), ("most_kept", "backward_at_the_end")):
        if verdict.passed and outputs[counted] > inputs["micro_batch"]:
            verdict = failed(name, got, due, _GRADIENT_HINTS)
            due_rows = f"at most {inputs['micro_batch']}"
            return replace(verdict, got=f"{outputs[counted]} sequences at once", due=due_rows)
    return _verdict_on_even_batch(inputs, outputs) if verdict.passed else verdict


def _verdict_on_even_batch(inputs: dict, outputs: dict) -> Verdict:
    """Of the answer, right on 11 sequences, on as many as micro_batch divides."""
    rows, got = even_rows(inputs), outputs["even_gradient"]
    mask = inputs["mask"][:rows]
    due = _slopes(inputs)[:rows][mask].sum(0) / mask.sum()
    is_right = (
        outputs["even_kind"] == "Tensor" and agree(got, due) and outputs["even_most_rows"] <= inputs["micro_batch"]
    )
    if is_right:
        return Verdict(True, described(got), described(due.float()))
    verdict = failed("even_batch", got, due, _GRADIENT_HINTS)
    return replace(verdict, got=f"{verdict.got}, from {rows} sequences in micro-batches of {inputs['micro_batch']}")


def _slopes(inputs: dict) -> Tensor:
    """The gradient of each position's squared error; (rows, response, width), float64."""
    features, weight, targets = (inputs[name].double() for name in ("features", "weight", "targets"))
    return 2 * (features @ weight - targets)[..., None] * features


def _gradient_causes(inputs: dict) -> Causes:
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
    divisors = [1, tokens]
    return [
        ("mean_of_means", means.mean(0)),
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
        ("mean_of_sequences", by_sequence.mean(0)),
        *[("zeroed_between", sums[-1] / divisor) for divisor in (*divisors, counts[-1])],
        *[("first_alone", sums[0] / divisor) for divisor in (*divisors, counts[0])],
        *[("last_rows_dropped", sum(whole) / divisor) for divisor in divisors],
    ]
