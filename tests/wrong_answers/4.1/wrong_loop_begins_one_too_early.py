# hint: last_token_left_out
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    rewards, values = rewards * mask, values * mask
    n = rewards.shape[1]
    returns = torch.zeros_like(rewards)
    for t in range(n - 2, -1, -1):
        returns[:, t] = rewards[:, t] + gamma * ((1 - lam) * values[:, t + 1] + lam * returns[:, t + 1])
    return returns * mask
