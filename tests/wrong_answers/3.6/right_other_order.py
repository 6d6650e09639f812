# right: another order
import torch


def broken_by(run):
    moved, more = run["off_moved"] != 0, run["trained"] != run["in_adapter"]
    if moved:
        return "bias" if more else "merged"
    if more:
        return "modules_to_save"
    if abs(run["first_ratio_min"] - 1) > 0.01:
        return "dropout"
    return "starting adapter" if run["first_kl"] > 0.01 else "nothing"
