"""Verdicts of lesson 6: the same idea elsewhere."""

import math
from dataclasses import replace
from statistics import fmean, stdev

import torch
from torch import Tensor

from helpers.checks.calls.lesson_6 import dpo_pairs, fewer_groups, weights_of_pairs
from helpers.checks.verdicts.compare import Causes, Verdict, agree, described, failed, tensor_verdict
from helpers.checks.verdicts.lesson_6_runs import (  # noqa: F401, exercises 6.3 and 6.4
    grpo_run_verdict,
    outdated_reference_verdict,
)

_DPO_HINTS = {
    "reference_forgotten": "The reference is not in your loss: it compares the policy's log-probabilities alone. Then "
    "the loss does not start at log 2, and nothing holds the policy near where it started.",
    "swapped": "This is the loss of the opposite preference: chosen and rejected, or policy and reference, have "
    "changed places. It would teach the policy what people like least.",
    "beta_forgotten": "beta is missing. It scales the margin, inside the sigmoid: at {due:.4g} you have {got:.4g}.",
    "beta_outside": "beta stands in front of the logarithm. It belongs inside the sigmoid, times the margin; outside "
    "it would only change the learning rate.",
    "beta_fixed": "You take beta = 0.1, TRL's default, whatever beta is given: it is an argument of the function.",
    "beta_on_one": "beta scales one of the two log-ratios only. It multiplies their difference: put a bracket around "
    "both.",
    "two_sigmoids": "You take the log-sigmoid of each text by itself, and subtract. The preference is *one* sigmoid, "
    "of the difference.",
    "beta_divides": "You divide by beta. A larger beta makes the same margin count for more: it multiplies.",
    "probabilities": "This is the probability that the chosen one is preferred. The loss is minus its logarithm.",
    "probability_of_error": "This is one minus the probability of the preference. The loss is minus the logarithm of "
    "that probability; the two agree only where it is near 1.",
    "minus_probability": "This is minus the probability itself. The loss is minus its *logarithm*: -log sigmoid.",
    "reference_added": "The reference has the wrong sign. A log-ratio is policy *minus* reference, for each text.",
    "wrong_sign": "Right size, wrong sign: {got:.4g} for {due:.4g}. A loss is minus a log-likelihood, never below 0.",
    "minus_inside": "Your minus went inside: this is log sigmoid of minus the margin. The loss is minus log sigmoid of "
    "the margin, -logsigmoid(margin).",
    "beta_squared": "beta multiplies twice. Once, inside the sigmoid.",
    "other_loss": "This is another loss of the family (label smoothing, hinge or IPO). Asked is DPO's own: minus log "
    "sigmoid of the margin.",
    "log_of_a_log": "Every loss is nan: the logarithm of something below 0 was taken. What you are given are "
    "logarithms already.",
    "size_typed_in": "On another number of pairs your function stops with an error: a size was typed in. Take it from "
    "the inputs, or let torch work on whole tensors.",
    "margin": "These are the margins, beta times the difference of the log-ratios. The loss is minus log sigmoid of "
    "them.",
    "bracket_forgotten": "A bracket is missing: a - b - (c - d) is a - b - c + d. The reference's log-probability of "
    "the rejected text has the wrong sign.",
    "minus_margin": "These are the margins with a minus sign, a loss that falls without end. Between margin and loss "
    "stand a probability and its logarithm: look at the formula.",
    "of_ratios": "You took exp(), of the log-ratios or of the log-probabilities before. The margin is a difference of "
    "logarithms, as they are given.",
    "logs_divided": "You divide log-probabilities by each other. They are logarithms: what is a ratio of probabilities "
    "is a *difference* of their logarithms.",
    "margin_of_0": "Your losses are all log 2, so your margins are 0. Either something is subtracted from itself, or "
    "you took exp(): the probability of a whole text is so small that differences of it vanish. Stay with logarithms.",
    "summed": "You add the two log-ratios. A preference is about their difference: what both have in common cancels.",
    "log2": "These are bits: {got:.4g} is {due:.4g} / log(2). The loss is in nats: natural logarithms.",
    "log10": "These are decimal logarithms: {got:.4g} is {due:.4g} / log(10). The loss is in nats: natural logarithms.",
    "margin_cut_off": "Where the margin is large your loss is off: it was cut off on the way, or lost its sign. "
    "(binary_cross_entropy cuts off, too, at 100.) logsigmoid takes any number.",
    "overflow": "Right where the margin is small. Where it is large, with either sign, yours is infinite, no number "
    "(nan), or has such a gradient: the exp() of a large number is infinite in float32, that of a large negative one "
    "is 0. That holds inside a sigmoid, too. Look for a function that takes the logarithm in the same step.",
    "no_gradient": "Your losses are right, but no gradient gets from them to the policy's log-probabilities: .detach(),"
    " .item(), .tolist(), torch.tensor or no_grad cut it off. Nothing could be trained with this loss.",
    "other_gradient": "Your losses are right, but their gradient is not: a part of it was cut off, of the chosen or of "
    "the rejected text. The loss moves both.",
    "rejected_forgotten": "The rejected text is not in your loss. DPO is a comparison: its log-ratio is subtracted.",
    "shape": "Your result has shape {got_shape}; it should be {due_shape}, one loss a pair. The mean over pairs is "
    "taken later.",
}

_GROUP_HINTS = {
    "not_counted_counts": "Unscored places count in your mean or spread: what stands there means nothing. Leave them "
    "out of the sum *and* of the count.",
    "counted_as_zero": "Unscored places count as a reward of 0. They are left out of the count, too: divide by how "
    "many were scored, not by all.",
    "not_masked_again": "The mean is right. But once it is taken off, unscored places do not hold 0: they add to the "
    "squares, and get an advantage. They need their 0 *after* the mean is off.",
    "unscored_moved": "The scored ones are right, but an unscored response gets an advantage, too, and would move the "
    "policy. There it is 0.",
    "one_group": "Mean and spread are taken over the whole batch. An easy prompt would then lift all its responses: a "
    "response is compared with the others to *its* prompt, along dim 1.",
    "one_spread": "The mean is the group's, but the standard deviation is that of the whole batch: an easy prompt, "
    "where all do well, would then teach less. Take it along dim 1, too.",
    "squares_counted": "The mean is right, but unscored places add to the squares of your standard deviation. Put 0 "
    "there *after* the mean is taken off.",
    "all_in_the_spread": "The mean is right, but your standard deviation divides by the places of the row less one. "
    "Unscored ones are not in it: divide by how many were scored, less one.",
    "inside_the_root": "Groups with a small spread are off: the 1e-4 stands inside your root, where it weighs as much "
    "as a spread of 0.01. Take the root first.",
    "another_guard": "Groups with a small spread are off: what you add to the standard deviation is not 1e-4.",
    "zero_left_out": "A reward of 0 is left out in your result. What was scored is in `scored`, not in the rewards.",
    "columns": "You compare down the columns, responses to different prompts. A group is a row: dim 1.",
    "counted_down": "Sums are taken along the rows, but what you divide them by is counted down the columns. A group "
    "is a row: count along dim 1, too.",
    "not_scaled": "These are differences from the group's mean, not yet divided by the group's standard deviation.",
    "not_centred": "The group's mean is not taken off. Without it, every response to an easy prompt looks good.",
    "variance": "You divide by the variance. The standard deviation is its root.",
    "of_population": "Your standard deviation divides by n. That of a sample, as torch.std and TRL take it, divides by"
    " n - 1.",
    "wrong_sign": "Right size, wrong sign: the best response of each group has the lowest advantage.",
    "not_a_number": "A group gives nan: where all rewards are equal the spread is 0, and where one response was scored"
    " n - 1 is 0. Neither can be divided by; such groups say nothing, so their advantages are 0.",
    "size_typed_in": "On fewer groups, of fewer responses, your function is off: a size was typed in. Take it from the "
    "inputs.",
    "digits_lost": "Only groups whose rewards are close together are off. Most often: far from 0, the mean of the "
    "squares less the square of the mean has no digits left in float32. Take the mean off first, and then the "
    "squares.",
    "loop_ended": "From one group on all advantages are 0: a loop ended at a group that says nothing. `continue` goes "
    "on with the next, `break` does not.",
    "mean_not_counted": "A reward that equals its group's mean is left out of your count, or equal rewards count once. "
    "Count what `scored` says.",
    "mask_upside_down": "You compare the unscored ones: `scored` is true where a reward counts.",
    "small_spread": "A group whose rewards are close together has advantages of 0 in your result. However close they "
    "are, they say which response is better: 0 is for groups with *equal* rewards, or with a single one.",
    "pair_left_out": "A group in which two responses were scored has advantages of 0 in your result. Two can be "
    "compared: their standard deviation divides by n - 1 = 1.",
    "lone_response": "A group in which one response alone was scored has nothing to compare it with: its advantage is "
    "0, and yours is {got:.4g}.",
}

_OTHER_GUARDS = (1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-3)


def dpo_losses_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against odds: a text's are (policy / reference) ^ beta, and the loss is -log of the share of the chosen one."""
    due, gradient = _losses_and_gradient(**dpo_pairs(inputs))
    verdict = tensor_verdict(outputs, due, _dpo_causes(**dpo_pairs(inputs), due=due), _DPO_HINTS)
    if verdict.hint_name == "not_a_number" and outputs["output"].isnan().all():
        return failed("log_of_a_log", outputs["output"], due, _DPO_HINTS)
    if not verdict.passed:
        return verdict
    if not agree(outputs["gradient"], gradient):
        name = "other_gradient" if outputs["gradient"].any() else "no_gradient"
        return Verdict(False, f"{verdict.got}, cut off", f"{verdict.due}, with a gradient", _DPO_HINTS[name], name)
    return _verdict_on_large_margins(inputs, outputs)


def _losses_and_gradient(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    """The losses; the gradient of their weighted sum to the policy's log-probabilities, (2, pairs); in float64."""
    chosen = beta * (policy_chosen.double() - reference_chosen.double())  # logarithms of the odds
    rejected = beta * (policy_rejected.double() - reference_rejected.double())
    both = torch.logaddexp(chosen, rejected)
    of_error = beta * (rejected - both).exp() * weights_of_pairs(len(chosen))
    return both - chosen, torch.stack([-of_error, of_error])


def _verdict_on_large_margins(inputs: dict, outputs: dict) -> Verdict:
    """Where exp() of a margin is 0 or infinite in float32; smaller margins are right."""
    due, gradient = _losses_and_gradient(**dpo_pairs(inputs, "large_"))
    of_kind, got_gradient = outputs["large_kind"], outputs["large_gradient"]
    if of_kind.startswith("an error"):
        of_exp = any(name in of_kind for name in ("Overflow", "Value", "ZeroDivision"))
        return failed("overflow" if of_exp else "size_typed_in", of_kind, due, _DPO_HINTS)
    one = {"output": outputs["large_output"], "kind": of_kind, "inputs_changed": outputs["inputs_changed"]}
    verdict = tensor_verdict(one, due, [], _DPO_HINTS)
    name = {"not_a_number": "overflow", "unknown": "margin_cut_off"}.get(verdict.hint_name, verdict.hint_name)
    if verdict.passed and not agree(got_gradient, gradient):
        name = "other_gradient" if got_gradient.isfinite().all() else "overflow"
        shown = [described(each) for each in (got_gradient, gradient.float())]
        verdict = Verdict(False, f"as gradient {shown[0]}", f"as gradient {shown[1]}")
    return replace(verdict, hint=_DPO_HINTS.get(name, verdict.hint), hint_name=name)


def _dpo_causes(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta, due) -> Causes:
    def loss(margin: Tensor) -> Tensor:
        return -torch.nn.functional.logsigmoid(margin)

    policy_chosen, policy_rejected = policy_chosen.double(), policy_rejected.double()
    chosen, rejected = policy_chosen - reference_chosen.double(), policy_rejected - reference_rejected.double()
    policy = policy_chosen - policy_rejected
    quotients = policy_chosen / reference_chosen, policy_rejected / reference_rejected
    margin = beta * (chosen - rejected)
    return [
        ("minus_inside", -loss(-margin)),
        ("beta_squared", loss(beta * margin)),
        ("beta_outside", due / beta),
        ("beta_on_one", loss(beta * policy - (policy - chosen + rejected))),
        ("beta_on_one", loss(policy - beta * (policy - chosen + rejected))),
        *(("other_loss", (1 - part) * loss(margin) + part * loss(-margin)) for part in (0.05, 0.1, 0.2)),
        ("other_loss", torch.relu(1 - margin)),
        ("other_loss", (chosen - rejected - 1 / (2 * beta)).square()),
        ("reference_forgotten", loss(beta * policy)),
        ("bracket_forgotten", loss(beta * (chosen - policy_rejected - reference_rejected))),
        ("of_ratios", loss(beta * (chosen.exp() - rejected.exp()))),
        ("of_ratios", loss(beta * (chosen - rejected).exp())),
        ("logs_divided", loss(beta * (quotients[0] - quotients[1]))),
        ("logs_divided", loss(beta * (quotients[0].log() - quotients[1].log()))),
        ("logs_divided", loss(beta * quotients[0] / quotients[1])),
        ("margin_of_0", loss(0 * chosen)),
        ("minus_margin", beta * (rejected - chosen)),
        ("swapped", loss(beta * (rejected - chosen))),
        ("beta_forgotten", loss(chosen - rejected)),
        ("beta_outside", beta * loss(chosen - rejected)),
        ("beta_fixed", loss(0.1 * (chosen - rejected))),
        ("beta_on_one", loss(beta * chosen - rejected)),
        ("beta_on_one", loss(chosen - beta * rejected)),
        ("two_sigmoids", loss(beta * chosen) - loss(beta * rejected)),
        ("two_sigmoids", loss(beta * chosen) + loss(-beta * rejected)),
        ("beta_divides", loss((chosen - rejected) / beta)),
        ("probabilities", (-due).exp()),
        ("minus_probability", -(-due).exp()),
        ("reference_added", loss(beta * (2 * policy - (chosen - rejected)))),
        ("probability_of_error", 1 - (-due).exp()),
        ("wrong_sign", -due),
        ("margin", beta * (chosen - rejected)),
        ("summed", loss(beta * (chosen + rejected))),
        ("log2", due / math.log(2)),
        ("log10", due / math.log(10)),
        ("rejected_forgotten", loss(beta * chosen)),
        *[("margin_cut_off", loss((beta * (chosen - rejected)).clamp(-most, most))) for most in (1, 2)],
        *[("margin_cut_off", loss(beta * (chosen - rejected).clamp(-most, most))) for most in (1, 2, 5, 10)],
    ]


def group_advantages_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against Python's own statistics, one list of scored rewards at a time."""
    due = _advantages(**inputs)
    verdict = tensor_verdict(outputs, due, _group_causes(inputs, due), _GROUP_HINTS)
    groups = [rewards[counts] for rewards, counts in zip(*inputs.values(), strict=True)]
    wide = torch.tensor([len(group) == 1 or not 0 < group.std() < 0.1 for group in groups])
    if verdict.hint_name in ("unknown", "not_a_number") and agree(outputs["output"][wide], due[wide]):
        return failed("digits_lost", outputs["output"], due, _GROUP_HINTS)
    if not verdict.passed:
        return verdict
    one = {"output": outputs["fewer_output"], "kind": outputs["fewer_kind"], "inputs_changed": False}
    of_fewer = tensor_verdict(one, _advantages(**fewer_groups(inputs)), [], _GROUP_HINTS)
    if of_fewer.passed:
        return verdict
    return replace(of_fewer, hint=_GROUP_HINTS["size_typed_in"], hint_name="size_typed_in")


def _advantages(rewards: Tensor, scored: Tensor) -> Tensor:
    due = torch.zeros(rewards.shape, dtype=torch.float64)
    for row, (of_row, counts) in enumerate(zip(rewards.double().tolist(), scored.tolist(), strict=True)):
        group = [reward for reward, is_scored in zip(of_row, counts, strict=True) if is_scored]
        if len(group) > 1:
            mean, spread = fmean(group), stdev(group) + 1e-4
            due[row] = torch.tensor([(r - mean) / spread if s else 0.0 for r, s in zip(of_row, counts, strict=True)])
    return due


def _group_causes(inputs: dict, due: Tensor) -> Causes:
    rewards, scored = inputs["rewards"].double(), inputs["scored"]
    zeroed = torch.where(scored, rewards, 0)
    count = scored.sum(1, keepdim=True)
    mean = zeroed.sum(1, keepdim=True) / count
    off = torch.where(scored, rewards - mean, 0)
    variance = off.square().sum(1, keepdim=True) / (count - 1).clamp_min(1)
    spread = variance.sqrt() + 1e-4
    others = (off != 0).sum(1, keepdim=True)  # than those that are the mean
    spread_of_others = (off.square().sum(1, keepdim=True) / (others - 1).clamp_min(1)).sqrt()
    population = (off.square().sum(1, keepdim=True) / count).sqrt() + 1e-4
    lone = count == 1
    everyone = rewards[scored]
    squares_counted = [
        each / ((each.square().sum(1, keepdim=True) / free).sqrt() + 1e-4)
        for each in (rewards - mean, zeroed - mean)
        for free in ((count - 1).clamp_min(1), count, rewards.shape[1] - 1)
    ]
    causes = {
        "not_counted_counts": [
            (values - values.mean(1, keepdim=True)) / (values.std(1, keepdim=True) + 1e-4) for values in (rewards,)
        ]
        + [(rewards - mean) / (rewards.std(1, keepdim=True) + 1e-4)],
        "counted_as_zero": [*_counted_as_zero(rewards, scored), (zeroed - mean) / (zeroed.std(1, keepdim=True) + 1e-4)],
        "unscored_moved": [(rewards - mean) / spread, (zeroed - mean) / spread],
        "one_group": [(rewards - each.mean()) / (each.std() + 1e-4) for each in (everyone, rewards)]
        + [(rewards - everyone.mean()) / spread],
        "one_spread": [off / (each.std() + 1e-4) for each in (everyone, off[scored])],
        "squares_counted": [torch.where(scored, each, 0) for each in squares_counted],
        "not_masked_again": squares_counted,
        "all_in_the_spread": [off / (off.std(1, correction=free, keepdim=True) + 1e-4) for free in (1, 0)],
        "inside_the_root": [off / (variance + 1e-4).sqrt()],
        "another_guard": [off / (variance.sqrt() + guard) for guard in _OTHER_GUARDS],
        "zero_left_out": [_compared(zeroed, scored & (rewards != 0))],
        "columns": [_columns(rewards, scored)],
        "counted_down": _counted_down(zeroed, off, scored, variance),
        "not_scaled": [off],
        "not_centred": [zeroed / spread],
        "variance": [off / (variance + 1e-4)],
        "of_population": [off / population],
        "wrong_sign": [-due],
        "pair_left_out": [torch.where(count == 2, 0, due)],
        "small_spread": [torch.where(spread < least, 0, due) for least in (0.1, 1e-3)],
        "loop_ended": [torch.where(torch.arange(len(due))[:, None] < end, due, 0) for end in (1, 2, 3)],
        "mean_not_counted": [off / (spread_of_others + 1e-4), _of_distinct(rewards, scored)],
        "mask_upside_down": [_compared(torch.where(scored, 0, rewards), ~scored)],
        "lone_response": [
            torch.where(lone & scored, value, due) for value in (rewards, rewards / 1e-4, torch.ones_like(due))
        ],
    }
    return [
        (name, value)
        for name, values in causes.items()
        for each in values
        for value in (each, torch.where(scored, each, 0))
    ]


def _compared(zeroed: Tensor, kept: Tensor) -> Tensor:
    count = kept.sum(1, keepdim=True)
    off = torch.where(kept, zeroed - zeroed.sum(1, keepdim=True) / count.clamp_min(1), 0)
    return off / ((off.square().sum(1, keepdim=True) / (count - 1).clamp_min(1)).sqrt() + 1e-4)


def _counted_as_zero(rewards: Tensor, scored: Tensor) -> list[Tensor]:
    """The mean of all places, 0 at unscored ones; then any way to go on."""
    mean, count = torch.where(scored, rewards, 0).mean(1, keepdim=True), scored.sum(1, keepdim=True)
    return [
        off / ((off.square().sum(1, keepdim=True) / free).sqrt() + 1e-4)
        for off in (torch.where(scored, rewards, 0) - mean, torch.where(scored, rewards - mean, 0), rewards - mean)
        for free in ((count - 1).clamp_min(1), count, rewards.shape[1] - 1, rewards.shape[1])
    ]


def _columns(rewards: Tensor, scored: Tensor) -> Tensor:
    count = scored.sum(0)
    off = torch.where(scored, rewards - torch.where(scored, rewards, 0).sum(0) / count, 0)
    return off / ((off.square().sum(0) / (count - 1).clamp_min(1)).sqrt() + 1e-4)


def _counted_down(zeroed: Tensor, off: Tensor, scored: Tensor, variance: Tensor) -> list[Tensor]:
    """The count of the columns in the mean, in the spread, or in both: it broadcasts without an error."""
    count = scored.sum(0)
    others = torch.where(scored, zeroed - zeroed.sum(1, keepdim=True) / count, 0)
    free = (count - 1).clamp_min(1)
    spreads = [(each.square().sum(1, keepdim=True) / free).sqrt() + 1e-4 for each in (off, others)]
    counted = (scored.sum(1, keepdim=True) - 1).clamp_min(1)
    spreads.append((others.square().sum(1, keepdim=True) / counted).sqrt() + 1e-4)
    return [off / spreads[0], others / spreads[1], others / spreads[2], others / (variance.sqrt() + 1e-4)]


def _of_distinct(rewards: Tensor, scored: Tensor) -> Tensor:
    """Mean and spread of each group's values, equal ones once."""
    found = torch.zeros_like(rewards)
    for row, counts in enumerate(scored):
        values = rewards[row, counts].unique()
        if len(values) > 1:
            found[row] = torch.where(counts, (rewards[row] - values.mean()) / (values.std() + 1e-4), 0)
    return found
