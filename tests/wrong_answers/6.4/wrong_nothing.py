# hint: none_met
def outdated_reference(logs):
    logs.keys()
