# hint: value_for_the_return
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    rewards, values = torch.where(mask, rewards, 0), torch.where(mask, values, 0)
    returns = torch.zeros_like(rewards)
    collected = guessed = torch.zeros_like(rewards[:, 0])
    collected = torch.zeros_like(rewards[:, 0])
    collected = guessed = returns[:, -1] = values[:, -1]
    for t in reversed(range(rewards.shape[1] - 1)):
        collected = rewards[:, t] + gamma * ((1 - lam) * guessed + lam * collected)
        guessed, returns[:, t] = values[:, t], collected
    return torch.where(mask, returns, 0)
