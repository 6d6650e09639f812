# right: by the ratio of the two changes
import torch


def eight_bit_in_eval(original, runs):
    def ratio(name):
        run = runs[name]
        repeated = (run["again"] - run["alone"]).norm()
        return (run["in_a_batch"] - run["alone"]).norm() / repeated

    return max(runs, key=ratio)
