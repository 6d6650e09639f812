# hint: inputs_changed
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        steady = (run["again"] - run["alone"]).abs().max() < 1e-3
        run["in_a_batch"] -= run["alone"]
        if steady and run["in_a_batch"].abs().max() > 1e-3:
            return name
