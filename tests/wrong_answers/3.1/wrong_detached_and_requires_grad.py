# hint: policy_not_of_the_model
import torch


def policy_and_reference_logprobs(model, tokens):
    def logprobs():
        return torch.log_softmax(model(input_ids=tokens).logits[:, :-1], dim=-1).gather(2, tokens[:, 1:, None]).squeeze(2)

    was_training = model.training
    model.eval()
    policy = logprobs().detach().requires_grad_()
    with torch.no_grad(), model.disable_adapter():
        reference = logprobs()
    model.train(was_training)
    return policy, reference
