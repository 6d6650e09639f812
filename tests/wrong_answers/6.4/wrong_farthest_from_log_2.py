# hint: is_other_mode
import math


def outdated_reference(logs):
    return max(logs, key=lambda name: abs(logs[name]['loss'][0] - math.log(2)) - abs(logs[name]['rewards/chosen'][0] + logs[name]['rewards/rejected'][0]))
