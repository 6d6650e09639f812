# hint: nats_left_changed
import torch


def nats_of_dropout(model, tokens: torch.Tensor) -> float:
    def logprobs():
        return model(input_ids=tokens).logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)

    with torch.no_grad():
        first, second = logprobs(), logprobs()
    r = (first - second).abs().mean().item()
    for m in model.modules():
        if isinstance(m, torch.nn.Dropout): m.p = 0.0
    return r
