# due: ok 1
import atexit
import threading
import time


def wait():
    while True:
        time.sleep(1)


atexit.register(wait)
threading.Thread(target=wait).start()  # no daemon: Python would wait for it


def merged_weight(weight, lora_A, lora_B, lora_alpha, r):
    return weight + lora_alpha / r * lora_B @ lora_A
