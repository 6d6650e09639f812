# hint: is_healthy


def outdated_reference(logs):
    return max(logs, key=lambda name: logs[name]["rewards/chosen"][-1] + logs[name]["rewards/rejected"][-1])
