# Drag and drop, and the serial port.

case_cp_and_sync() {
    drop() { cp "$firmware/demo.hex" "$drive"; sync; }
    expect_greeting after_remount drop
    no_failure
}

case_dd() {
    after_remount dd if="$firmware/echo-115200.hex" of="$drive/echo.hex" bs=512 conv=fsync
    no_failure
}

case_dd_direct() {
    drop() { dd if="$firmware/echo-115200.hex" of="$drive/echo.hex" bs=4096 oflag=direct; sync; }
    after_remount drop
    no_failure
}

case_shutil() {
    drop() { /usr/bin/python3 -c 'import shutil, sys; shutil.copy(*sys.argv[1:])' "$firmware/demo.hex" "$drive/program.hex"; }
    expect_greeting after_remount drop
    no_failure
}

case_interrupted_copy_then_a_good_one() {
    drop() { head -c 2000 "$firmware/demo.hex" >"$drive/half.hex"; sync; }
    after_remount drop
    grep -q '^error: ' "$drive/FAIL.TXT"
    grep -q '^type: ' "$drive/FAIL.TXT"
    cat "$drive/FAIL.TXT"
    good() { cp "$firmware/demo.hex" "$drive"; sync; }
    expect_greeting after_remount good
    no_failure
}

case_wrong_file() {
    drop() { printf 'This is no program.\n%.0s' {1..100} >"$drive/letter.txt"; sync; }
    local before
    before=$(remount_count)
    drop
    # A text file is none of the board's business: the drive may or may not come back, but it stays usable.
    until_ok 5 remounted "$before" || true
    until_ok 10 test -e "$drive/DETAILS.TXT"
}

case_echo_9600() { echo_at 9600; }
case_echo_115200() { echo_at 115200; }
case_echo_1000000() { echo_at 1000000; }

echo_at() {
    drop() { cp "$firmware/echo-$1.hex" "$drive"; sync; }
    after_remount drop "$1"
    no_failure
    /usr/bin/python3 "$here/echo.py" "$(serial_port)" "$1"
}

case_break_resets_the_target() {
    drop() { cp "$firmware/demo.hex" "$drive"; sync; }
    after_remount drop
    send_break() { /usr/bin/python3 -c 'import serial, sys; serial.Serial(sys.argv[1], 115200).send_break(0.1)' "$(serial_port)"; }
    expect_greeting send_break
}

case_reset_counts_in_details() {
    grep -q '^Unique ID: '"$(serial_numbers | sed -n 1p)" "$drive/DETAILS.TXT"
    grep -q '^Daplink Mode: Interface' "$drive/DETAILS.TXT"
}
