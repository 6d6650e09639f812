# right: torch.testing.assert_close says what agrees
import torch


def eight_bit_in_eval(original, runs):
    def same(a, b):
        try:
            torch.testing.assert_close(a, b)
        except AssertionError:
            return False
        return True
    return next(n for n, r in runs.items() if same(r["alone"], r["again"]) and not same(r["alone"], r["in_a_batch"]))
