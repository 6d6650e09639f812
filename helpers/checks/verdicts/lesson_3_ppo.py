"""Verdicts of exercises 3.2 to 3.4: the KL, the reward of each token, and the clipped loss."""

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from helpers.checks.calls.lesson_3_ppo import CLIPRANGES, cut
from helpers.checks.verdicts.compare import (
    Causes,
    Verdict,
    agree,
    cause_of,
    failed,
    left_to,
    number_verdict,
    tensor_verdict,
)

_KL_HINTS = {
    "kl_reversed": "This is KL(reference || policy). PPO asks how surprised the *reference* is by what the *policy* "
    "writes, so the probabilities that weigh the sum are the policy's.",
    "kl_negative": "Right size, wrong sign. A KL is never below 0: log policy - log reference, weighed by the policy.",
    "kl_underflow": "At a real position your KL is inf or nan: a probability can be 0 in float32, and 0 has no "
    "logarithm. Take log_softmax, and exp() of it where a probability is needed, not the log() of a softmax.",
    "kl_reference_weighs": "The difference is right, but the reference's probabilities weigh it. Weigh with the "
    "policy's, p.exp().",
    "kl_absolute": "You took the absolute value of each difference. Where the policy finds a token less likely than "
    "the reference does, its term is below 0, and it has to be: only the sum is never negative.",
    "kl_of_averages": "You averaged over the vocabulary. The probabilities are the weights already: sum.",
    "kl_unweighted": "Each token of the vocabulary counts the same in your sum. It counts as often as the policy says "
    "it: multiply by the policy's probability before you sum.",
    "kl_of_probabilities": "You took differences of probabilities. A KL takes those of their *logarithms*, weighed by "
    "the policy's probability.",
    "kl_of_logits": "You took differences of logits. They are log-probabilities only up to a constant of each "
    "position, and the constants differ: log_softmax first.",
    "kl_in_bits": "These are bits: you have {got:.4g}, due is {due:.4g}. The course counts in nats, natural "
    "logarithms.",
    "kl_is_cross_entropy": "This is the cross-entropy, - sum of p log q. Take the policy's own entropy off it: two "
    "equal models have KL 0.",
    "kl_cross_entropy_swapped": "Your cross-entropy is the wrong way round, - sum of q log p: the reference weighs it. "
    "The KL is - sum of p log q less the policy's own entropy, and the policy weighs both.",
    "kl_over_positions": "Your softmax ran over the positions. It belongs over the vocabulary, the last dimension.",
    "kl_guarded": "Where one model is nearly sure that a token does not come, you are off: something was added to the "
    "probabilities, or a logarithm was cut off. log_softmax needs no guard, however small a probability is.",
    "kl_at_padding": "Positions that hold padding have a KL in your result. Where mask is false, 0 is due.",
    "kl_mask_upside_down": "You kept the padding and dropped the tokens: mask is true where a token is real.",
    "kl_nan_at_padding": "A padded position came out as nan. What stands there is not yours to trust, and nan * 0 is "
    "nan: choose with torch.where(mask, kl, 0) instead of multiplying.",
}

_LOSS_HINTS = {
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
    "by .detach() or no_grad. The ratio and the clipped ratio both come from new_logprobs.",
    "loss_in_a_row": "Value and gradient are right, but your tensor has a dimension, of size 1; one number has none, "
    "shape (). A total that starts as torch.zeros(1) brings it along, or keepdim=True: start with 0, or keep none.",
}

_REWARD_HINTS = {
    "reward_left_to_helper": "`rewards_per_token` of helpers.formulas did the work: it is what the trainer calls. "
    "Here, write its lines yourself: what each token pays, and the score at the last real one.",
    "reward_no_score": "The score is missing: nothing here says whether the response was good. It is added once, at "
    "the last real token of each response.",
    "reward_score_subtracted": "The score is subtracted. It is what the response has earned, so it is added; only the "
    "drift is a cost.",
    "reward_differences_of_probabilities": "You took differences of probabilities. What a token pays is the difference "
    "of the *log*-probabilities, as they are given.",
    "reward_kl_coef_typed_in": "A price was typed in. Use `kl_coef`, which is an argument of the function.",
    "reward_mask_one_early": "Your part of the mask begins one column too early. Log-probabilities are those of the "
    "response tokens themselves, so their mask is the last columns: mask[:, -n:], with n columns of log-probabilities.",
    "reward_drift_paid": "Your penalty has the wrong sign: it pays the policy for leaving the reference. Where the "
    "policy is likelier to say a token than the reference, the reward is negative.",
    "reward_no_penalty": "Only the score is there. Each real token also pays kl_coef for each nat of drift.",
    "reward_no_kl_coef": "The penalty is there at full price: multiply it by kl_coef.",
    "reward_divided": "You divided the drift by kl_coef. It is the price of a nat: multiply.",
    "reward_last_column": "The score stands in the last column, which is padding in every row: no token gets it. It "
    "belongs to the last *real* token of each response.",
    "reward_full_row": "A response that fills its row is off: there is no padding behind it to look for, and its last "
    "token is in the last column. Count the real tokens of each response instead.",
    "reward_prompt_counted": "The score stands too far right, by the length of the prompt: you counted the real "
    "tokens of prompt *and* response. The columns of the result are those of the response.",
    "reward_one_late": "The score stands one place too far right, on padding. With n real tokens, the last is n - 1.",
    "reward_first_token": "The score stands at the first token. The reward model read the whole text: it pays at the "
    "end.",
    "reward_everywhere": "The score stands at every token, so long responses collect it many times. Once, at the last.",
    "reward_spread": "The score is spread over the tokens. It belongs to the last real one whole; sharing it out "
    "among the others is what the advantages do.",
    "reward_penalty_lost": "At the last token the score took the place of the penalty. It is added to it.",
    "reward_padding": "Padding pays a penalty in your result: the log-probabilities there mean nothing. Use the part "
    "of mask that belongs to the response, and 0 where it is false.",
    "reward_prompt_mask": "You took the first columns of mask. They belong to the prompt; the response is at the end.",
    "reward_of_other_rows": "Each row has scores of other rows in it. `rewards[:, last]` takes these columns of *all* "
    "rows: index rows and columns together, rewards[torch.arange(len(scores)), last].",
    "reward_one_early": "The score stands one place too far left. With n real tokens, the last is n - 1.",
    "reward_score_priced": "kl_coef multiplies the score, too. It is the price of a nat: the score is paid whole.",
    "reward_absolute": "Your penalty takes drift in either direction. A token that the policy says *less* often than "
    "the reference is paid for: over the tokens that it writes, the differences average to the KL.",
    "reward_one_direction": "You charge for drift where the policy says a token more often than the reference, and pay "
    "nothing where it says it less often. That is paid for: over the tokens that it writes, the differences average to "
    "the KL, and what they sum to may be below 0.",
    "reward_k3": "The penalty is k3, which is made for logging. PPO treats a payment as a fixed number, and then only "
    "k1, the plain difference of the log-probabilities, pulls the policy along the gradient of the KL, on average.",
    "reward_nan_at_padding": "A padded position came out as nan. What stands there means nothing, and nan * 0 is nan: "
    "choose with torch.where(real, penalty, 0) instead of multiplying.",
    "reward_all_at_the_end": "All of the penalty stands at the last token. Each token pays for its own drift, so that "
    "the policy learns which one was dear.",
}


def kl_per_position_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against torch's own KL of two categorical distributions, position by position, in float64."""
    policy, reference, mask = (inputs[name] for name in ("policy_logits", "reference_logits", "mask"))
    due = torch.zeros(mask.shape, dtype=torch.float64)
    for row, place in mask.nonzero().tolist():
        both = (Categorical(logits=logits[row, place].double()) for logits in (policy, reference))
        due[row, place] = kl_divergence(*both)
    got = outputs["output"]
    if got.shape == due.shape and got[mask].isfinite().all() and not got.isfinite().all():
        return failed(_name_of_nan(got, mask), got, due, _KL_HINTS)
    if got.shape == due.shape and agree(got[there := mask & got.isfinite()], due[there]) and not there.equal(mask):
        return failed("kl_underflow", got, due, _KL_HINTS)
    return tensor_verdict(outputs, due, _kl_causes(policy.double(), reference.double(), mask, due), _KL_HINTS)


def _name_of_nan(got: Tensor, mask: Tensor) -> str:
    """The hint for a KL that is nan at padding only, from what else stands there and at the tokens."""
    if not got[~mask].nan_to_num(0).any():
        return "kl_nan_at_padding"
    return "kl_at_padding" if got[mask].any() else "kl_mask_upside_down"


def _kl_causes(policy: Tensor, reference: Tensor, mask: Tensor, due: Tensor) -> Causes:
    p, q = policy.log_softmax(-1), reference.log_softmax(-1)

    def kept(values: Tensor) -> Tensor:
        return torch.where(mask, values, 0)

    return [
        ("kl_reversed", kept((q.exp() * (q - p)).sum(-1))),
        ("kl_negative", -due),
        ("kl_reference_weighs", kept((q.exp() * (p - q)).sum(-1))),
        ("kl_absolute", kept((p.exp() * (p - q).abs()).sum(-1))),
        ("kl_of_averages", due / policy.shape[-1]),
        ("kl_unweighted", kept((p - q).sum(-1))),
        ("kl_unweighted", kept((p - q).mean(-1))),
        ("kl_of_probabilities", kept((p.exp() * (p.exp() - q.exp())).sum(-1))),
        ("kl_of_logits", kept((p.exp() * (policy - reference)).sum(-1))),
        ("kl_of_logits", kept((policy.exp() * (policy - reference)).sum(-1))),
        ("kl_in_bits", due / math.log(2)),
        ("kl_is_cross_entropy", kept(-(p.exp() * q).sum(-1))),
        ("kl_cross_entropy_swapped", kept(-(q.exp() * p).sum(-1))),
        ("kl_cross_entropy_swapped", kept((p.exp() * p - q.exp() * p).sum(-1))),
        ("kl_over_positions", kept(_kl_of(policy.log_softmax(1), reference.log_softmax(1)))),
        ("kl_at_padding", _kl_of(p, q)),
        ("kl_at_padding", _kl_of(p, q).nan_to_num(0)),
        ("kl_at_padding", _kl_of(p, q).float().nan_to_num(0).double()),
        *[("kl_guarded", kept(guarded)) for guarded in _guarded(p, q)],
        ("kl_mask_upside_down", torch.where(mask, 0, _kl_of(p, q))),
        ("kl_mask_upside_down", torch.where(mask, 0, _kl_of(p, q)).nan_to_num(0)),
        ("kl_mask_upside_down", torch.where(mask, 0, _kl_of(p, q)).float().nan_to_num(0).double()),
    ]


def _guarded(p: Tensor, q: Tensor) -> Iterator[Tensor]:
    """KLs with something added to the probabilities, or with a logarithm cut off."""
    for least in (10.0**-digits for digits in range(4, 39)):
        for more in (lambda log, least=least: log.exp() + least, lambda log, least=least: log.exp().clamp_min(least)):
            yield (p.exp() * (more(p).log() - more(q).log())).sum(-1)
            yield (p.exp() * (p - more(q).log())).sum(-1)
            yield (more(p) * (more(p).log() - more(q).log())).sum(-1)
            yield (p.exp() * more(p - q).log()).sum(-1)
    for most in (1, 2, 3, 5, 8, 10, 20, 50):
        yield (p.exp() * (p - q).clamp(-most, most)).sum(-1)


def _kl_of(p: Tensor, q: Tensor) -> Tensor:
    return (p.exp() * (p - q)).sum(-1)


def clipped_loss_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against the four cases of the objective, told apart token by token in float64, and their slopes."""
    if outputs["left_to_helper"]:
        return left_to("policy_losses", "loss_left_to_helper", _LOSS_HINTS)
    new, old, advantages = (inputs[name].double() for name in ("new_logprobs", "old_logprobs", "advantages"))
    mask, change = inputs["mask"], new - old
    mistakes = _mistakes(outputs, [[*_loss_causes(new, old, advantages, mask, cliprange)] for cliprange in CLIPRANGES])
    for number, cliprange in enumerate(CLIPRANGES, start=1):
        due, due_gradient = _loss_and_gradient(change, advantages, mask, cliprange)
        one = {"output": outputs[f"loss_{number}"], "kind": outputs[f"kind_{number}"]}
        one["inputs_changed"] = outputs["inputs_changed"]
        verdict = number_verdict(one, due, [(name, one["output"]) for name in mistakes], _LOSS_HINTS)
        if not verdict.passed:
            return replace(verdict, got=f"{verdict.got} with cliprange {cliprange}")
        got = outputs[f"gradient_{number}"]
        if not agree(got, due_gradient):
            name = "loss_other_gradient" if got.numel() and got.any() else "loss_without_gradient"
            return Verdict(False, f"{verdict.got}, cut off", f"{verdict.due}, with a gradient", _LOSS_HINTS[name], name)
    if outputs["dimensions"]:
        got = f"{verdict.got} in a tensor of shape {(1,) * outputs['dimensions']}"
        return Verdict(False, got, f"{verdict.due}, of shape ()", _LOSS_HINTS["loss_in_a_row"], "loss_in_a_row")
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
    yield "loss_padding", losses.mean().item()
    yield "loss_padding_divides", torch.where(mask, losses, 0).mean().item()
    yield "loss_mean_of_means", (torch.where(mask, losses, 0).sum(1) / mask.sum(1)).mean().item()
    yield "loss_over_responses", losses[mask].sum().item() / len(mask)
    yield "loss_summed", losses[mask].sum().item()
    real = advantages[mask]
    for unbiased in (True, False):
        white = (advantages - real.mean()) / (real.std(unbiased=unbiased) + 1e-8)
        yield "loss_whitened", _losses(ratio, white, low, high)[mask].mean().item()
    yield "loss_range_typed_in", _losses(ratio, advantages, 0.8, 1.2)[mask].mean().item()


def _losses(ratio: Tensor, advantages: Tensor, low: float, high: float) -> Tensor:
    return -torch.minimum(ratio * advantages, ratio.clamp(low, high) * advantages)


def token_rewards_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against a walk over each response, token by token, in plain Python floats."""
    if outputs["left_to_helper"]:
        return left_to("rewards_per_token", "reward_left_to_helper", _REWARD_HINTS)
    verdict = _rewards_verdict(inputs, outputs)
    if not verdict.passed:
        return verdict
    other = {"output": outputs["cut_output"], "kind": outputs["cut_kind"], "inputs_changed": False}
    of_cut = _rewards_verdict(cut(inputs), other)
    if of_cut.passed:
        return verdict
    said = "of responses without a column of padding"
    hint = _REWARD_HINTS["reward_full_row"]
    return replace(of_cut, got=f"{of_cut.got}, {said}", hint=hint, hint_name="reward_full_row")


def _rewards_verdict(inputs: dict, outputs: dict) -> Verdict:
    policy, reference, mask = (inputs[name] for name in ("policy_logprobs", "reference_logprobs", "mask"))
    due = torch.zeros(policy.shape, dtype=torch.float64)
    for row, score in enumerate(inputs["scores"].tolist()):
        real = mask[row].tolist()[-policy.shape[1] :]
        for place, is_real in enumerate(real):
            if is_real:
                drift = policy[row, place].item() - reference[row, place].item()
                ends = place + 1 == len(real) or not real[place + 1]
                due[row, place] = -inputs["kl_coef"] * drift + (score if ends else 0)
    got = outputs["output"]
    if got.shape == due.shape and not got.isfinite().all() and not outputs["inputs_changed"]:
        causes = [*_reward_causes(inputs), ("reward_nan_at_padding", due)]
        name = cause_of(_finite(got), [(name, _finite(wrong)) for name, wrong in causes])
        return failed("reward_nan_at_padding" if name == "unknown" else name, got, due, _REWARD_HINTS)
    return tensor_verdict(outputs, due, _reward_causes(inputs), _REWARD_HINTS)


def _finite(values: Tensor) -> Tensor:
    return values.nan_to_num(0, posinf=0, neginf=0)


def _reward_causes(inputs: dict) -> Causes:
    scores, kl_coef, mask = inputs["scores"].double()[:, None], inputs["kl_coef"], inputs["mask"]
    drift = inputs["policy_logprobs"].double() - inputs["reference_logprobs"].double()
    real, places = mask[:, -drift.shape[1] :], torch.arange(drift.shape[1])
    last, penalty = real.sum(1, keepdim=True) - 1, torch.where(real, -kl_coef * drift, 0)
    at_last = places == last
    k3 = torch.where(real, (-drift).exp() - 1 + drift, 0)
    wrong_part, one_early = mask[:, : drift.shape[1]], mask[:, -drift.shape[1] - 1 : -1]
    odds = inputs["policy_logprobs"].double().exp() - inputs["reference_logprobs"].double().exp()
    return [
        ("reward_drift_paid", at_last * scores - penalty),
        ("reward_no_penalty", at_last * scores),
        ("reward_no_score", penalty),
        ("reward_no_score", -penalty),
        ("reward_score_subtracted", penalty - at_last * scores),
        ("reward_divided", at_last * scores + penalty / kl_coef**2),
        ("reward_no_kl_coef", at_last * scores + penalty / kl_coef),
        ("reward_last_column", penalty + (places == len(places) - 1) * scores),
        ("reward_prompt_counted", penalty + (places == mask.sum(1, keepdim=True) - 1) * scores),
        ("reward_one_late", penalty + (places == last + 1) * scores),
        ("reward_one_early", penalty + (places == (last - 1) % len(places)) * scores),
        ("reward_score_priced", penalty + at_last * scores * kl_coef),
        ("reward_absolute", at_last * scores - penalty.abs()),
        ("reward_one_direction", at_last * scores + penalty.clamp(max=0)),
        ("reward_of_other_rows", penalty + (at_last * scores).sum(0)),
        ("reward_of_other_rows", penalty + at_last.any(0) * scores),
        ("reward_first_token", penalty + (places == 0) * scores),
        ("reward_everywhere", penalty + real * scores),
        ("reward_everywhere", penalty + scores),
        ("reward_spread", penalty + real * scores / real.sum(1, keepdim=True)),
        ("reward_penalty_lost", torch.where(at_last, scores, penalty)),
        ("reward_padding", -kl_coef * drift + at_last * scores),
        ("reward_prompt_mask", torch.where(wrong_part, -kl_coef * drift, 0) + at_last * scores),
        (
            "reward_prompt_mask",
            torch.where(wrong_part, -kl_coef * drift, 0) + (places == wrong_part.sum(1, keepdim=True) - 1) * scores,
        ),
        ("reward_k3", at_last * scores - kl_coef * k3),
        ("reward_differences_of_probabilities", at_last * scores - kl_coef * torch.where(real, odds, 0)),
        *(("reward_kl_coef_typed_in", at_last * scores + penalty / kl_coef * typed) for typed in (0.05, 0.1, 0.2)),
        ("reward_mask_one_early", torch.where(one_early, -kl_coef * drift, 0) + at_last * scores),
        ("reward_mask_one_early", torch.where(one_early, -kl_coef * drift, 0) + (places == last + 1) * scores),
        ("reward_all_at_the_end", at_last * (scores + penalty.sum(1, keepdim=True))),
    ]
