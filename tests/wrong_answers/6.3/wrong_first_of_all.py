# hint: one_name_for_all
def grpo_run(kept):
    return list(kept)[0]
