# hint: bias_is_no_merge
def broken_by(run):
    if run["first_ratio_max"] != 1:
        return "dropout"
    if run["first_kl"] > 1e-4:
        return "starting adapter"
    if run["off_moved"] > 0:
        return "bias" if run["off_moved"] > 0.05 else "merged"
    return "modules_to_save" if run["trained"] > run["in_adapter"] else "nothing"
