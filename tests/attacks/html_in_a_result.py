# due: refused 0
def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return type("<script>alert(1)</script>", (), {})()
