# due: crash 0
import helpers.checks.verdicts.lesson_2


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight + lora_alpha / r * lora_B @ lora_A
