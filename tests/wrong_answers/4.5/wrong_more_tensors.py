# hint: tensors_counted
import torch


def bytes_per_adapted_layer(policy_with, tokens):
    from helpers.memory import saved_for_backward, stored_bytes

    kept, count = {}, {}
    for k in (1, 2, 3, 4):
        model = policy_with(k)
        with saved_for_backward(model) as found:
            model(input_ids=tokens)
        kept[k], count[k] = stored_bytes(found), len(found)
    return count[3] - count[2]
