# hint: other_name
def grpo_run(kept):
    return 'GRPO'
