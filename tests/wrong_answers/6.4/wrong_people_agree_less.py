# hint: is_swapped
def outdated_reference(logs):
    return min(logs, key=lambda name: logs[name]['people agree'][-1] - logs[name]['people agree'][0])
