# hint: is_healthy
def outdated_reference(logs):
    return next(name for name, log in logs.items() if log['rewards/chosen'][0] == 0 and log['loss'][-1] < 0.69 and log['people agree'][-1] > log['people agree'][0])
