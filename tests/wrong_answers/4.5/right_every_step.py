# right: every step from k to k + 1, which are all the same
import torch


def bytes_per_adapted_layer(policy_with, tokens):
    from helpers import memory
    sizes = {}
    for k in range(1, 5):
        policy = policy_with(k)
        with memory.saved_for_backward(policy) as kept:
            out = policy(input_ids=tokens)
        sizes[k] = memory.stored_bytes(kept)
    steps = {sizes[k + 1] - sizes[k] for k in range(1, 4)}
    assert len(steps) == 1
    return steps.pop()
