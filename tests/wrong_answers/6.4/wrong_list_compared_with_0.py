# hint: one_name_for_all
def outdated_reference(logs):
    return next(name for name, log in logs.items() if log['rewards/chosen'] != 0)
