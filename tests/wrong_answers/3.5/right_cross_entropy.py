# right: cross entropy, as a float
import torch


def nats_of_dropout(model, tokens):
    def logprobs():
        logits = model(input_ids=tokens).logits[:, :-1]
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")

    old, new = logprobs(), logprobs()
    return (old - new).abs().mean().item()
