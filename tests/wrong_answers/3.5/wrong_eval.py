# hint: nats_zero
import torch


def nats_of_dropout(model, tokens):
    model.eval()
    def logprobs():
        logits = model(input_ids=tokens).logits[:, :-1]
        return logits.log_softmax(-1).gather(-1, tokens[:, 1:, None])

    return (logprobs() - logprobs()).abs().mean()
