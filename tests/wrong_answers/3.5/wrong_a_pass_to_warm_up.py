# hint: nats_of_other_passes
import torch


def nats_of_dropout(model, tokens):
    def logprobs():
        return model(input_ids=tokens).logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None])

    with torch.no_grad():
        model(input_ids=tokens)
        return (logprobs() - logprobs()).abs().mean().item()
