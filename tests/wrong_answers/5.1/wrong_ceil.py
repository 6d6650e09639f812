# hint: none_needed
import torch


def prompts_needed(before, after, change):
    import numpy as np

    pairs = after.numpy() - before.numpy()
    return np.ceil((1.96 * pairs.std(ddof=1) / change) ** 2)
