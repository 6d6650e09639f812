# hint: lambda_0
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    r, v = rewards * mask, values * mask
    nv = torch.nn.functional.pad(v[:, 1:], (0, 1))
    x = r + gamma * (1 - lam) * nv
    p = (gamma * lam) ** torch.arange(r.shape[1])
    return (x * p).flip(1).cumsum(1).flip(1) / p * mask
