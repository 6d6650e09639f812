# right: the name is a text of numpy
import numpy as np
import torch


def broken_by(run):
    names = np.array([["nothing", "modules_to_save"], ["merged", "bias"]])
    if run["first_ratio_min"] < 1:
        return np.str_("dropout")
    if run["first_kl"] > 0:
        return np.array(["starting adapter"])[0]
    return names[int(run["off_moved"] > 0), int(run["trained"] > run["in_adapter"])]
