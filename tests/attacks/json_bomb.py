# due: refused 0
import json
import os

from helpers.checks import frames, plain

text = b"[" * 1_000_000
frames.send(3, b"o" + len(text).to_bytes(8, "little") + text)
os._exit(0)
