# right: lists of floats, without tensors
import torch


def eight_bit_in_eval(original, runs):
    def largest(a, b):
        return max(abs(p - q) for p, q in zip(a.tolist(), b.tolist()))
    found = {n for n, r in runs.items() if largest(r["alone"], r["again"]) < 1e-4}
    return [n for n in found if largest(runs[n]["alone"], runs[n]["in_a_batch"]) >= 1e-4][0]
