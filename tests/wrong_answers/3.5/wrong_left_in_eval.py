# hint: mode_changed
import torch


def nats_of_dropout(model, tokens):
    def logprobs():
        return model(input_ids=tokens).logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None])

    with torch.no_grad():
        nats = (logprobs() - logprobs()).abs().mean().item()
    model.eval()
    return nats
