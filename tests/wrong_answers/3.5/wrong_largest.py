# hint: nats_largest
import torch


def nats_of_dropout(model, tokens):
    def logprobs():
        logits = model(input_ids=tokens).logits[:, :-1]
        return logits.log_softmax(-1).gather(-1, tokens[:, 1:, None])

    old, new = logprobs(), logprobs()
    return (new - old).abs().max()
