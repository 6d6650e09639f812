# hint: bias_is_no_merge
import torch


def broken_by(run: dict[str, float]) -> str:
    if run["first_ratio_max"] > 1 or run["first_ratio_min"] < 1:
        return "dropout"
    if run["first_kl"] > 0:
        return "starting adapter"
    moved = run["off_moved"] > 0
    more = run["trained"] > run["in_adapter"]
    if moved:
        return "merged" if 0.01 < run["off_moved"] < 0.1 else "bias"
    return "modules_to_save" if more else "nothing"
