# hint: is_shared_dpo
import torch


def grpo_run(kept):
    least = min(run["weights"] for run in kept.values())
    left = [n for n, run in kept.items() if run["weights"] == least and run["value head"] == 0]
    return max(left, key=lambda n: kept[n]["reference log-probs"])
