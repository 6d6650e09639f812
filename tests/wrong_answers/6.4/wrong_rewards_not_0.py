# hint: is_other_mode
def outdated_reference(logs):
    for name, log in logs.items():
        if log["loss"][0] == log["loss again"][0] and log["rewards/chosen"][0] != 0:
            return name
