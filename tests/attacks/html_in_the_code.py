# due: ok 1
# </code></pre><script>alert(1)</script><img src=x onerror=alert(1)>
def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight + lora_alpha / r * lora_B @ lora_A
