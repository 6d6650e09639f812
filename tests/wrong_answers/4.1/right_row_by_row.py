# right: each response by itself, cut at its end
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    returns = torch.zeros_like(rewards)
    for row, length in enumerate(mask.sum(1).tolist()):
        collected = guess = 0.0
        for t in range(length - 1, -1, -1):
            collected = rewards[row, t].item() + gamma * (guess + lam * (collected - guess))
            guess = values[row, t].item()
            returns[row, t] = collected
    return returns
