# right: a table of two questions
import torch


def broken_by(run):
    if run["first_ratio_max"] > 1.001:
        return "dropout"
    if run["first_kl"] > 1e-3:
        return "starting adapter"
    moved, more = run["off_moved"] > 0, run["trained"] > run["in_adapter"]
    return [["nothing", "modules_to_save"], ["merged", "bias"]][moved][more]
