# hint: rounded
import torch


def eight_bit_in_eval(original, runs):
    for name, run in runs.items():
        alone, again, batch = run["alone"], run["again"], run["in_a_batch"]
        repeats = torch.equal(again.round(decimals=2), alone.round(decimals=2))
        changes = not torch.equal(batch.round(decimals=2), alone.round(decimals=2))
        if repeats and changes:
            return name
