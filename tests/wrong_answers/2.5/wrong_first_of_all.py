# hint: always_first
def lost_reference(runs):
    return list(runs)[0]
