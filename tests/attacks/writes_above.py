# due: crash 0
open("../../../../../../left", "w").write("gone")


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight + lora_alpha / r * lora_B @ lora_A
