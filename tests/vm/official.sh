# Official interface firmware on emulated chips. $OFFICIAL names the images in the order of their boards' sockets, as far as
# they are there. Sourced by the files with the cases, one boot of the machine each.

images=${TWINBOARD_IMAGES:-${XDG_CACHE_HOME:-$HOME/.cache}/twinboard/images}

# official IMAGE VERSION CHIP SERIAL TARGET [BOOTLOADER]: all that a user would do with a board that runs it. SERIAL is the
# form of its serial number, TARGET the chip behind it.
official() {
    local image=$1 version=$2 chip=$3 form=$4 chip_behind=$5 bootloader=${6:-}
    local socket backend backends=(hid)
    [ -e "$images/$image" ] || skip "$image is missing"
    socket=$(grep -nxF "$image" <<<"${OFFICIAL// /$'\n'}" | cut -d: -f1)
    device=/sys/bus/usb/devices/1-$socket
    number=$(cat "$device/serial")
    grep -xE "$form" <<<"$number" >/dev/null

    descriptors "$device" >lsusb.txt
    /usr/bin/python3 "$here/daplink.py" lsusb "$version" "$chip" | diff - lsusb.txt

    # What differs from build to build is left open, but not that it is there.
    drive=$(drive_of "$number")
    tr -d '\r' <"$drive/DETAILS.TXT" | sed -E '
        s/^(Build|Build ID|Git SHA|Local Mods|Bootloader CRC|Interface CRC|Remount count): +.+/\1: …/' >details.txt
    /usr/bin/python3 "$here/daplink.py" details "$version" "$chip" "$number" $bootloader | diff - details.txt

    program=$(realpath "$here/../../firmware/$chip_behind/echo-115200.hex")
    drop() { cp "$program" "$drive"; sync; }
    after_new_medium drop
    no_failure
    # Up to 0249 a target stays halted after a drop while the settings page is erased.
    if [ "$version" -le 249 ]; then "$TWINBOARD" ctl - --board "$((socket - 1))" reset; fi
    /usr/bin/python3 "$here/echo.py" "$(serial_port "$number")" 115200

    if [ "$version" -ge 254 ]; then backends+=(usb_bulk); fi
    target=${chip_behind:0:5}
    for backend in "${backends[@]}"; do
        openocd_over "$backend" "adapter serial $number" init 'reset halt' "verify_image $program" 'reset run' shutdown \
            >"openocd-$backend.txt" || { cat "openocd-$backend.txt"; return 1; }
        cat "openocd-$backend.txt"
        grep -qE '^verified [1-9][0-9]* bytes' "openocd-$backend.txt"
    done
    # The debugger left it running.
    /usr/bin/python3 "$here/echo.py" "$(serial_port "$number")" 115200
}

# after_new_medium COMMAND…: runs the command and waits until the drive has come back with a new medium.
after_new_medium() {
    local disk before
    disk=/sys/block/$(basename "$(findmnt -n -o SOURCE "$drive")")/diskseq
    before=$(cat "$disk")
    "$@"
    new_medium() { [ "$(cat "$disk")" -gt "$before" ] && [ -e "$drive/DETAILS.TXT" ]; }
    until_ok 60 new_medium
}

# pyocd_reaches_all TARGET v1|v2…
pyocd_reaches_all() {
    [ -n "$OFFICIAL" ] || skip "no image is there"
    serial_numbers | "$environment/python" "$here/pyocd_all.py" "$1" "$here/../../firmware/$1/demo.hex" "${@:2}"
}
