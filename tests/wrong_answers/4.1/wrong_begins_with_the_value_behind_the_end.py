# hint: value_for_the_return
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    returns = torch.zeros_like(rewards)
    returns[:, -1] = values[:, -1]
    for t in reversed(range(rewards.shape[1] - 1)):
        returns[:, t] = rewards[:, t] + gamma * ((1 - lam) * values[:, t + 1] + lam * returns[:, t + 1])
    return torch.where(mask, returns, 0)
