# hint: none_met
import math
import re
import numpy as np
import torch


def lost_reference(runs):
    for name, run in runs.items():
        before, after = run['before'], run['after']
        for key, old in before.items():
            if 'lora_' not in key and (old - after[key]).abs().max() > 1e-8:
                return name
