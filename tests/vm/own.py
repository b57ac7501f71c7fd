"""Packets of every length through the bulk echo of our own interface firmware, and the DPIDR that two of its pins read.

usage: own.py DEVICE-NUMBER DPIDR
"""

import sys

import usb.core

number, dpidr = int(sys.argv[1]), int(sys.argv[2], 16)
device = usb.core.find(idVendor=0x1209, idProduct=0x0001, custom_match=lambda found: found.address == number)
for length in range(65):
    packet = bytes((index * 5 + length) & 0xFF for index in range(length))
    assert device.write(0x01, packet, 1000) == length
    received = bytes(device.read(0x81, 64, 1000))
    assert received == packet, f"sent {packet.hex()}, received {received.hex()}"
answer = bytes(device.ctrl_transfer(0xC0, 1, 0, 0, 4, 1000))
assert answer == dpidr.to_bytes(4, "little"), answer.hex()
try:
    device.ctrl_transfer(0xC0, 0x42, 0, 0, 4, 1000)
    sys.exit("a request that nobody knows was answered")
except usb.core.USBError as error:
    # A STALL, as Linux says it.
    assert error.errno == 32, error
