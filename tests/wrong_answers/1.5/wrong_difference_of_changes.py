# hint: difference_of_changes
import torch


def eight_bit_in_eval(original, runs):
    def score(name):
        alone, again, batch = (runs[name][which] for which in ("alone", "again", "in_a_batch"))
        return ((batch - alone).abs().max() - (again - alone).abs().max()).item()
    return max(runs, key=score)
