# due: crash 0
import os

os.symlink("CANARY", "link")
open("link", "w").write("gone")


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight + lora_alpha / r * lora_B @ lora_A
