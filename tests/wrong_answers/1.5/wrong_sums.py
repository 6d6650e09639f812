# hint: means
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        alone, again, in_a_batch = (run[which].sum() for which in ("alone", "again", "in_a_batch"))
        if (again - alone).abs() < 1e-3 < (in_a_batch - alone).abs():
            return name
