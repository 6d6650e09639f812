# hint: reference_of_other_tokens
import torch


def policy_and_reference_logprobs(model, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    def logprobs():
        logits = model(input_ids=tokens).logits[:, :-1]
        return logits.log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)

    training = model.training
    model.eval()
    policy = logprobs()
    if not hasattr(model, '_ref'):
        with torch.no_grad(), model.disable_adapter():
            model._ref = logprobs()
    reference = model._ref
    model.train(training)
    return policy, reference
