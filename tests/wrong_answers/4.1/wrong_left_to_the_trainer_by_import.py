# hint: left_to_helper
import torch

from helpers.formulas import advantages_and_returns


def lambda_returns(rewards, values, mask, gamma, lam):
    advantages, _ = advantages_and_returns(rewards, values, mask, gamma, lam)
    return torch.where(mask, advantages + values, 0)
