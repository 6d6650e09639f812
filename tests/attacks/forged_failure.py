# due: refused 0
import json
import os

from helpers.checks import frames, plain

frames.send(3, b"f" + json.dumps(["=HYPERLINK(1)"]).encode())
os._exit(0)
