# blhost (of the Python package spsdk) against the boot loader in the ROM of a micro:bit V2.00's KL27Z. TP1 is grounded,
# and nothing is in the chip's flash.

warm_up blhost spsdk.apps.blhost:safe_main

blhost() { $(warm blhost) -u 0x15a2,0x0073 -- "$@"; }
ctl() { "$TWINBOARD" ctl - "$@"; }

own=$(realpath "$here/../../firmware/kl27z/interface.bin")
full=${TWINBOARD_IMAGES:-${XDG_CACHE_HOME:-$HOME/.cache}/twinboard/images}/kl27z_bl_0255_if_0255_microbit_full_image.bin

# device VENDOR PRODUCT: such a device is on the bus.
device() { grep -lx "$1" /sys/bus/usb/devices/*/idVendor && grep -lx "$2" /sys/bus/usb/devices/*/idProduct; }
loader() { device 15a2 0073 && ls /dev/hidraw*; }
gone() { ! device 15a2 0073; }
replug() { ctl unplug; until_ok 30 gone; ctl plug; until_ok 30 loader; }

case_properties_are_told() {
    until_ok 30 loader
    blhost get-property 1 | tee version.txt
    grep -q 'Response status = 0 (0x0) Success' version.txt
    grep -q 'Response word 1 = 1258356736 (0x4b010000)' version.txt
    grep -q 'K1.0.0' version.txt
    blhost get-property 4 >size.txt
    grep -q '262144 (0x40000)' size.txt
}

# The procedure as it is written down for the board, with an image of our own.
case_an_erased_chip_is_programmed_and_read_back() {
    local size
    size=$(stat -c %s "$own")
    blhost flash-erase-all-unsecure | tee erase.txt
    grep -q 'Response status = 0 (0x0) Success' erase.txt
    replug
    blhost write-memory 0x0 "$own" | tee write.txt
    grep -q 'Response status = 0 (0x0) Success' write.txt
    blhost read-memory 0x0 "$size" dump.bin | tee read.txt
    cmp dump.bin "$own"
}

case_a_protected_flash_is_refused_with_status_104() {
    local status=0
    # FPROT, then a reset with TP1 still grounded.
    blhost flash-erase-all-unsecure
    printf '\xf0\xff\xff\xff' >fprot.bin
    blhost write-memory 0x408 fprot.bin
    replug
    blhost write-memory 0x1000 fprot.bin >refused.txt 2>&1 || status=$?
    cat refused.txt
    [ "$status" -eq 1 ]
    grep -q 'Response status = 104 (0x68)' refused.txt
    status=0
    blhost flash-erase-all >refused.txt 2>&1 || status=$?
    cat refused.txt
    [ "$status" -eq 1 ]
    grep -q 'Response status = 104 (0x68)' refused.txt
    blhost flash-erase-all-unsecure
}

own_runs() { device 1209 0001; }

case_a_reset_starts_the_new_image() {
    replug
    blhost write-memory 0x0 "$own"
    ctl pins BOOTCFG0 released
    blhost reset
    until_ok 30 own_runs
}

daplink_runs() { device 0d28 0204 && [ -e /media/MICROBIT/DETAILS.TXT ]; }

case_the_official_image_goes_in_the_same_way() {
    [ -e "$full" ] || skip "$full is missing"
    ctl pins BOOTCFG0 low
    replug
    blhost flash-erase-all-unsecure
    replug
    blhost write-memory 0x0 "$full"
    ctl pins BOOTCFG0 released
    blhost reset
    until_ok 60 daplink_runs
    cat /media/MICROBIT/DETAILS.TXT
    grep -q 'Interface Version: 0255' /media/MICROBIT/DETAILS.TXT
}
