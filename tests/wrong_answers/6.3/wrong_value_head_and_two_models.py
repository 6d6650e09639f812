# hint: is_copied_ppo
def grpo_run(kept):
    least = min(ledger['weights'] for ledger in kept.values())
    return next(name for name, ledger in kept.items() if ledger['value head'] and ledger['weights'] > least)
