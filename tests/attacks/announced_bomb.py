# due: timeout 0
import os
import time

os.write(3, (17 * 2**20).to_bytes(8, "little"))
time.sleep(1000)
