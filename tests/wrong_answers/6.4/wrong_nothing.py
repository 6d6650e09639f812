# hint: not_a_name
def outdated_reference(logs):
    logs.keys()
