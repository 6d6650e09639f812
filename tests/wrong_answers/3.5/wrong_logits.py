# hint: nats_of_logits
import torch


def nats_of_dropout(model, tokens):
    def logprobs():
        logits = model(input_ids=tokens).logits[:, :-1]
        return logits.gather(-1, tokens[:, 1:, None])

    return (logprobs() - logprobs()).abs().mean()
