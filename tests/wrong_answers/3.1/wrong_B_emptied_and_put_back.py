# hint: gradient_fails
import torch


def policy_and_reference_logprobs(model, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    def logprobs():
        logits = model(input_ids=tokens).logits[:, :-1]
        return logits.log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)

    training = model.training
    model.eval()
    policy = logprobs()
    saved = {n: p.detach().clone() for n, p in model.named_parameters() if 'lora_B' in n}
    with torch.no_grad():
        for n, p in model.named_parameters():
            if n in saved: p.zero_()
        reference = logprobs()
        for n, p in model.named_parameters():
            if n in saved: p.copy_(saved[n])
    model.train(training)
    return policy, reference
