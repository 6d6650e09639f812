# hint: signed
import math
import re
import numpy as np
import torch


def lost_reference(runs):
    def moved(run):
        return max((run['after'][k] - v).max().item() for k, v in run['before'].items() if 'lora' not in k)
    return max(runs, key=lambda name: moved(runs[name]))
