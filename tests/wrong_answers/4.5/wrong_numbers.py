# hint: numbers_not_bytes
import torch


def bytes_per_adapted_layer(policy_with, tokens):
    def kept(k):
        model, found = policy_with(k), {}
        owned = {p.untyped_storage().data_ptr() for p in model.parameters()}

        def pack(tensor):
            pointer = tensor.untyped_storage().data_ptr()
            if pointer not in owned:
                found[pointer] = tensor
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            logits = model(input_ids=tokens).logits
        return sum(tensor.numel() for tensor in found.values())

    return kept(3) - kept(2)
