# hint: not_a_name
def grpo_run(kept):
    least = min(ledger['weights'] for ledger in kept.values())
    return next(n for n, ledger in enumerate(kept.values()) if ledger['KV cache'] and not ledger['value head'] and ledger['reference log-probs'] and ledger['weights'] == least)
