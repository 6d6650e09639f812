"""Verdicts of lesson 3: PPO with a shared reference."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from helpers.checks.calls.lesson_3_models import tiny_llama
from helpers.checks.verdicts.compare import Causes, Verdict, agree, cause_of, described, failed, hint_of_kind
from helpers.checks.verdicts.lesson_3_kl import kl_per_position_verdict  # noqa: F401, exercise 3.2
from helpers.checks.verdicts.lesson_3_loss import clipped_loss_verdict  # noqa: F401, 3.4
from helpers.checks.verdicts.lesson_3_rewards import token_rewards_verdict  # noqa: F401, 3.3
from helpers.checks.verdicts.lesson_3_runs import broken_by_verdict, nats_of_dropout_verdict  # noqa: F401, 3.5 and 3.6

_HINTS = {
    "not_a_pair": "Your function returned {kind}; it should return two tensors: `return policy, reference`.",
    "pair_in_a_tuple": "Your function returned {kind}: a comma at the end of a line wraps what stands before it. "
    "`return policy, reference`, with nothing after it.",
    "squeeze_forgotten": "Your result has shape {got_shape}. gather keeps the dimension it picks from, now of size 1: "
    ".squeeze(-1) takes it away, and {due_shape} is left.",
    "gather_forgotten": "Your result has shape {got_shape}: a number for every token of the vocabulary at each "
    "position. Only the token that really follows counts: gather picks it out, {due_shape}.",
    "summed": "Your result has shape {got_shape}: the tokens of a sentence are summed or averaged. PPO compares policy "
    "and reference token by token, so {due_shape}.",
    "one_too_many": "You return {got_shape}, one column more than {due_shape}: the logits at the last position are "
    "about a token that is not there, and the first token has nothing before it that could predict it.",
    "adapters_left_off": "The model you were given has its adapter off (or merged, or gone) afterwards: the next PPO "
    "step would train nothing. `with model.disable_adapter():` switches it on again when the block ends.",
    "mode_changed": "The model came in training mode and is in another now. Remember `model.training` first, "
    "and put it back last: model.train(was_training).",
    "dropout_changed": "The model came with dropout and leaves with another, so the training steps that follow run "
    "without what LoRA was set to. Remember each p before you set it to 0, and put it back.",
    "trainable_changed": "Other parameters are trainable now than before the call. Nothing here needs "
    "`requires_grad_`: for the reference, torch.no_grad() keeps gradients out.",
    "weights_changed": "Weights of the model are not what they were: you wrote to them, or merged and unmerged, which "
    "rounds them, so that the reference drifts a little with each call. Switch the adapter off instead.",
    "scaling_changed": "The adapter counts by another factor afterwards than before: you changed `scaling`. Switch the "
    "adapter off instead, with model.disable_adapter().",
    "gradients_changed": "The gradients that the parameters held before the call are others now, or gone: backward() "
    "or zero_grad() is the caller's to run. Return the log-probabilities, with their graph.",
    "autograd_changed": "After your function no tensor gets a gradient any more: torch.set_grad_enabled(False) was "
    "never undone. `with torch.no_grad():` ends with its block.",
    "gradient_fails": "Your policy's gradient cannot be computed: weights that its graph needs were written over, or a "
    "backward() has used it up. Read the reference without writing to the model: model.disable_adapter().",
    "other_gradient": "Right figures, but the policy's gradient is another than is due: a part of it was cut off, by "
    "detach() or requires_grad, or counted twice. Logit and normalizer both come from the model.",
    "reference_of_other_tokens": "Called again, with other tokens, your function does not return their reference: it "
    "kept that of the first ones from call to call, or returned something else. Run its pass anew each time.",
    "tokens_changed": "`tokens` are not what they were before the call: an operation that ends in _ (or x[…] =) writes "
    "into the caller's tensor. Make a new one.",
    "dropout_left_on": "Called twice on the same tokens, your policy gives two answers: LoRA's dropout is still on. "
    "PPO's first ratio would not be 1. Use model.eval() around both passes, or set every dropout's p to 0, and put "
    "back what you changed.",
    "reference_has_gradient": "Right figures, but your reference carries a gradient: what its pass computes is kept "
    "for a backward that never comes. Run it under torch.no_grad().",
    "swapped": "Right numbers, wrong order: the first should be the policy (adapter on), the second the reference.",
    "adapter_still_on": "Your reference equals your policy, so the KL would be 0 for ever. The reference is the same "
    "model with its adapter off: `with model.disable_adapter():` around its pass.",
    "adapter_off_in_both": "Your policy equals your reference: both ran inside disable_adapter(), so no adapter will "
    "ever learn. Only the reference belongs in that block.",
    "token_itself": "Off by one: the logits at position t are about the token at t + 1. Pair logits[:, :-1] with "
    "tokens[:, 1:]; you asked how likely each token is after it has been read.",
    "token_before": "Off by one, twice: the logits at position t are about the token at t + 1, and you asked them "
    "about the one at t - 1. It is the other way round: logits[:, :-1] with tokens[:, 1:].",
    "log2": "These are bits: you have {got:.4g}, due is {due:.4g}, and the ratio is 1 / log(2). PPO takes exp() of "
    "differences, so it needs natural logarithms, in nats.",
    "probabilities": "These are probabilities: you have {got:.4g} where {due:.4g} is due, and exp({due:.4g}) is "
    "{got:.4g}. Keep the logarithm: a KL takes differences of logs.",
    "raw_logits": "These are logits, not log-probabilities: over the vocabulary their exponentials do not sum to 1. "
    "log_softmax first.",
    "softmax_over_positions": "The softmax ran over the positions of the sentence. It belongs over the vocabulary, "
    "the last dimension: each position has a distribution of its own.",
    "softmax_over_batch": "The softmax ran over the batch, dim=0, so what a token gets depends on other sentences. "
    "It belongs over the vocabulary, the last dimension: dim=-1.",
    "wrong_sign": "Right size, wrong sign: {got:.4g} for {due:.4g}. A log-probability is never above 0; cross_entropy "
    "returns its negative.",
    "copied": "The figures are right, but fewer than two passes went through the model you were given, so a copy of it "
    "did the rest. The copy is the memory that a shared reference saves: use this one model for both.",
    "policy_not_of_the_model": "It asks for a gradient but does not come from the model: run the policy's pass outside "
    "no_grad.",
    "policy_has_no_gradient": "The policy's log-probabilities carry no gradient, so PPO could not train it. Only the "
    "reference's pass belongs under torch.no_grad().",
}

_SEEN = {  # where the figures are right, what was seen instead and what is due
    "not_a_pair": ("not two results", "policy and reference"),
    "pair_in_a_tuple": ("not two results", "policy and reference"),
    "scaling_changed": ("another scaling of the adapter afterwards", "the one it came with"),
    "gradients_changed": ("other gradients at the parameters", "those that were there"),
    "autograd_changed": ("autograd switched off", "as it was"),
    "gradient_fails": ("a policy whose gradient fails", "one that can be trained"),
    "other_gradient": ("another gradient at the adapter", "that of the log-probabilities"),
    "reference_of_other_tokens": ("the first call's reference", "one for the tokens given"),
    "tokens_changed": ("other tokens afterwards", "tokens as they came"),
    "adapters_left_off": ("a model without its adapter afterwards", "its adapter on, as it came"),
    "mode_changed": ("a model in another mode afterwards", "training mode, as it came"),
    "dropout_changed": ("other dropout afterwards", "every p as it came"),
    "copied": ("a second model", "two passes through the one that was given"),
    "trainable_changed": ("other trainable parameters afterwards", "the adapter's alone, as it came"),
    "weights_changed": ("other weights afterwards", "not one bit changed"),
    "dropout_left_on": ("two results for the same tokens", "one"),
    "reference_has_gradient": ("a reference with a gradient", "one without"),
    "policy_has_no_gradient": ("a policy without gradient", "one that can be trained"),
    "policy_not_of_the_model": ("a policy whose gradient does not reach the adapter", "one that can be trained"),
}


def policy_and_reference_logprobs_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against two separate models without peft: the base, and the base with the adapter added to its weights."""
    with torch.no_grad():
        logits = {"policy": _logits(inputs, adapted=True), "reference": _logits(inputs, adapted=False)}
    due = {name: _next_token_logprobs(values, inputs["tokens"]) for name, values in logits.items()}
    name, part = _fault(inputs, outputs, due, logits)
    if not name:
        return Verdict(True, _both(outputs), _both(due))
    verdict = failed(name, _shown(name, outputs, part), due[part], _HINTS)
    if name in _SEEN:
        return replace(verdict, got=_SEEN[name][0], due=_SEEN[name][1])
    return replace(verdict, got=f"{part} {verdict.got}", due=f"{part} {verdict.due}")


def _shown(name: str, outputs: dict, part: str) -> Tensor | str:
    """What a verdict shows as got: the result, or what was returned where it is none."""
    if name in ("not_a_pair", "pair_in_a_tuple"):
        return outputs["kind"]
    return outputs[f"{part}_kind"] if outputs[f"{part}_kind"] != "Tensor" else outputs[part]


def _fault(inputs: dict, outputs: dict, due: dict, logits: dict) -> tuple[str, str]:
    """The name of what is wrong, '' for nothing, and which of the two results shows it."""
    tokens = inputs["tokens"]
    if outputs["kind"] != "pair":
        return ("pair_in_a_tuple" if outputs["kind"] in ("a tuple of 1", "a list of 1") else "not_a_pair"), "policy"
    for part in due:
        if outputs[f"{part}_kind"] != "Tensor":
            return hint_of_kind(outputs[f"{part}_kind"]), part
        if outputs[part].shape != due[part].shape:
            return _fault_of_shape(outputs[part].shape, due[part].shape, tokens.shape), part
    if state := _fault_of_model(outputs):
        return state, "policy"
    if agree(outputs["policy"], due["reference"]) and agree(outputs["reference"], due["policy"]):
        return "swapped", "policy"
    for part, other in (("policy", "reference"), ("reference", "policy")):
        if not agree(outputs[part], due[part]):
            if agree(outputs[part], due[other]):
                return {"policy": "adapter_off_in_both", "reference": "adapter_still_on"}[part], part
            return cause_of(outputs[part], _causes(logits[part], due[part], tokens)), part
    return _fault_of_right_figures(inputs, outputs)


def _fault_of_right_figures(inputs: dict, outputs: dict) -> tuple[str, str]:
    for part in ("policy", "reference"):
        if outputs[part].dtype != torch.float32:
            return "dtype", part
    if outputs["tokens_read"] < 2 * (inputs["tokens"].numel() - len(inputs["tokens"])):
        return "copied", "policy"
    if not outputs["policy_has_gradient"]:
        return "policy_has_no_gradient", "policy"
    if outputs["reference_has_gradient"]:
        return "reference_has_gradient", "reference"
    other = inputs["tokens"].flip(0, 1)
    if not agree(
        outputs["other_reference"], _next_token_logprobs(_logits(inputs, adapted=False, tokens=other).detach(), other)
    ):
        return "reference_of_other_tokens", "reference"
    if not outputs["policy_gradient"].any():
        return "policy_not_of_the_model", "policy"
    return ("", "") if agree(outputs["policy_gradient"], _gradient(inputs)) else ("other_gradient", "policy")


def _fault_of_shape(got: torch.Size, due: torch.Size, tokens: torch.Size) -> str:
    if got == tokens:
        return "one_too_many"
    if got[:-1] in (due, tokens):
        return "squeeze_forgotten" if got[-1] == 1 else "gather_forgotten"
    return "summed" if got in (due[:1], ()) else "shape"


def _fault_of_model(outputs: dict) -> str:
    faults = {
        "adapters_left_off": outputs["adapter_changed"],
        "tokens_changed": outputs["tokens_changed"],
        **{f"{part}_changed": outputs[f"{part}_changed"] for part in ("mode", "dropout", "scaling", "trainable")},
        "gradients_changed": outputs["gradients_changed"],
        "autograd_changed": outputs["autograd_changed"],
        "weights_changed": outputs["weights_changed"],
        "gradient_fails": outputs["gradient_fails"],
        "dropout_left_on": outputs["policy_varies"],
    }
    return next((name for name, is_so in faults.items() if is_so), "")


def _causes(logits: Tensor, due: Tensor, tokens: Tensor) -> Causes:
    logprobs, following = logits.log_softmax(dim=-1), tokens[:, 1:, None]
    return [
        ("token_itself", logprobs[:, :-1].gather(2, tokens[:, :-1, None])[..., 0]),
        ("token_itself", logprobs[:, 1:].gather(2, following)[..., 0]),
        ("token_before", logprobs[:, 1:].gather(2, tokens[:, :-1, None])[..., 0]),
        ("log2", due / math.log(2)),
        ("probabilities", due.exp()),
        ("raw_logits", logits[:, :-1].gather(2, following)[..., 0]),
        ("softmax_over_positions", logits.log_softmax(dim=1)[:, :-1].gather(2, following)[..., 0]),
        ("softmax_over_positions", logits[:, :-1].log_softmax(dim=1).gather(2, following)[..., 0]),
        ("softmax_over_batch", logits.log_softmax(dim=0)[:, :-1].gather(2, following)[..., 0]),
        ("wrong_sign", -due),
    ]


def _logits(inputs: dict, adapted: bool, tokens: Tensor | None = None, adapter: dict | None = None) -> Tensor:
    """Of a model without peft, in float64; `adapter`: the A and B to add, in the place of those of the inputs."""
    weights = {name[5:]: tensor.double() for name, tensor in inputs.items() if name.startswith("base.")}
    adapter = adapter or _adapter(inputs)
    for name in {name.rpartition(".")[0] for name in adapter} if adapted else ():
        change = inputs["lora_alpha"] / inputs["r"] * adapter[f"{name}.B"] @ adapter[f"{name}.A"]
        weights[f"{name}.weight"] = weights[f"{name}.weight"] + change
    given = {"input_ids": inputs["tokens"] if tokens is None else tokens}
    return torch.func.functional_call(tiny_llama().double().eval(), weights, kwargs=given).logits


def _adapter(inputs: dict) -> dict[str, Tensor]:
    return {name[5:]: tensor.double() for name, tensor in inputs.items() if name.startswith("lora.")}


def _gradient(inputs: dict) -> Tensor:
    """Of the sum of the policy's log-probabilities, with respect to each A and B in turn."""
    adapter = {name: tensor.requires_grad_() for name, tensor in _adapter(inputs).items()}
    logprobs = _logits(inputs, adapted=True, adapter=adapter)[:, :-1].log_softmax(-1)
    chosen = logprobs.gather(-1, inputs["tokens"][:, 1:, None]).sum()
    return torch.cat([gradient.flatten() for gradient in torch.autograd.grad(chosen, list(adapter.values()))])


def _next_token_logprobs(logits: Tensor, tokens: Tensor) -> Tensor:
    """log softmax by its definition, one token at a time: a slow, independent way."""
    rows, length = tokens.shape
    due = torch.empty(rows, length - 1, dtype=torch.float64)
    for row in range(rows):
        for place in range(length - 1):
            due[row, place] = logits[row, place, tokens[row, place + 1]] - logits[row, place].logsumexp(0)
    return due


def _both(results: dict) -> str:
    return "; ".join(f"{name} {described(results[name].float())}" for name in ("policy", "reference"))
