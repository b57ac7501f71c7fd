"""Plugs in the device that Linux's usbtest driver knows, from a USB/IP server on the host, and runs the driver's tests.

usage: usbtest.py PORT
"""

import ctypes
import errno
import fcntl
import glob
import os
import socket
import struct
import sys
import time

# Row 14 of the first controller's ports, which no board has.
ROW = 14
# usbtest's tests that suit a device with bulk endpoints and control requests (Documentation of testusb.c).
TESTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 19, 20, 21, 24, 27, 28, 29]


class Parameters(ctypes.Structure):
    """struct usbtest_param_64"""

    _fields_ = [(name, ctypes.c_uint32) for name in ("test", "iterations", "length", "vary", "sglen")]
    _fields_ += [("seconds", ctypes.c_int64), ("microseconds", ctypes.c_int64)]


class Ioctl(ctypes.Structure):
    """struct usbdevfs_ioctl"""

    _fields_ = [("interface", ctypes.c_int), ("code", ctypes.c_int), ("data", ctypes.c_void_p)]


def iowr(kind, number, size):
    return 3 << 30 | size << 16 | ord(kind) << 8 | number


def attach(port):
    connection = socket.create_connection(("10.0.2.2", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(struct.pack(">HHI32s", 0x0111, 0x8003, 0, b"1-1"))
    answer = connection.recv(320, socket.MSG_WAITALL)
    if answer[4:8] != bytes(4):
        sys.exit(f"the server refused: {answer.hex()}")
    bus, device, speed = struct.unpack(">III", answer[8 + 288 : 8 + 300])
    with open("/sys/devices/platform/vhci_hcd.0/attach", "w") as file:
        file.write(f"{ROW} {connection.fileno()} {bus << 16 | device} {speed}")
    return connection


def node():
    for _ in range(100):
        for driver in glob.glob("/sys/bus/usb/drivers/usbtest/*:*"):
            device = os.path.dirname(os.path.realpath(driver))
            number = [int(open(f"{device}/{name}").read()) for name in ("busnum", "devnum")]
            return "/dev/bus/usb/{:03}/{:03}".format(*number)
        time.sleep(0.1)
    sys.exit("usbtest did not bind to the device")


def main():
    connection = attach(int(sys.argv[1]))
    file = os.open(node(), os.O_RDWR)
    failed = []
    for test in TESTS:
        # Tests 14 and 21 vary the length and want a step smaller than it.
        vary = 61 if test in (14, 21) else 512
        length = 512 if test in (9, 10, 14, 21) else 1024
        parameters = Parameters(test, 20, length, vary, 8)
        request = Ioctl(0, iowr("U", 100, ctypes.sizeof(Parameters)), ctypes.addressof(parameters))
        started = time.monotonic()
        try:
            fcntl.ioctl(file, iowr("U", 18, ctypes.sizeof(Ioctl)), request)
            print(f"test {test}: {time.monotonic() - started:.3f} s", flush=True)
        except OSError as error:
            print(f"test {test}: {errno.errorcode[error.errno]}", flush=True)
            failed.append(test)
    connection.close()
    if failed:
        sys.exit(f"failed: {failed}")


main()
