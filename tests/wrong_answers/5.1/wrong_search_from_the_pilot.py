# hint: never_below_the_pilot
import torch


def prompts_needed(before, after, change):
    spread, n = (after - before).std().item(), len(before)
    while 1.96 * spread / n**0.5 >= change:
        n += 1
    return n
