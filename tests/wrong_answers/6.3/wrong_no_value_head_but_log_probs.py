# hint: is_copied_grpo
def grpo_run(kept):
    for name, lines in kept.items():
        if not lines["value head"] and lines["reference log-probs"] and lines["KV cache"]:
            return name
