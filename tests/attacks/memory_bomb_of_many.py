# due: crash 0
import mmap
import os
import time

for _ in range(8):
    if os.fork() == 0:
        break
hoard = mmap.mmap(-1, 1400 * 2**20)
for place in range(0, len(hoard), 2**20):
    hoard[place : place + 2**20] = b"x" * 2**20
time.sleep(1000)
