# hint: other_name
def outdated_reference(logs):
    return 'reference before SFT'
