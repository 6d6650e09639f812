# due: crash 0
import os

os.kill(os.getpid(), 9)
