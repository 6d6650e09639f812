# hint: in_a_list
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    rewards, values = torch.where(mask, rewards, 0), torch.where(mask, values, 0)
    columns = []
    collected = guessed = torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        collected = rewards[:, t] + gamma * ((1 - lam) * guessed + lam * collected)
        guessed = values[:, t]
        columns.insert(0, torch.where(mask[:, t], collected, 0))
    return columns
