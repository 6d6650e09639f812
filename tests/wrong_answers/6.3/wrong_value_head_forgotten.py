# hint: is_shared_ppo
def grpo_run(kept):
    least = min(lines["weights"] for lines in kept.values())
    for name, lines in kept.items():
        if lines["KV cache"] and lines["reference log-probs"] and lines["weights"] == least:
            return name
