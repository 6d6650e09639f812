# due: refused 0
import json
import os

from helpers.checks import frames, plain

text = json.dumps({"output": None}).encode()
header = json.dumps({"output": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
tensors = len(header).to_bytes(8, "little") + header
frames.send(3, b"o" + len(text).to_bytes(8, "little") + text + tensors)
os._exit(0)
