"""Lets two boards with MicroPython send each other messages, by their REPLs.

usage: radio.py PORT PORT
"""

import sys

import serial


class Board:
    def __init__(self, port):
        self.line = serial.Serial(port, 115200, timeout=20)
        # Ctrl-C until the prompt is there, then the raw REPL.
        self.line.write(b"\r\x03\x03")
        self.expect(b">>> ")
        self.line.write(b"\x01")
        self.expect(b"exit\r\n>")
        self.run("import radio; radio.on()")

    def expect(self, text):
        heard = self.line.read_until(text)
        if not heard.endswith(text):
            sys.exit(f"{self.line.port}: {text} was expected, not {heard}")
        return heard

    def run(self, code):
        self.line.write(code.encode() + b"\x04")
        output, errors, _ = self.expect(b"\x04>").split(b"\x04")
        if errors or not output.startswith(b"OK"):
            sys.exit(f"{self.line.port}: {code}: {output} {errors}")
        return output[2:].decode().strip()

    def heard(self):
        """The next message, which is on its way."""
        for _ in range(1000):
            message = self.run("print(radio.receive())")
            if message != "None":
                return message
        sys.exit(f"{self.line.port}: nothing was heard")


def check(found, expected):
    if found != expected:
        sys.exit(f"{expected} was expected, not {found}")
    print("heard", found)


one, two = (Board(port) for port in sys.argv[1:])
one.run("radio.send('to two')")
check(two.heard(), "to two")
two.run("radio.send('to one')")
check(one.heard(), "to one")
# Another group hears nothing: the first thing that arrives is what was sent in its own.
two.run("radio.config(group=5)")
one.run("radio.send('to nobody')")
one.run("radio.config(group=5); radio.send('to five')")
check(two.heard(), "to five")
