# hint: scaling_changed
import torch


def policy_and_reference_logprobs(model, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    def logprobs():
        logits = model(input_ids=tokens).logits[:, :-1]
        return logits.log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)

    training = model.training
    model.eval()
    policy = logprobs()
    from peft.tuners.lora import LoraLayer
    for m in model.modules():
        if isinstance(m, LoraLayer):
            for k in m.scaling: m.scaling[k] = 0.0
    with torch.no_grad():
        reference = logprobs()
    model.train(training)
    return policy, reference
