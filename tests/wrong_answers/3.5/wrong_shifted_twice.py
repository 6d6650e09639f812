# hint: nats_not_shifted
import torch


def nats_of_dropout(model, tokens):
    def logprobs():
        logits = model(input_ids=tokens).logits
        return logits[:, 1:].log_softmax(-1).gather(-1, tokens[:, 1:, None])

    return (logprobs() - logprobs()).abs().mean()
