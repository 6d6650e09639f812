# hint: not_reversed
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    returns = torch.zeros_like(rewards)
    for row, length in enumerate(mask.sum(1).tolist()):
        collected, guess, found = 0.0, 0.0, []
        for t in range(length - 1, -1, -1):
            collected = rewards[row, t].item() + gamma * ((1 - lam) * guess + lam * collected)
            guess = values[row, t].item()
            found.append(collected)
        returns[row, :length] = torch.tensor(found)
    return returns
