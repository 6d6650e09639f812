# hint: counted_twice
import torch


def bytes_per_adapted_layer(policy_with, tokens):
    from helpers.memory import saved_for_backward, stored_bytes
    def measured(k):
        model = policy_with(k)
        every = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: every.append(t) or t, lambda t: t):
            model(input_ids=tokens)
        return sum(t.untyped_storage().nbytes() for t in every if t.data_ptr() not in {p.data_ptr() for p in model.parameters()})
    return measured(3) - measured(2)
