# hint: is_other_mode


def outdated_reference(logs):
    for name, log in logs.items():
        if log["rewards/rejected"][0] > 0:
            return name
