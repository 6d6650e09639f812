"""The verdict of exercise 4.1: what the value head should have said."""

import torch
from torch import Tensor

from helpers.checks.verdicts.compare import Causes, Verdict, agree, failed, left_to, tensor_verdict

_HINTS = {
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
        return left_to("advantages_and_returns", "left_to_helper", _HINTS)
    right_in_part = got.shape == due.shape and agree(torch.where(mask, got, 0), due) and not outputs["inputs_changed"]
    if outputs["kind"] == "Tensor" and right_in_part and not agree(got, due):
        return failed("padding_not_zero", got, due, _HINTS)
    return tensor_verdict(outputs, due, _causes(inputs, due), _HINTS)


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


def _causes(inputs: dict, due: Tensor) -> Causes:
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
