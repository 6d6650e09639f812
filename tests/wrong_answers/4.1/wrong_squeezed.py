# hint: one_response
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    r, v = (rewards * mask).squeeze(), (values * mask).squeeze()
    out = torch.zeros_like(r)
    V = R = torch.zeros_like(r[..., 0])
    for t in reversed(range(r.shape[-1])):
        R = r[..., t] + gamma * ((1 - lam) * V + lam * R); V = v[..., t]
        out[..., t] = R
    return out
