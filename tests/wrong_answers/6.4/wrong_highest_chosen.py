# hint: is_other_mode


def outdated_reference(logs):
    return max(logs, key=lambda name: logs[name]["rewards/chosen"][0])
