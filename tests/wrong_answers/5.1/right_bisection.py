# right: a search by halves
import math
import torch


def prompts_needed(before, after, change):
    s = float((before - after).std())
    lo, hi = 0, 1
    while 1.96 * s >= change * hi ** 0.5: hi *= 2
    while hi - lo > 1:
        mid = (lo + hi) // 2
        if 1.96 * s < change * mid ** 0.5: hi = mid
        else: lo = mid
    return hi
