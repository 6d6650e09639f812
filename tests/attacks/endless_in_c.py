# due: timeout 0
number = 9**9**9
