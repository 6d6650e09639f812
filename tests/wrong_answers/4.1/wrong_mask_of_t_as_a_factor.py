# hint: one_behind_the_end
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    T = rewards.shape[1]
    out = torch.zeros_like(rewards); R = torch.zeros_like(rewards[:, 0])
    for t in reversed(range(T)):
        V = values[:, t + 1] if t + 1 < T else torch.zeros_like(R)
        R = rewards[:, t] + gamma * ((1 - lam) * V + lam * R) * mask[:, t]
        out[:, t] = R
    return torch.where(mask, out, 0)
