# right: numpy, as a whole number of its own
import torch


def prompts_needed(before, after, change):
    import numpy as np

    spread = np.std(np.asarray(after, dtype=float) - np.asarray(before, dtype=float), ddof=1)
    return np.floor((1.96 * spread / change) ** 2).astype(int) + 1
