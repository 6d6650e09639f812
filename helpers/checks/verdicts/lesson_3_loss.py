"""The verdict of exercise 3.4: the clipped loss, and its gradient."""

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from helpers.checks.calls.lesson_3_ppo import CLIPRANGES
from helpers.checks.verdicts.compare import Verdict, agree, left_to, number_verdict

_HINTS = {
    "loss_left_to_helper": "`policy_losses` of helpers.formulas did the work: it is what the trainer calls. Here, "
    "write its line yourself: the ratio, the gain taken twice, and the smaller one.",
    "loss_larger_kept": "You kept the larger of the two gains. PPO keeps the *smaller* one: the pessimist's choice, "
    "which never pays for leaving the range.",
    "loss_sign": "Right size, wrong sign: an optimizer makes this small, and so the gain must be its negative.",
    "loss_not_clipped": "The ratio is not clipped: nothing keeps one batch from moving the policy far.",
    "loss_gain_clipped": "You clipped the gain, ratio times advantage. The range is one of ratios: clamp the ratio "
    "alone, then multiply by the advantage.",
    "loss_left_out": "You leave out, or count as 0, tokens whose ratio has left the range. They count as well: hold "
    "their ratio at the bound with clamp, and take the smaller of the two gains there, as everywhere.",
    "loss_always_clipped": "You used the clipped ratio everywhere. Where the policy moved the wrong way (ratio 1.5 at "
    "a bad token) that cuts the gradient that would bring it back: take the smaller of clipped and plain gain, token "
    "by token, before you average.",
    "loss_maximum_of_gains": "You kept the larger of the two gains, and as a gain. `maximum` belongs to the two "
    "*losses*, each with its minus; of the gains the smaller one counts, and the loss is its negative.",
    "loss_bad_not_clipped": "You clip only where the advantage is positive. Take the smaller of plain and clipped gain "
    "at *every* token: a bad one is held from below.",
    "loss_one_side": "The ratio is only held from above. A token made unlikely, below 1 - cliprange, needs the same.",
    "loss_other_side": "The ratio is only held from below. A token made likely, above 1 + cliprange, needs the same.",
    "loss_ratio_upside_down": "Your ratio is old / new. It is new / old: exp(new - old).",
    "loss_without_exp": "The difference of the log-probabilities is not the ratio yet: exp() of it is.",
    "loss_ratio_of_logs": "You divided logarithms. The ratio of two probabilities is exp() of the *difference* of "
    "their logarithms.",
    "loss_smaller_ratio": "You took the smaller of the two ratios. The smaller *gain* counts: multiply by the "
    "advantage first, for a negative one turns the order round.",
    "loss_range_around_0": "You clipped the ratio to ± cliprange. A ratio that has not moved is 1: from 1 - cliprange "
    "to 1 + cliprange.",
    "loss_log_clipped": "You clipped the logarithm of the ratio to ± cliprange. The range is one of ratios, 1 - "
    "cliprange to 1 + cliprange: exp() first.",
    "loss_bounded": "A second bound was set that nobody asked for, on the ratio, its logarithm, the advantages or "
    "the gain of bad tokens (as in dual-clip PPO). It shows where a token moved far, or its advantage is large. "
    "Here, only the range clips.",
    "loss_mask_upside_down": "You averaged over the padding: mask is true where a token is real.",
    "loss_padding": "Padding counts in your mean. Average over the tokens where mask is true.",
    "loss_padding_divides": "The sum is right, but you divided it by all positions: padding, set to 0, still counts "
    "in a mean(). Divide by the number of real tokens.",
    "loss_over_responses": "The sum is right, but you divided it by the number of responses, so long ones make the "
    "loss larger. Divide by the number of real tokens.",
    "loss_mean_of_means": "You averaged each response first and then the responses, so a token of a short response "
    "counts more than one of a long response. One mean over all real tokens.",
    "loss_summed": "This is the sum. Divide by the number of real tokens.",
    "loss_range_typed_in": "You wrote 0.8 and 1.2; the range is an argument here.",
    "loss_whitened": "You whitened the advantages here. They come as they are to be used: whitening is done once for a "
    "rollout, before its minibatches.",
    "loss_without_gradient": "Your loss has the right value and no gradient: .detach(), .item() or no_grad cut it off, "
    "so no optimizer can make it small.",
    "loss_other_gradient": "Your loss has the right value and another gradient than is due: a part of it was cut off, "
    "by .detach() or no_grad, or something was added that is nearly 0. The ratio and the clipped ratio both come from "
    "new_logprobs.",
    "loss_in_a_row": "Value and gradient are right, but your tensor has a dimension, of size 1; one number has none, "
    "shape (). A total that starts as torch.zeros(1) brings it along, or keepdim=True: start with 0, or keep none.",
}


def clipped_loss_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against the four cases of the objective, told apart token by token in float64, and their slopes."""
    if outputs["left_to_helper"]:
        return left_to("policy_losses", "loss_left_to_helper", _HINTS)
    new, old, advantages = (inputs[name].double() for name in ("new_logprobs", "old_logprobs", "advantages"))
    mask, change = inputs["mask"], new - old
    mistakes = _mistakes(outputs, [[*_loss_causes(new, old, advantages, mask, cliprange)] for cliprange in CLIPRANGES])
    for number, cliprange in enumerate(CLIPRANGES, start=1):
        due, due_gradient = _loss_and_gradient(change, advantages, mask, cliprange)
        one = {"output": outputs[f"loss_{number}"], "kind": outputs[f"kind_{number}"]}
        one["inputs_changed"] = outputs["inputs_changed"]
        verdict = number_verdict(one, due, [(name, one["output"]) for name in mistakes], _HINTS)
        if not verdict.passed:
            return replace(verdict, got=f"{verdict.got} with cliprange {cliprange}")
        got = outputs[f"gradient_{number}"]
        if not agree(got, due_gradient):
            name = "loss_other_gradient" if got.numel() and got.any() else "loss_without_gradient"
            return Verdict(False, f"{verdict.got}, cut off", f"{verdict.due}, with a gradient", _HINTS[name], name)
    if outputs["dimensions"]:
        got = f"{verdict.got} in a tensor of shape {(1,) * outputs['dimensions']}"
        return Verdict(False, got, f"{verdict.due}, of shape ()", _HINTS["loss_in_a_row"], "loss_in_a_row")
    return verdict


def _mistakes(outputs: dict, causes: list[list[tuple[str, float]]]) -> list[str]:
    """The known mistakes that give what was returned with every range: with one alone, two may agree by chance."""
    got = [outputs[f"loss_{number}"] for number in range(1, len(causes) + 1)]
    return [
        ways[0][0]
        for ways in zip(*causes, strict=True)
        if all(math.isclose(one, wrong, rel_tol=1e-4, abs_tol=1e-6) for one, (_, wrong) in zip(got, ways, strict=True))
    ]


def _loss_and_gradient(change: Tensor, advantages: Tensor, mask: Tensor, cliprange: float) -> tuple[float, Tensor]:
    """The loss, and how it changes with each log-probability: not at all where the capped ratio is the one counted."""
    loss, gradient, tokens = 0.0, torch.zeros_like(change), int(mask.sum())
    for row, place in mask.nonzero().tolist():
        ratio, advantage = change[row, place].exp().item(), advantages[row, place].item()
        capped = min(ratio, 1 + cliprange) if advantage > 0 else max(ratio, 1 - cliprange)
        loss -= capped * advantage / tokens
        gradient[row, place] = -ratio * advantage / tokens if capped == ratio else 0
    return loss, gradient


def _loss_causes(
    new: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, cliprange: float
) -> Iterator[tuple[str, float]]:
    low, high, change = 1 - cliprange, 1 + cliprange, new - old
    ratio, clipped = change.exp(), change.exp().clamp(low, high)
    losses, gain = _losses(ratio, advantages, low, high), ratio * advantages
    of_tokens = {
        "loss_larger_kept": -torch.maximum(ratio * advantages, clipped * advantages),
        "loss_sign": -losses,
        "loss_maximum_of_gains": torch.maximum(gain, clipped * advantages),
        "loss_bad_not_clipped": -torch.where(advantages > 0, clipped, ratio) * advantages,
        "loss_not_clipped": -ratio * advantages,
        "loss_always_clipped": -clipped * advantages,
        "loss_smaller_ratio": -torch.minimum(ratio, clipped) * advantages,
        "loss_range_around_0": _losses(ratio, advantages, -cliprange, cliprange),
        "loss_one_side": -torch.minimum(ratio * advantages, ratio.clamp(max=high) * advantages),
        "loss_other_side": -torch.minimum(ratio * advantages, ratio.clamp(min=low) * advantages),
        "loss_ratio_upside_down": _losses((-change).exp(), advantages, low, high),
        "loss_without_exp": _losses(change, advantages, low, high),
        "loss_ratio_of_logs": _losses(new / old, advantages, low, high),
        "loss_log_clipped": -torch.minimum(ratio * advantages, change.clamp(-cliprange, cliprange).exp() * advantages),
    }
    for name, values in of_tokens.items():
        yield name, values[mask].mean().item()
    for clamped in (gain.clamp(low, high), gain.clamp(max=high)):  # alone, and the smaller of it and the gain
        yield "loss_gain_clipped", -clamped[mask].mean().item()
    for kept in (ratio == clipped, gain == -losses):  # in range, and not clipped
        yield "loss_left_out", -gain[mask & kept].mean().item()
        yield "loss_left_out", -torch.where(kept, gain, 0)[mask].mean().item()
    yield "loss_mask_upside_down", losses[~mask].mean().item()
    yield "loss_padding", losses.mean().item()
    yield "loss_padding", losses.sum().item() / mask.sum().item()
    yield "loss_padding_divides", torch.where(mask, losses, 0).mean().item()
    yield "loss_mean_of_means", (torch.where(mask, losses, 0).sum(1) / mask.sum(1)).mean().item()
    yield "loss_over_responses", losses[mask].sum().item() / len(mask)
    yield "loss_summed", losses[mask].sum().item()
    for white in _whitened(advantages, mask):
        yield "loss_whitened", _losses(ratio, white, low, high)[mask].mean().item()
    for bounded in _with_another_bound(change, advantages, (low, high)):
        yield "loss_bounded", bounded[mask].mean().item()
    yield "loss_range_typed_in", _losses(ratio, advantages, 0.8, 1.2)[mask].mean().item()


def _whitened(advantages: Tensor, mask: Tensor) -> Iterator[Tensor]:
    """Over real tokens or all, of all rows or each: moved and scaled, or one of the two alone."""
    for real in (advantages[mask], advantages):
        for unbiased in (True, False):
            yield (advantages - real.mean()) / (real.std(unbiased=unbiased) + 1e-8)
            yield advantages / (real.std(unbiased=unbiased) + 1e-8)
        yield advantages - real.mean()
    for unbiased in (True, False):
        spread = advantages.std(1, unbiased=unbiased, keepdim=True) + 1e-8
        yield (advantages - advantages.mean(1, keepdim=True)) / spread


def _with_another_bound(change: Tensor, advantages: Tensor, bounds: tuple[float, float]) -> Iterator[Tensor]:
    """Losses with the gain of bad tokens, the ratio's logarithm, the ratio or the advantage held by one more bound."""
    ratio = change.exp()
    for most in (2, 3, 5, 10):
        gain = -_losses(ratio, advantages, *bounds)
        yield -torch.where(advantages < 0, torch.maximum(gain, most * advantages), gain)
        yield _losses(ratio.clamp(max=most), advantages, *bounds)
        yield _losses(ratio, advantages.clamp(-most, most), *bounds)
    for most in (0.5, 1, 2):
        yield _losses(change.clamp(-most, most).exp(), advantages, *bounds)
    yield _losses(ratio, advantages.clamp(-1, 1), *bounds)


def _losses(ratio: Tensor, advantages: Tensor, low: float, high: float) -> Tensor:
    return -torch.minimum(ratio * advantages, ratio.clamp(low, high) * advantages)
