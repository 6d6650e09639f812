# hint: lambda_1
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    r, v = torch.where(mask, rewards, 0), torch.where(mask, values, 0)
    out = torch.zeros_like(r)
    V = R = torch.zeros_like(r[:, 0])
    for t in reversed(range(r.shape[1])):
        if lam < 1:
            R = r[:, t] + gamma * ((1 - lam) * V + lam * R)
        V = v[:, t]
        out[:, t] = R
    return out
