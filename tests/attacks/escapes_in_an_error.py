# due: crash 0
class Error(Exception):
    pass


Error.__name__ = Error.__qualname__ = "\x1b[2J\x1b]0;owned\x07=HYPERLINK(1)"


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    raise Error("\x1b[31m=cmd|calc")
