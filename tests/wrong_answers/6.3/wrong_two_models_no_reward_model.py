# hint: is_copied_dpo
def grpo_run(kept):
    least = min(ledger['weights'] for ledger in kept.values())
    return next(name for name, ledger in kept.items() if not ledger['reward model'] and ledger['weights'] > least)
