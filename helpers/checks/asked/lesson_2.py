"""What lesson 2 asks: add LoRA adapters."""

from helpers.checks.exercise import Exercise

EXERCISES = (
    Exercise(
        "2.1",
        "Fold the adapter into the weight",
        "merged_weight",
        points=1,
        difficulty=1,
        minutes=5,
        agrees_with="a layer that peft merged",
        hints=(
            "Write the formula for y with x taken out once: x (W + …)ᵀ. What stands in the bracket? Remember "
            "that (B A)ᵀ = Aᵀ Bᵀ.",
            "The update has the shape of weight, (out, in). Of `lora_A @ lora_B` and `lora_B @ lora_A` only "
            "one has that shape. Scale it, then add it, without `+=`: that would write into the frozen "
            "weight.",
        ),
    ),
)
