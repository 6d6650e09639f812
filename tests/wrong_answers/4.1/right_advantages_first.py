# right: advantages by a matrix of powers, then the values added
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    real = mask.float()
    rewards, values = rewards * real, values * real
    deltas = rewards + gamma * torch.nn.functional.pad(values, (0, 1))[:, 1:] - values
    steps = torch.arange(rewards.shape[1])
    powers = torch.tril((gamma * lam) ** (steps[:, None] - steps).clamp_min(0).float())
    return (deltas @ powers + values) * real
