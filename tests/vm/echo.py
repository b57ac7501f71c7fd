"""Sends characters to a program that echoes them, a little at a time as the line has no flow control, and compares.

usage: echo.py PORT BAUDRATE
"""

import random
import sys
import time

import serial

port, baudrate = sys.argv[1], int(sys.argv[2])
random.seed(baudrate)
line = serial.Serial(port, baudrate, timeout=5)
time.sleep(0.2)
line.reset_input_buffer()
total = 512 if baudrate < 20000 else 4096
started = time.monotonic()
for _ in range(total // 64):
    sent = random.randbytes(64)
    line.write(sent)
    received = line.read(len(sent))
    if received != sent:
        sys.exit(f"sent     {sent.hex()}\nreceived {received.hex()}")
elapsed = time.monotonic() - started
# Every character crosses the wire twice, there and back at the same time: the line cannot be faster than this.
fastest = total * 10 / baudrate
print(f"{total} characters in {elapsed:.2f} s; the wire needs {fastest:.2f} s")
