# right: both in one pass, whose first rows use the adapter and whose last rows do not
import torch


def policy_and_reference_logprobs(model, tokens):
    was_training = model.training
    model.eval()
    rows = ["default"] * len(tokens) + ["__base__"] * len(tokens)
    logits = model(input_ids=torch.cat([tokens, tokens]), adapter_names=rows).logits
    model.train(was_training)
    following = torch.cat([tokens, tokens])[:, 1:, None]
    policy, reference = logits[:, :-1].log_softmax(dim=-1).gather(2, following).squeeze(2).chunk(2)
    return policy, reference.detach()
