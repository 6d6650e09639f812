# hint: gradients_changed
import torch


def policy_and_reference_logprobs(model, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    def logprobs():
        logits = model(input_ids=tokens).logits[:, :-1]
        return logits.log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)

    training = model.training
    model.eval()
    policy = logprobs()
    with torch.no_grad(), model.disable_adapter():
        reference = logprobs()
    model.train(training)
    model.zero_grad()
    return policy, reference
