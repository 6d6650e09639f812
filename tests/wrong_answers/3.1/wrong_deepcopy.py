# hint: copied
import copy

import torch


def policy_and_reference_logprobs(model, tokens):
    def logprobs(model):
        return torch.log_softmax(model(input_ids=tokens).logits[:, :-1], dim=-1).gather(2, tokens[:, 1:, None]).squeeze(2)

    reference_model = copy.deepcopy(model).eval()
    was_training = model.training
    model.eval()
    policy = logprobs(model)
    with torch.no_grad(), reference_model.disable_adapter():
        reference = logprobs(reference_model)
    model.train(was_training)
    return policy, reference
