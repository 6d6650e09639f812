# due: timeout 0
while True:
    pass
