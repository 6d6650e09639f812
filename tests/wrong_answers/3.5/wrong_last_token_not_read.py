# hint: nats_of_other_passes
import torch


def nats_of_dropout(model, tokens: torch.Tensor) -> float:
    def logprobs():
        return model(input_ids=tokens[:, :-1]).logits.log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)

    with torch.no_grad():
        first, second = logprobs(), logprobs()
    return (first - second).abs().mean().item()
