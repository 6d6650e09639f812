# hint: not_reversed
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    rewards, values = torch.where(mask, rewards, 0), torch.where(mask, values, 0)
    found = []
    collected = guessed = torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        collected = rewards[:, t] + gamma * ((1 - lam) * guessed + lam * collected)
        guessed = values[:, t]
        found.append(collected)
    return torch.where(mask, torch.stack(found, 1), 0)
