"""Verdicts of exercises 3.5 and 3.6: what dropout costs, and short runs to diagnose."""

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from helpers.checks.calls.lesson_3_models import policy_model
from helpers.checks.calls.lesson_3_runs import FIELDS
from helpers.checks.verdicts.compare import Verdict, number_verdict, texts_verdict

_NATS_HINTS = {
    "nats_zero": "0: both passes gave the same. Either dropout was off (leave the model in the mode it arrived in), "
    "or one pass is compared with itself. Ask the model twice.",
    "nats_cancel": "The differences have both signs and cancel in your mean. Take abs() of each before you average.",
    "nats_largest": "This is the largest difference of one token. Asked is the mean.",
    "nats_summed": "This is the sum over all tokens. A cost in nats *a token* is their mean.",
    "nats_of_logits": "These are differences of logits, which are no log-probabilities yet: log_softmax first.",
    "nats_of_vocabulary": "You compared all tokens of the vocabulary. PPO has one log-probability for each token that "
    "was written: gather it.",
    "nats_of_probabilities": "You took differences of probabilities. A nat is a difference of their logarithms.",
    "nats_of_ratio": "This is how far the ratio is from 1, on average. Close, but nats are differences before exp().",
    "nats_squared": "You squared the differences. Their absolute values are asked for.",
    "nats_in_bits": "These are bits: logarithms to base 2. The course counts in nats.",
    "nats_against_reference": "One of your passes ran with the adapter off, so this compares policy and reference. "
    "Both passes are the policy's: the question is what differs when *nothing* has changed.",
    "nats_against_eval": "You compared a pass with dropout and one without. A trainer that forgets dropout has it in "
    "both passes, drawn anew: leave the mode as it is.",
    "nats_of_other_passes": "None of the usual slips; but the model was asked {passes} times, and read {read} tokens "
    "in all. Dropout is drawn anew in each pass, so what is due are exactly two passes, each over `tokens` as they "
    "came, {due} in all.",
    "nats_seeded": "You set a seed. Set to the same number before both passes, it makes both draw the same dropout, "
    "and nothing differs; set once, it makes another dropout than the check's. Ask twice, and change nothing in "
    "between.",
    "mode_changed": "Right, but the model came in training mode and is in another now: what follows would run without "
    "its dropout. Put it back, or leave it alone: nothing here needs another mode.",
    "nats_left_changed": "Right, but the model is not as it came: {left}. A measurement leaves what it measures alone.",
    "nats_not_shifted": "Off by one: the logits at position t are about the token at t + 1.",
}

_LEFT = {
    "adapter": "its adapter is off, merged or gone",
    "dropout": "it has another dropout",
    "scaling": "its adapter counts by another factor",
    "trainable": "other parameters are trainable",
    "weights": "its weights are others",
    "gradients": "its parameters hold gradients",
    "autograd": "after torch.set_grad_enabled(False) no tensor gets a gradient any more",
}

_RUN_HINTS = {
    "one_name_for_all": "You give every run the same name, {got}; there are six different names.",
    "dropout_missed": "One run's ratios are not 1 although nothing had been updated. Then two passes of one model "
    "disagree, and there is just one thing that makes a pass random.",
    "dropout_is_no_start": "You call a run 'starting adapter' whose first ratios are not 1. Its KL is not 0 either, "
    "but that has the same reason: two passes of one model disagree. Ask about the ratios first, and closely: 1.04 is "
    "not 1.",
    "start_missed": "One run's KL is not 0 at the first batch, however small, while its ratios are 1: the policy "
    "agrees with itself, and not with its reference. They were different models before the run began.",
    "start_is_no_dropout": "You call a run 'dropout' whose first ratios are 1 to the last digit: two passes agree. "
    "Its KL says only that policy and reference were different models from the start.",
    "bias_missed": "One run's first log is clean, yet with the adapter off the model is not what it was: off_moved. "
    "More was trained than the adapter, and it was trained in place.",
    "bias_is_no_copy": "You call a run 'modules_to_save' whose original moved. peft trains a *copy* of such a module, "
    "and with the adapter off the original answers. What is trained without a copy?",
    "bias_is_no_merge": "You call a run 'merged' that trained more numbers than its adapter has. Merging trains "
    "nothing: count first.",
    "modules_missed": "One run keeps its reference and trains several times the numbers of its adapter: a copy of a "
    "whole module, with gradients and optimizer state. Compare trained with in_adapter.",
    "modules_are_no_bias": "You call a run 'bias' whose original did not move. Biases are trained in place, so "
    "off_moved would not be 0; here a copy was trained.",
    "merge_missed": "One run trained its adapter alone, and still the original moved a little. W + BA - BA is not W "
    "where numbers are rounded: small is not 0.",
    "merge_is_no_bias": "You call a run 'bias' that trained just the numbers of its adapter. No bias was among them, "
    "so something else wrote to the weights.",
    "healthy_blamed": "You blame a run that is healthy: first KL 0, ratios 1, nothing trained but the adapter, the "
    "original unmoved. That last_kl is above 0 only says that the policy has learned.",
    "other_way": "A run is called what it is not. Write a run of each name side by side: in which field has one a "
    "value that none of the others has? (last_kl is none: it grows in a healthy run, too.)",
}

_MISSED = {
    "dropout": "dropout_missed",
    "starting adapter": "start_missed",
    "bias": "bias_missed",
    "modules_to_save": "modules_missed",
    "merged": "merge_missed",
}
_CONFUSED = {  # (what it is, what it was called)
    ("dropout", "starting adapter"): "dropout_is_no_start",
    ("starting adapter", "dropout"): "start_is_no_dropout",
    ("bias", "modules_to_save"): "bias_is_no_copy",
    ("bias", "merged"): "bias_is_no_merge",
    ("modules_to_save", "bias"): "modules_are_no_bias",
    ("merged", "bias"): "merge_is_no_bias",
}


def nats_of_dropout_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against two passes of the same model under the same random numbers, by the softmax's definition in float64."""
    first, second = _passes(inputs)
    tokens = inputs["tokens"]
    due = (_chosen(second, tokens).log() - _chosen(first, tokens).log()).abs().mean().item()
    verdict = number_verdict(outputs, due, _nats_causes(inputs, first, second), _NATS_HINTS)
    if verdict.passed and (left := outputs["left"]) != "nothing":
        name = "mode_changed" if left == "mode" else "nats_left_changed"
        hint = _NATS_HINTS[name].format(left=_LEFT.get(left, left))
        return Verdict(False, "a model that is another now", "as it came", hint, name)
    if not verdict.passed and outputs["kind"] == "number" and outputs["seeded"]:
        return replace(verdict, hint=_NATS_HINTS["nats_seeded"], hint_name="nats_seeded")
    asked = outputs["passes"], outputs["tokens_read"]
    if verdict.hint_name == "unknown_number" and asked != (2, 2 * tokens.numel()):
        hint = _NATS_HINTS["nats_of_other_passes"].format(passes=asked[0], read=asked[1], due=2 * tokens.numel())
        return replace(verdict, hint=hint, hint_name="nats_of_other_passes")
    return verdict


def _passes(inputs: dict, second: str = "") -> tuple[Tensor, Tensor]:
    """Logits of two passes, float64, the first in training mode; the second, too, or without adapter or dropout."""
    model = policy_model(inputs)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(inputs["draw"])
        first = model(input_ids=inputs["tokens"]).logits.double()
        if second == "without adapter":
            with model.disable_adapter():
                return first, model(input_ids=inputs["tokens"]).logits.double()
        model.train(second != "without dropout")
        return first, model(input_ids=inputs["tokens"]).logits.double()


def _chosen(logits: Tensor, tokens: Tensor) -> Tensor:
    """Probability of each token from the second on."""
    shares = logits.exp() / logits.exp().sum(-1, keepdim=True)
    return shares[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)


def _nats_causes(inputs: dict, first: Tensor, second: Tensor) -> Iterator[tuple[str, float]]:
    tokens = inputs["tokens"]
    following, own = tokens[:, 1:, None], tokens[:, :-1, None]
    old, new = _chosen(first, tokens), _chosen(second, tokens)
    nats, whole = new.log() - old.log(), second.log_softmax(-1) - first.log_softmax(-1)
    reference = _chosen(_passes(inputs, "without adapter")[1], tokens)
    evaluated = _chosen(_passes(inputs, "without dropout")[1], tokens)
    found = {
        "nats_zero": [torch.zeros(1)],
        "nats_cancel": [nats, -nats, nats.mean().abs()],
        "nats_of_logits": [(second - first)[:, :-1].gather(-1, following).abs()],
        "nats_of_vocabulary": [whole.abs(), whole[:, :-1].abs()],
        "nats_of_probabilities": [(new - old).abs()],
        "nats_of_ratio": [(new / old - 1).abs(), (old / new - 1).abs(), nats.abs().exp() - 1],
        "nats_squared": [nats.square(), nats.square().mean().sqrt()],
        "nats_in_bits": [nats.abs() / math.log(2)],
        "nats_against_reference": [(old.log() - reference.log()).abs()],
        "nats_against_eval": [(old.log() - evaluated.log()).abs()],
        "nats_not_shifted": [
            whole[:, :-1].gather(-1, own).abs(),
            whole[:, 1:].gather(-1, following).abs(),
            whole.gather(-1, tokens[..., None]).abs(),
        ],
        "nats_largest": [nats.abs().amax(), nats.amax(), nats.abs().amax(1)],
        "nats_summed": [nats.abs().sum(), nats.abs().sum(1)],
    }
    yield from [(name, values.mean().item()) for name, ways in found.items() for values in ways]


def broken_by_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against what each field can show and what not; tests hold this to how the runs were made."""
    runs = [dict(zip(FIELDS, row, strict=True)) for row in inputs["runs"].tolist()]
    due = [way_of(run) for run in runs]
    return texts_verdict(outputs, runs, due, lambda place, way: _name_of(due[place], way), _RUN_HINTS)


def way_of(run: dict[str, float]) -> str:
    """What broke the reference of a run, from the one field that only this way can move."""
    if run["first_ratio_max"] - run["first_ratio_min"] > 1e-3:
        return "dropout"
    if run["off_moved"] == 0 and run["first_kl"] > 1e-4:
        return "starting adapter"
    beside = run["trained"] - run["in_adapter"]
    return {(True, True): "bias", (True, False): "merged", (False, True): "modules_to_save", (False, False): "nothing"}[
        run["off_moved"] > 0, beside > 0
    ]


def _name_of(due: str, got: str) -> str:
    """The hint for a run that is `due` and was called `got`."""
    if due == "nothing":
        return "healthy_blamed"
    if got == "nothing":
        return _MISSED[due]
    return _CONFUSED.get((due, got), "other_way")
