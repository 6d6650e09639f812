# hint: last_token_left_out
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    out = torch.zeros_like(rewards)
    for i in range(len(rewards)):
        n = int(mask[i].sum()) - 1
        R = V = 0.0
        for t in reversed(range(n)):
            R = rewards[i, t] + gamma * ((1 - lam) * V + lam * R); V = values[i, t]; out[i, t] = R
    return out
