# hint: dropout_is_no_start
import torch


def broken_by(run: dict[str, float]) -> str:
    if run["first_kl"] > 0.01:
        if run["first_ratio_max"] > 1.2 or run["first_ratio_min"] < 0.8:
            return "dropout"
        return "starting adapter"
    if run["first_kl"] > 0:
        return "dropout"
    if run["off_moved"] > 0:
        return "bias" if run["trained"] > run["in_adapter"] else "merged"
    return "modules_to_save" if run["trained"] > run["in_adapter"] else "nothing"
