# hint: modules_are_no_bias
import torch


def broken_by(run: dict[str, float]) -> str:
    if run["first_ratio_max"] > 1:
        return "dropout"
    if run["first_kl"] > 0:
        return "starting adapter"
    if run["trained"] > 4 * run["in_adapter"]:
        return "modules_to_save"
    if run["trained"] > run["in_adapter"]:
        return "bias"
    return "merged" if run["off_moved"] > 0 else "nothing"
