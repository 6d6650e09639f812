# hint: own_guess_behind_the_end
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    rewards, values = torch.where(mask, rewards, 0), torch.where(mask, values, 0)
    returns = torch.zeros_like(rewards)
    last = mask.sum(1, keepdim=True) - 1
    following = torch.cat([values[:, 1:], values[:, -1:]], 1).scatter(1, last, values.gather(1, last))
    collected = torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        returns[:, t] = collected = rewards[:, t] + gamma * ((1 - lam) * following[:, t] + lam * collected)
    return torch.where(mask, returns, 0)
