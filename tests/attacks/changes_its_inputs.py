# due: ok 0
def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    lora_A.zero_()
    return weight.zero_()
