# The kernel's test driver against our virtual host controller and server; the device is served by the test harness.

case_usbtest() {
    timeout 120 /usr/bin/python3 "$here/usbtest.py" "$GADGET_PORT"
}
