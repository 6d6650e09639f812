def grpo_run(kept):
    left = {name: ledger for name, ledger in kept.items() if ledger['KV cache'] > 0 and ledger['value head'] == 0}
    left = {name: ledger for name, ledger in left.items() if ledger['reference log-probs'] > 0}
    return min(left, key=lambda name: left[name]['weights'])
