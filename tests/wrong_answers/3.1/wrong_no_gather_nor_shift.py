# hint: gather_forgotten
import torch


def policy_and_reference_logprobs(model, tokens):
    def logprobs():
        return model(input_ids=tokens).logits.log_softmax(dim=-1)

    was_training = model.training
    model.eval()
    policy = logprobs()
    with torch.no_grad(), model.disable_adapter():
        reference = logprobs()
    model.train(was_training)
    return policy, reference
