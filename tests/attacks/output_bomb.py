# due: timeout 0
while True:
    print("x" * 1_000_000)
