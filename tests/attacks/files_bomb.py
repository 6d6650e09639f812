# due: crash 0
for place in range(1000):
    with open(f"large{place}", "wb") as file:
        file.write(bytes(2**20))
