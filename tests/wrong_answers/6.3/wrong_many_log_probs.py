# hint: is_shared_dpo
import torch


def grpo_run(kept):
    least = min(run["weights"] for run in kept.values())
    for name, run in kept.items():
        if run["reference log-probs"] > 1000 and run["value head"] == 0 and run["weights"] == least:
            return name
