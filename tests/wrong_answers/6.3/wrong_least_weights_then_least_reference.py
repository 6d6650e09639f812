# hint: is_grpo_alone
def grpo_run(kept):
    generating = {name: ledger for name, ledger in kept.items() if ledger['KV cache'] and not ledger['value head']}
    return min(generating, key=lambda name: (generating[name]['weights'], generating[name]['reference log-probs']))
