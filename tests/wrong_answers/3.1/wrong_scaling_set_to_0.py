# hint: reference_has_gradient
import torch


def policy_and_reference_logprobs(model, tokens):
    def logprobs():
        return model(input_ids=tokens).logits[:, :-1].log_softmax(-1).gather(2, tokens[:, 1:, None]).squeeze(2)

    layers = [module for module in model.modules() if isinstance(getattr(module, "scaling", None), dict)]
    model.eval()
    policy, before = logprobs(), [dict(layer.scaling) for layer in layers]
    for layer in layers:
        layer.scaling = {name: 0.0 for name in layer.scaling}
    reference = logprobs()
    for layer, scaling in zip(layers, before):
        layer.scaling = scaling
    model.train()
    return policy, reference
