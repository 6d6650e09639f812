# hint: start_missed
def broken_by(run):
    if run["first_ratio_max"] != 1:
        return "dropout"
    if run["first_kl"] > 1:
        return "starting adapter"
    if run["off_moved"] > 0:
        return "bias" if run["trained"] > run["in_adapter"] else "merged"
    return "modules_to_save" if run["trained"] > run["in_adapter"] else "nothing"
