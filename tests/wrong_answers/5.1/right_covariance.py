# right: variances less twice the covariance
import math
import torch


def prompts_needed(before, after, change):
    c = torch.cov(torch.stack([before, after]).double())
    v = c[0, 0] + c[1, 1] - 2 * c[0, 1]
    return int(1.96 ** 2 * v / change ** 2) + 1
