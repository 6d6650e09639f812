# hint: precedence
import math
import re
import numpy as np
import torch


def gradient_of_lora_b(x, output_gradient, lora_A, lora_alpha, r):
    return (lora_alpha / r ** 1 / 2) * output_gradient.T @ (x @ lora_A.T)
