# hint: adapter_name
import math
import re
import numpy as np
import torch


def lost_reference(runs):
    for name, run in runs.items():
        before, after = run['before'], run['after']
        for key, old in before.items():
            if 'default' not in key and not torch.equal(old, after[key]):
                return name
