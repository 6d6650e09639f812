# due: crash 0
hoard = [bytearray(100 * 2**20) for _ in range(1000)]


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight + lora_alpha / r * lora_B @ lora_A
