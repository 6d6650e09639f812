# hint: wrong_sign
import torch


def policy_and_reference_logprobs(model, tokens):
    def logprobs():
        return torch.nn.functional.cross_entropy(
            model(input_ids=tokens).logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none"
        )

    was_training = model.training
    model.eval()
    policy = logprobs()
    with torch.no_grad(), model.disable_adapter():
        reference = logprobs()
    model.train(was_training)
    return policy, reference
