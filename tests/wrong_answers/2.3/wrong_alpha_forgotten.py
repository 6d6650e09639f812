# hint: alpha_forgotten
import math
import re
import numpy as np
import torch


def gradient_of_lora_b(x, output_gradient, lora_A, lora_alpha, r):
    return output_gradient.T @ (x @ lora_A.T) / r**0.5
