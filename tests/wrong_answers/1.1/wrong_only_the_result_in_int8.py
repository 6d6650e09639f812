# hint: result_rounded
import torch


def int8_linear(x, weight):
    result = x @ weight.T
    scale = result.abs().amax(dim=1, keepdim=True)
    return torch.round(result / scale * 127).to(torch.int8) * scale / 127
