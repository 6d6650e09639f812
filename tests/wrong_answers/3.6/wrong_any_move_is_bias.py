# hint: merge_is_no_bias
import torch


def broken_by(run):
    if run["first_ratio_max"] > 1.001:
        return "dropout"
    if run["first_kl"] > 1e-3:
        return "starting adapter"
    if run["off_moved"] > 0:
        return "bias"
    if run["trained"] > run["in_adapter"]:
        return "modules_to_save"
    return "nothing"
