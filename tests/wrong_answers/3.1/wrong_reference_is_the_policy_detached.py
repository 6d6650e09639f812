# hint: adapter_still_on
import torch


def policy_and_reference_logprobs(model, tokens):
    was_training = model.training
    model.eval()
    policy = torch.log_softmax(model(input_ids=tokens).logits[:, :-1], dim=-1).gather(2, tokens[:, 1:, None]).squeeze(2)
    with torch.no_grad(), model.disable_adapter():
        reference = policy.detach()
    model.train(was_training)
    return policy, reference
