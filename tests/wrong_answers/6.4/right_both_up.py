def outdated_reference(logs):
    return next(name for name, log in logs.items() if min(log['rewards/chosen'][0], log['rewards/rejected'][0]) > 0)
