"""Talks to MicroPython's prompt: banner, an expression, Ctrl-C, paste mode, soft reset.

usage: repl.py PORT
"""

import sys
import time

import serial

PROMPT = b"\r\n>>> "
line = serial.Serial(sys.argv[1], 115200, timeout=10)


def exchange(data, until=PROMPT):
    """Sends bytes, a little at a time as the line has no flow control; what comes back up to `until`."""
    for at in range(0, len(data), 16):
        line.write(data[at : at + 16])
        time.sleep(0.005)
    heard = line.read_until(until)
    print(heard)
    if not heard.endswith(until):
        sys.exit(f"{until} did not come after {data}")
    return heard


def expect(heard, *texts):
    for text in texts:
        if text not in heard:
            sys.exit(f"{text} was expected in {heard}")


exchange(b"\x03", b">>> ")
line.reset_input_buffer()
expect(exchange(b"\x02"), b"MicroPython v", b"micro:bit", b'Type "help()"')
expect(exchange(b"6*7\r"), b"\r\n42\r\n")
line.write(b"while True: pass\r\r")
time.sleep(0.5)
expect(exchange(b"\x03"), b"KeyboardInterrupt")
expect(exchange(b"\x05", b"=== "), b"paste mode")
expect(exchange(b"def f(n):\r  return n * n\r\rprint(f(12))\r\x04"), b"\r\n144\r\n")
expect(exchange(b"\x04"), b"soft reboot", b"MicroPython v")
expect(exchange(b"f(1)\r"), b"NameError")
