# hint: weight_forgotten
import math
import re
import numpy as np
import torch


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return lora_B @ lora_A
