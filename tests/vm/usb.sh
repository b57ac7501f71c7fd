# How the board presents itself to Linux.

case_lsusb_shows_the_original_s_descriptors() {
    descriptors /sys/bus/usb/devices/1-1 >lsusb.txt
    /usr/bin/python3 "$here/daplink.py" lsusb 0257 nrf52820 | diff - lsusb.txt
}

# Board id, family, 32 digits of the chip's own, HIC id.
case_serial_number_has_the_original_s_form() {
    serial_numbers | grep -xE '990[56]3602[0-9a-f]{24}000000006e052820' >/dev/null
}

case_drivers_are_bound_and_names_are_there() {
    local serial interface number driver
    serial=$(serial_numbers)
    for interface in 0=usb-storage 1=cdc_acm 2=cdc_acm 3=usbhid; do
        number=${interface%=*} driver=${interface#*=}
        [ "$(basename "$(realpath /sys/bus/usb/devices/1-1:1."$number"/driver)")" = "$driver" ]
    done
    [ "$(realpath "/dev/serial/by-id/usb-Arm_BBC_micro:bit_CMSIS-DAP_$serial-if01")" = /dev/ttyACM0 ]
    [ "$(realpath "/dev/disk/by-id/usb-MBED_VFS_$serial-0:0")" = /dev/sda ]
    [ "$(realpath /dev/disk/by-label/MICROBIT)" = /dev/sda ]
    mountpoint "$drive"
    grep -q "^Unique ID: $serial" "$drive/DETAILS.TXT"
}

case_reset_by_a_program_keeps_the_mount() {
    /usr/bin/python3 - /dev/bus/usb/001/"$(printf '%03d' "$(cat /sys/bus/usb/devices/1-1/devnum)")" <<'PYTHON'
import fcntl, sys
USBDEVFS_RESET = ord("U") << 8 | 20
fcntl.ioctl(open(sys.argv[1], "wb"), USBDEVFS_RESET)
PYTHON
    cat "$drive/DETAILS.TXT" >/dev/null
    until_ok 5 test -e "$(serial_port)"
}

# Unplugging as far as Linux can do it, and plugging in again.
case_another_configuration_and_back() {
    echo 0 >/sys/bus/usb/devices/1-1/bConfigurationValue
    until_ok 5 test ! -e /dev/ttyACM0
    echo 1 >/sys/bus/usb/devices/1-1/bConfigurationValue
    until_ok 5 test -e /dev/ttyACM0
    until_ok 5 mountpoint "$drive"
}
