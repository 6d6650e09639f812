# due: crash 0
with open("large", "wb") as file:
    while True:
        file.write(bytes(2**20))
