# right: by the bytes
import math
import re
import numpy as np
import torch


def lost_reference(runs):
    for n, run in runs.items():
        for k, v in run['after'].items():
            if 'lora_' in k:
                continue
            if v.numpy().tobytes() != run['before'][k].numpy().tobytes():
                return n
