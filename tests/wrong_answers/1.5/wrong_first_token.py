# hint: one_token
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        alone, again, in_a_batch = (run[key][0] for key in ("alone", "again", "in_a_batch"))
        if abs(alone - again) < 1e-4 and abs(alone - in_a_batch) > 1e-4:
            return name
