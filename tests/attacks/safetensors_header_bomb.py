# due: refused 0
import json
import os

from helpers.checks import frames, plain

frames.send(3, b"o" + (2).to_bytes(8, "little") + b"{}" + (2**63).to_bytes(8, "little") + b"{}")
os._exit(0)
