def grpo_run(kept):
    for name, ledger in kept.items():
        generates, guesses = ledger['KV cache'] > 0, ledger['value head'] > 0
        shared = ledger['weights'] == ledger['reward model']
        if generates and shared and not guesses and ledger['reference log-probs']:
            return name
