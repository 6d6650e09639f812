# hint: nats_seeded
import torch


def nats_of_dropout(model, tokens: torch.Tensor) -> float:
    def logprobs():
        return model(input_ids=tokens).logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)

    with torch.no_grad():
        torch.manual_seed(0)
        first = logprobs()
        torch.manual_seed(0)
        second = logprobs()
    return (first - second).abs().mean().item()
