# due: crash 0
import os

while True:
    os.write(3, b"\xff" * 65536)
