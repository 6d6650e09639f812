# hint: is_stuck
def outdated_reference(logs):
    return min(logs, key=lambda name: logs[name]['loss'][0] - logs[name]['loss'][-1])
