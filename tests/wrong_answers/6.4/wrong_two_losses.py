# hint: is_dropout
def outdated_reference(logs):
    return max(logs, key=lambda name: abs(logs[name]['loss'][0] - logs[name]['loss again'][0]))
