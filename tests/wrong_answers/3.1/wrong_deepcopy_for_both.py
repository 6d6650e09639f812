# hint: copied
import copy

import torch


def policy_and_reference_logprobs(model, tokens):
    def logprobs(model):
        return torch.log_softmax(model(input_ids=tokens).logits[:, :-1], dim=-1).gather(2, tokens[:, 1:, None]).squeeze(2)

    evaluated = copy.deepcopy(model).eval()
    policy = logprobs(evaluated)
    with torch.no_grad(), evaluated.disable_adapter():
        reference = logprobs(evaluated)
    return policy, reference
