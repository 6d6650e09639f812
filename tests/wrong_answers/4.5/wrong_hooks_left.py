# hint: hooks_left
import torch


def bytes_per_adapted_layer(policy_with, tokens):
    from helpers.memory import saved_for_backward, stored_bytes
    def measured(k):
        model = policy_with(k)
        every = []; own = {p.untyped_storage().data_ptr() for p in model.parameters()}
        torch.autograd.graph.saved_tensors_hooks(lambda t: every.append(t) or t, lambda t: t).__enter__()
        model(input_ids=tokens)
        return stored_bytes({t.untyped_storage().data_ptr(): t for t in every if t.untyped_storage().data_ptr() not in own}.values())
    return measured(3) - measured(2)
