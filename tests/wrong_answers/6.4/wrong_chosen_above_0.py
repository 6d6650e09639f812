# hint: is_dropout


def outdated_reference(logs):
    for name, log in logs.items():
        if log["rewards/chosen"][0] > 0:
            return name
