"""The verdict of exercise 4.1: what the value head should have said."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from helpers.checks.calls.lesson_4 import other_returns
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
    "forwards": "You go through the response from its first token on. The return looks ahead, so R at t needs R at t + "
    "1: begin at the end.",
    "own_guess_behind_the_end": "At the last token you take its own value for what comes after it. Nothing comes after "
    "it: V and R count as 0 there.",
    "last_token_left_out": "At the last place, of the row or of each response, you have 0, and what was paid there is "
    "lost to all before it: your loop begins one place too early. `reversed(range(n))` begins at n - 1.",
    "no_rewards": "The rewards are missing: R at t begins with what was paid for token t.",
    "one_behind_the_end": "You have {got:.4g} where {due:.4g} is due: what stands one place behind the end of a "
    "response leaks in. It is the mask of t + 1 that says whether anything follows token t, and the last real token "
    "of each row is number mask.sum(1) - 1, counted from 0.",
    "first_token_left_out": "Right but for the first token of each response, where you have 0: your loop ends one "
    "place too early. `range(n - 1, -1, -1)` goes down to 0, and `reversed(range(n))` as well.",
    "gamma_and_lambda_swapped": "gamma and λ have changed places: gamma discounts all that comes later, λ divides it "
    "into what was collected and what is guessed.",
    "gamma_twice": "A part of what comes later is discounted twice: gamma stands before the bracket, and in it once "
    "more. From t to t + 1 it is one step.",
    "value_subtracted": "You begin with r - V, as the error δ of the lesson does. A return begins with the reward "
    "alone: the value of the token itself is not in it.",
    "reward_for_the_value": "For what is guessed at the next token you take its reward. The guess is what the value "
    "head said there, V.",
    "bracket_missing": "1 - lam * V is 1 - (lam * V): Python multiplies first. The weight of the guess needs a "
    "bracket, (1 - lam) * V.",
    "rows_for_places": "You go through as many places as there are responses: len(rewards) counts the rows. The places "
    "are rewards.shape[1].",
    "mask_upside_down": "You kept what stands behind the end and dropped the tokens: mask is true where a token is "
    "real.",
    "full_rows_lost": "Right but for responses that fill their row: they give 0. Where no place is false, argmin() "
    "says 0. The number of real tokens is mask.sum(1).",
    "lambda_0": "Right with λ between 0 and 1, and not with λ = 0, where only the next guess counts. Do you divide "
    "by gamma * lam, or by a power of it, or ask `if lam`? At 0 neither holds.",
    "lambda_1": "Right with λ between 0 and 1, and not with λ = 1, where only what was collected counts. Do you "
    "divide by 1 - lam? It is 0 there; and no case of its own is needed.",
    "shape_typed_in": "Right for 4 responses of 7 places, and not for longer ones: a size was typed in. rewards.shape "
    "holds both, and torch.zeros_like(rewards) needs none.",
    "one_response": "Right for several responses, and not for one alone: a `squeeze()` takes its dimension away, and a "
    "single row has no other to be mixed with. Keep both dimensions, (1, response).",
    "settings_of_the_lesson": "These are the returns with λ = 0.95, as in the lesson, or with its gamma = 1, too. The "
    "function is given its own: `gamma` and `lam`.",
}


def lambda_returns_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against the explicit double sum of generalized advantage estimation, plus the values, in float64."""
    if outputs["left_to_helper"]:
        return left_to("advantages_and_returns", "left_to_helper", _HINTS)
    verdict = _verdict(inputs, outputs)
    if not verdict.passed:
        return verdict
    names = {"longer": "shape_typed_in", "one": "one_response"}
    for other, given in other_returns(inputs).items():
        of_other = {"output": outputs[f"{other}_output"], "kind": outputs[f"{other}_kind"], "inputs_changed": False}
        found = _verdict(given, of_other)
        if not found.passed:
            name, (rows, places) = names.get(other, other), given["mask"].shape
            where = f"with λ = {given['lam']} and {rows} x {places} places"
            return replace(found, got=f"{found.got}, {where}", hint=_HINTS[name], hint_name=name)
    return verdict


def _verdict(inputs: dict, outputs: dict) -> Verdict:
    due, got, mask = _due(inputs), outputs["output"], inputs["mask"]
    right_in_part = got.shape == due.shape and agree(torch.where(mask, got, 0), due) and not outputs["inputs_changed"]
    if outputs["kind"] == "Tensor" and right_in_part and not agree(got, due):
        return failed("padding_not_zero", got, due, _HINTS)
    return tensor_verdict(outputs, due, _causes(inputs, due), _HINTS)


def _due(inputs: dict) -> Tensor:
    return _advantages_by_double_sum(inputs) + _masked(inputs, "values")


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
    found, mask = [*_of_weights(inputs, due), *_of_the_walk(inputs, due), *_of_what_leaks(inputs)], inputs["mask"]
    yield from ((name, torch.where(mask, wrong, 0)) for name, wrong in found)
    yield from found  # the same, with what it gives behind the end left there


def _returns(guess: float, collected: float, r: Tensor, v: Tensor, start: Tensor | float = 0) -> Tensor:
    """Back from the last place: r, the next guess and what was collected, with their weights."""
    running, found = start, torch.zeros_like(r)
    for t in reversed(range(r.shape[1])):
        found[:, t] = running = r[:, t] + guess * v[:, t] + collected * running
    return found


def _of_weights(inputs: dict, due: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Walks from the end in which what is added up, or its weight, is another."""
    rewards, values, gamma, lam = _masked(inputs, "rewards"), _masked(inputs, "values"), inputs["gamma"], inputs["lam"]
    right, following = (gamma * (1 - lam), gamma * lam), _next(values)
    weights = [
        ("lambda_swapped", gamma * lam, gamma * (1 - lam)),
        ("gamma_missing", 1 - lam, lam),
        ("gamma_on_one_part", gamma * (1 - lam), lam),
        ("gamma_on_one_part", 1 - lam, gamma * lam),
        ("monte_carlo", 0, gamma),
        ("values_left_out", 0, gamma * lam),
        *[("weights_not_one", *weights) for weights in ((gamma, right[1]), (right[0], gamma), (gamma, gamma))],
        ("one_step", gamma, 0),
        ("settings_of_the_lesson", 0.05, 0.95),  # gamma 1, lam 0.95
        ("settings_of_the_lesson", 0.05 * gamma, 0.95 * gamma),
        ("gamma_and_lambda_swapped", lam * (1 - gamma), lam * gamma),
        ("gamma_twice", gamma * (1 - lam), gamma**2 * lam),
        ("gamma_twice", gamma**2 * (1 - lam), gamma * lam),
        ("gamma_twice", gamma**2 * (1 - lam), gamma**2 * lam),
    ]
    yield ("advantages", due - values)
    yield from ((name, _returns(guess, collected, rewards, following)) for name, guess, collected in weights)
    yield ("own_value", _returns(*right, rewards, values))
    yield ("no_rewards", _returns(*right, torch.zeros_like(rewards), following))
    yield ("value_subtracted", _returns(*right, rewards - values, following))
    yield ("reward_for_the_value", _returns(*right, rewards, _next(rewards)))
    yield ("bracket_missing", _returns(-gamma * lam, gamma * lam, rewards + gamma, following))


def _of_the_walk(inputs: dict, due: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Right weights in a walk that begins, ends or goes otherwise."""
    rewards, values, mask = _masked(inputs, "rewards"), _masked(inputs, "values"), inputs["mask"]
    gamma, lam, (rows, places) = inputs["gamma"], inputs["lam"], mask.shape
    right, following, place = (gamma * (1 - lam), gamma * lam), _next(values), torch.arange(places)

    def forwards(v: Tensor) -> Tensor:
        return _returns(*right, rewards.flip(1), v.flip(1)).flip(1)

    def within(kept: Tensor) -> Iterator[Tensor]:
        for v in (following, values, _next(values * kept)):  # the next one read, or carried from place to place
            yield torch.where(kept, _returns(*right, rewards * kept, v * kept), 0)

    yield from [("not_reversed", backwards) for backwards in _from_the_end(due, mask)]
    yield from [("value_for_the_return", _returns(*right, *begun)) for begun in _begun_with_the_value(inputs)]
    yield from [("forwards", forwards(following)), ("forwards", forwards(_next(values.flip(1)).flip(1)))]
    for guesses in _own_guesses(values, mask, lam):
        yield ("own_guess_behind_the_end", _returns(*right, rewards, *guesses))
    for kept in (place < places - 1, place < mask.sum(1, keepdim=True) - 1):
        yield from (("last_token_left_out", found) for found in within(kept))
    yield from (("rows_for_places", found) for found in within(place < rows))
    yield ("first_token_left_out", torch.where(place > 0, due, 0))
    yield ("full_rows_lost", torch.where(mask.all(1, keepdim=True), 0, due))


def _of_what_leaks(inputs: dict) -> Iterator[tuple[str, Tensor]]:
    """Right weights, with what stands behind the end, at all its places or at the first of them."""
    rewards, values, mask = _masked(inputs, "rewards"), _masked(inputs, "values"), inputs["mask"]
    raw_rewards, raw_values = inputs["rewards"].double(), inputs["values"].double()
    right = inputs["gamma"] * (1 - inputs["lam"]), inputs["gamma"] * inputs["lam"]
    for r, v in ((raw_rewards, raw_values), (rewards, raw_values), (raw_rewards, values)):
        yield ("behind_the_end", _returns(*right, r, _next(v)))
    one_more = torch.cat([mask[:, :1], mask[:, :-1]], dim=1)
    near_rewards, near_values = torch.where(one_more, raw_rewards, 0), torch.where(one_more, raw_values, 0)
    for r, v in ((near_rewards, near_values), (rewards, near_values), (near_rewards, values)):
        yield ("one_behind_the_end", _returns(*right, r, _next(v)))
    behind = ~mask
    yield ("mask_upside_down", _returns(*right, raw_rewards * behind, _next(raw_values * behind)))


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
