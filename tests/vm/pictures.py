"""Lets MicroPython scroll a text and watches the display: every picture must come, in order, and no other.

usage: pictures.py PORT TWINBOARD TEXT
"""

import json
import subprocess
import sys
import time

import serial

PORT, TWINBOARD, TEXT = sys.argv[1:]
PROMPT = b"\r\n>>> "
# An image stands for 150 ms and is seen as the average of 50: what is seen for less than this is a mixture of two.
STEADY_NS = 60_000_000
line = serial.Serial(PORT, 115200, timeout=20)


def enter(statement):
    """Enters a statement; what it printed."""
    line.reset_input_buffer()
    for at in range(0, len(statement), 16):
        line.write(statement[at : at + 16].encode())
        time.sleep(0.005)
    line.write(b"\r")
    heard = line.read_until(PROMPT)
    if not heard.endswith(PROMPT):
        sys.exit(f"no prompt after {statement}: {heard}")
    return heard.decode().split("\r\n", 1)[1].removesuffix("\r\n>>> ").strip()


def glyph(character):
    """The five columns of a character, each a tuple of five booleans, as the interpreter's own font has them."""
    rows = enter(f"print(repr(Image('{character}')))").removeprefix("Image('").removesuffix("')").split(":")[:5]
    return [tuple(row[column] != "0" for row in rows) for column in range(5)]


def scrolled(glyphs):
    """Windows of five columns over the glyphs. A glyph is as wide as what is lit of it, but at least three columns; one
    column between two glyphs is empty, which is the second one's own first column if that is empty."""
    dark = (False,) * 5
    columns = [dark] * 4
    for n, columns_of in enumerate(glyphs):
        lit = [at for at, column in enumerate(columns_of) if any(column)]
        if n and any(columns_of[0]):
            columns.append(dark)
        columns += columns_of[: max(3, lit[-1] + 1 if lit else 3)]
    columns += [dark] * 5
    return without_repeats([columns[at : at + 5] for at in range(len(columns) - 4)])


def without_repeats(pictures):
    return [now for at, now in enumerate(pictures) if at == 0 or now != pictures[at - 1]]


def text(picture):
    return "/".join("".join("#" if column[row] else "." for column in picture) for row in range(5))


line.write(b"\x03")
line.read_until(b">>> ")
enter("from microbit import *")
glyphs = [glyph(character) for character in TEXT]
enter("display.clear()")
watcher = subprocess.Popen([TWINBOARD, "ctl", "-", "--json", "watch", "screen"], stdout=subprocess.PIPE, text=True)
watcher.stdout.readline()       # it watches now
enter(f"display.scroll('{TEXT}')")
time.sleep(1)
watcher.terminate()
events = [json.loads(event) for event in watcher.stdout]
looks = [(event["time_ns"], event["event"]["screen"]) for event in events if "screen" in event.get("event", {})]
ends = [at for at, _ in looks[1:]] + [looks[-1][0] + STEADY_NS]
steady = [screen for (start, screen), end in zip(looks, ends) if end - start >= STEADY_NS]
pictures = without_repeats([[tuple(row[column] != "0" for row in screen) for column in range(5)] for screen in steady])
seen, expected = [list(map(text, pictures)) for pictures in (pictures, scrolled(glyphs))]
if seen[:1] != expected[:1]:
    seen = seen[1:]     # the dark display before the text came in
for wanted in expected:
    print(wanted)
if seen != expected:
    sys.exit(f"seen were {seen}")
