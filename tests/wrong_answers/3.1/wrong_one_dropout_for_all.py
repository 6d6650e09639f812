# hint: dropout_changed
import torch


def policy_and_reference_logprobs(model, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    def logprobs():
        logits = model(input_ids=tokens).logits[:, :-1]
        return logits.log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)

    for m in model.modules():
        if isinstance(m, torch.nn.Dropout):
            p = m.p
            m.p = 0.0
    policy = logprobs()
    with torch.no_grad(), model.disable_adapter():
        reference = logprobs()
    for m in model.modules():
        if isinstance(m, torch.nn.Dropout):
            m.p = p
    return policy, reference
