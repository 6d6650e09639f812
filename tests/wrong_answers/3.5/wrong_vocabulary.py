# hint: nats_of_vocabulary
import torch


def nats_of_dropout(model, tokens):
    def logprobs():
        logits = model(input_ids=tokens).logits[:, :-1]
        return logits.log_softmax(-1)

    return (logprobs() - logprobs()).abs().mean()
