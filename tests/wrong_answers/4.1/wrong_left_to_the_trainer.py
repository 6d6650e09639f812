# hint: left_to_helper
import torch


def lambda_returns(rewards, values, mask, gamma, lam):
    from helpers.formulas import advantages_and_returns

    return advantages_and_returns(rewards, values, mask, gamma, lam)[1]
