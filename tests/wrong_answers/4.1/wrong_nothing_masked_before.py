# hint: behind_the_end
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    returns = torch.zeros_like(rewards)
    following = next_value = torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        following = rewards[:, t] + gamma * ((1 - lam) * next_value + lam * following)
        returns[:, t] = following
        next_value = values[:, t]
    return torch.where(mask, returns, 0)
