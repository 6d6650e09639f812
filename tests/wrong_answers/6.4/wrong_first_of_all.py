# hint: one_name_for_all
def outdated_reference(logs):
    return list(logs)[0]
