# hint: other_gradient
import torch


def policy_and_reference_logprobs(model, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    def logprobs():
        logits = model(input_ids=tokens).logits
        return (logits[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1) - logits[:, :-1].logsumexp(-1).detach())

    training = model.training
    model.eval()
    policy = logprobs()
    with torch.no_grad(), model.disable_adapter():
        reference = logprobs()
    model.train(training)
    return policy, reference
