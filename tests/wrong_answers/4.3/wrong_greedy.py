# hint: greedy
import torch


def sampled_tokens(logits, uniforms, temperature):
    return logits.argmax(1)
