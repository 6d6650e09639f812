# due: crash 0
import os
import time

os.kill(-1, 9)
time.sleep(1000)
