# hint: views_counted
import torch


def bytes_per_adapted_layer(policy_with, tokens):
    from helpers.memory import saved_for_backward, stored_bytes
    def measured(k):
        model = policy_with(k)
        with saved_for_backward(model) as kept:
            model(input_ids=tokens)
        return sum(t.nbytes for t in kept)
    return measured(3) - measured(2)
