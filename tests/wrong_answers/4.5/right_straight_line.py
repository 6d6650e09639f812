# right: a straight line through four measurements
import torch


def bytes_per_adapted_layer(policy_with, tokens):
    from helpers.memory import saved_for_backward, stored_bytes
    def measured(k):
        model = policy_with(k)
        with saved_for_backward(model) as kept:
            model(input_ids=tokens)
        return stored_bytes(kept)
    import numpy as np
    return float(np.polyfit([1, 2, 3, 4], [measured(k) for k in (1, 2, 3, 4)], 1)[0])
