# hint: divided_by_too_many
import torch


def bytes_per_adapted_layer(policy_with, tokens):
    from helpers.memory import saved_for_backward, stored_bytes

    def kept(k):
        model = policy_with(k)
        with saved_for_backward(model) as found:
            logits = model(input_ids=tokens).logits
        return stored_bytes(found)

    return (kept(4) - kept(1)) / 4
