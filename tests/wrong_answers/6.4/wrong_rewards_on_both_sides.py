# hint: is_other_mode
def outdated_reference(logs):
    return min(logs, key=lambda name: logs[name]['rewards/chosen'][0])
