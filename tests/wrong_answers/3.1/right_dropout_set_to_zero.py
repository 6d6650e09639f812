# right: dropout set to zero
import torch


def policy_and_reference_logprobs(model, tokens):
    dropouts = [module for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    before = [dropout.p for dropout in dropouts]
    for dropout in dropouts:
        dropout.p = 0.0
    policy = model(input_ids=tokens).logits
    with model.disable_adapter():
        reference = model(input_ids=tokens).logits.detach()
    for dropout, p in zip(dropouts, before):
        dropout.p = p
    rows, places = torch.arange(len(tokens))[:, None], torch.arange(tokens.shape[1] - 1)
    both = (logits - logits.logsumexp(-1, keepdim=True) for logits in (policy, reference))
    return tuple(logprobs[rows, places, tokens[:, 1:]] for logprobs in both)
