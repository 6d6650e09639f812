# hint: one_name_for_all
def outdated_reference(logs):
    return max(logs, key=lambda name: logs[name]['people agree'][0])
