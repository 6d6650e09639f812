# right: token by token, with Python's min and max: where a bound counts, it is a plain number
import torch


def clipped_loss(new_logprobs, old_logprobs, advantages, mask, cliprange):
    total = 0.0
    for new, old, advantage in zip(new_logprobs[mask], old_logprobs[mask], advantages[mask]):
        ratio = (new - old).exp()
        capped = min(ratio, 1 + cliprange) if advantage > 0 else max(ratio, 1 - cliprange)
        total = total - capped * advantage
    return total / mask.sum()
