"""The verdict of exercise 3.2: the KL, position by position."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from helpers.checks.verdicts.compare import Causes, Verdict, agree, failed, tensor_verdict

_HINTS = {
    "kl_reversed": "This is KL(reference || policy). PPO asks how surprised the *reference* is by what the *policy* "
    "writes, so the probabilities that weigh the sum are the policy's.",
    "kl_negative": "Right size, wrong sign. A KL is never below 0: log policy - log reference, weighed by the policy.",
    "kl_underflow": "At a real position your KL is inf or nan: in float32 a probability can be 0, which has no "
    "logarithm, and exp() of a large number is infinite. Take log_softmax, and exp() of it where a probability is "
    "needed; not the log() of a softmax or of a sum of exp(), and no ratio of probabilities.",
    "kl_log_of_a_logarithm": "Every token's KL is nan or infinite. Either the logarithm of something below 0 was "
    "taken: log_softmax gives logarithms already, and F.kl_div takes its second argument as probabilities, unless "
    "you say log_target=True. Or you summed over more than one position, and one alone spoils all: normalize over "
    "the last dimension.",
    "kl_symmetric": "You mixed both directions, KL(policy || reference) and the other one, or went by their middle. "
    "PPO takes the first alone: the policy weighs.",
    "kl_one_softmax": "One of the two models' logits went in as they are. Both need log_softmax.",
    "kl_over_batch": "Your softmax ran over the batch, dim=0. It belongs over the vocabulary, the last dimension.",
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


def kl_per_position_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against torch's own KL of two categorical distributions, position by position, in float64."""
    policy, reference, mask = (inputs[name] for name in ("policy_logits", "reference_logits", "mask"))
    due = torch.zeros(mask.shape, dtype=torch.float64)
    for row, place in mask.nonzero().tolist():
        both = (Categorical(logits=logits[row, place].double()) for logits in (policy, reference))
        due[row, place] = kl_divergence(*both)
    got = outputs["output"]
    if got.shape == due.shape and got[mask].isfinite().all() and not got.isfinite().all():
        return failed(_name_of_nan(got, mask), got, due, _HINTS)
    causes = _kl_causes(policy.double(), reference.double(), mask, due)
    if got.shape == due.shape and not got[mask].isfinite().all() and not outputs["inputs_changed"]:
        return failed(_name_of_infinite(got, mask, due, causes), got, due, _HINTS)
    return tensor_verdict(outputs, due, causes, _HINTS)


def _name_of_infinite(got: Tensor, mask: Tensor, due: Tensor, causes: Causes) -> str:
    """The hint for a KL that is no number at a token, from what stands at the others."""
    there = mask & got.isfinite()
    if not there.any():
        return "kl_log_of_a_logarithm"
    otherwise = [("kl_underflow", due), *causes]
    return next((name for name, wrong in otherwise if agree(got[there], wrong[there])), "kl_underflow")


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
        *[("kl_symmetric", kept(mixed)) for mixed in _symmetric(p, q)],
        ("kl_one_softmax", kept((p.exp() * (p - reference)).sum(-1))),
        ("kl_one_softmax", kept((p.exp() * (policy - q)).sum(-1))),
        ("kl_over_batch", kept(_kl_of(policy.log_softmax(0), reference.log_softmax(0)))),
        ("kl_at_padding", torch.where(_kl_of(p, q).isfinite(), _kl_of(p, q), 0)),
        *(  # in float32 too: where one position has all the logits, nothing is left of a row
            ("kl_over_positions", kept(_kl_of(policy.to(of).log_softmax(1), reference.to(of).log_softmax(1)).double()))
            for of in (torch.float64, torch.float32)
        ),
        ("kl_at_padding", _kl_of(p, q)),
        ("kl_at_padding", _kl_of(p, q).nan_to_num(0)),
        ("kl_at_padding", _kl_of(p, q).float().nan_to_num(0).double()),
        *[("kl_guarded", kept(guarded)) for guarded in _guarded(p, q)],
        ("kl_mask_upside_down", torch.where(mask, 0, _kl_of(p, q))),
        ("kl_mask_upside_down", torch.where(mask, 0, _kl_of(p, q)).nan_to_num(0)),
        ("kl_mask_upside_down", torch.where(mask, 0, _kl_of(p, q)).float().nan_to_num(0).double()),
    ]


def _symmetric(p: Tensor, q: Tensor) -> Iterator[Tensor]:
    """Sum and mean of both directions, and the Jensen-Shannon divergence."""
    both = _kl_of(p, q) + _kl_of(q, p)
    middle = torch.logaddexp(p, q) - math.log(2)
    yield from (both, both / 2, (_kl_of(p, middle) + _kl_of(q, middle)) / 2)


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
