# hint: is_grpo_alone
def grpo_run(kept):
    return next(name for name, ledger in kept.items() if not ledger['reference log-probs'])
