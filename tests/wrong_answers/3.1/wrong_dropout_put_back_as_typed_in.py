# hint: dropout_changed
import torch


def policy_and_reference_logprobs(model, tokens):
    dropouts = [module for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    for dropout in dropouts:
        dropout.p = 0.0

    def logprobs():
        return torch.log_softmax(model(input_ids=tokens).logits[:, :-1], dim=-1).gather(2, tokens[:, 1:, None]).squeeze(2)

    policy = logprobs()
    with torch.no_grad(), model.disable_adapter():
        reference = logprobs()
    for dropout in dropouts:
        dropout.p = 0.1
    return policy, reference
