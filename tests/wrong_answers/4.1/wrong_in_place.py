# hint: inputs_changed
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    values[~mask], rewards[~mask] = 0, 0
    last = rewards.shape[1] - 1
    for t in reversed(range(last)):
        rewards[:, t] += gamma * ((1 - lam) * values[:, t + 1] + lam * rewards[:, t + 1])
    return rewards * mask
