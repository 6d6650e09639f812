# due: crash 0
import json
import os

from helpers.checks import frames, plain

frames.send(3, b"f" + json.dumps({"error": "=HYPERLINK(1)\x1b[2J<script>", "line": "<b>"}).encode())
os._exit(0)
