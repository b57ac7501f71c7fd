# A person acts on the board, through $TWINBOARD_CONTROL.

ctl() { "$TWINBOARD" ctl - "$@"; }

heart='0#0#0/#####/#####/0###0/00#00'

case_the_display_is_seen_from_inside() {
    drop() { cp "$firmware/demo.hex" "$drive"; sync; }
    after_remount drop
    no_failure
    ctl wait --screen "$heart" --ms 10000
    ctl screen | tee screen.txt
    [ "$(wc -l <screen.txt)" -eq 5 ]
    grep -q "9 power (red)" screen.txt
    ctl screen --png "$TWINBOARD_OUT/screen.png"
    [ "$(head -c 4 "$TWINBOARD_OUT/screen.png" | tail -c 3)" = PNG ]
}

case_the_target_is_talked_to_without_the_serial_port() {
    # Linux has set 9600 baud when it found the port.
    ctl serial send 'knock knock\r\n' --baud 115200 --expect 'knock knock' --ms 5000
    ctl serial >heard.txt
    grep -qF "$greeting" heard.txt
}

case_the_reset_button_starts_the_program_anew() { expect_greeting ctl reset; }

plugged() { [ -e "$drive/DETAILS.TXT" ] && serial_port; }
unplugged() { [ ! -e /sys/bus/usb/devices/1-1 ] && ! findmnt "$drive" && ! ls /dev/ttyACM*; }

case_the_cable_is_pulled_and_plugged_in_again() {
    local round
    for round in 1 2 3; do
        until_ok 30 plugged
        ctl unplug
        until_ok 30 unplugged
        ctl info | tee info.txt
        grep -q 'power no, USB cable out' info.txt
        ctl plug
        until_ok 30 plugged
    done
    dmesg | grep 'USB disconnect' >disconnects.txt
    ctl wait --screen "$heart" --ms 10000
    drop() { cp "$firmware/echo-115200.hex" "$drive"; sync; }
    after_remount drop
    ctl serial send 'once more' --baud 115200 --expect 'once more' --ms 5000
    no_failure
}

case_a_battery_keeps_the_program_running() {
    drop() { cp "$firmware/demo.hex" "$drive"; sync; }
    after_remount drop
    ctl battery on
    ctl unplug
    until_ok 30 unplugged
    ctl wait --screen "$heart" --ms 10000
    ctl plug
    until_ok 30 plugged
    ctl power off
    until_ok 30 unplugged
    ctl wait --powered off --ms 100
    ctl power on
    until_ok 30 plugged
}

case_what_cannot_be_done_is_refused() {
    local status=0
    ctl press C 2>refused.txt || status=$?
    [ "$status" -eq 2 ]
    grep -q 'this board has A, B' refused.txt
    status=0
    ctl wait --screen 99999/99999/99999/99999/99999 --ms 100 || status=$?
    [ "$status" -eq 1 ]
}
