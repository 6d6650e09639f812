# hint: softmax_over_batch
import torch


def policy_and_reference_logprobs(model, tokens):
    def logprobs():
        return torch.log_softmax(model(input_ids=tokens).logits[:, :-1], dim=0).gather(2, tokens[:, 1:, None]).squeeze(2)

    was_training = model.training
    model.eval()
    policy = logprobs()
    with torch.no_grad(), model.disable_adapter():
        reference = logprobs()
    model.train(was_training)
    return policy, reference
