# hint: full_rows_lost
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    n = mask.int().argmin(1, keepdim=True); m = torch.arange(mask.shape[1]) < n
    rewards, values = torch.where(m, rewards, 0), torch.where(m, values, 0)
    out = torch.zeros_like(rewards)
    next_value, next_return = torch.zeros_like(rewards[:, 0]), torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        next_return = rewards[:, t] + gamma * ((1 - lam) * next_value + lam * next_return)
        next_value = values[:, t]
        out[:, t] = next_return
    return torch.where(mask, out, 0)
