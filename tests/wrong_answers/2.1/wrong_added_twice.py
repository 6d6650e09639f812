# hint: added_twice
import math
import re
import numpy as np
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    u = lora_alpha / r * lora_B @ lora_A
    out = weight + u
    out += u
    return out
