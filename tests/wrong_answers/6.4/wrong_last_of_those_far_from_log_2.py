# hint: far_from_log_2
def outdated_reference(logs):
    return [name for name, log in logs.items() if abs(log['loss'][0] - 0.6931) > 0.02][-1]
