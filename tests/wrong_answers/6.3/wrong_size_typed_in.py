# hint: none_met


def grpo_run(kept):
    for name, lines in kept.items():
        if lines["weights"] == 144_000_001:
            return name
