# What the cases share. A pipe never ends in `grep -q`: it may leave before its writer has finished, and with pipefail that
# writer's SIGPIPE would be the verdict.

firmware=$(realpath "$here/../../firmware/nrf52833")
drive=/media/MICROBIT
greeting="Hello from the micro:bit's nRF52833!"
environment=${XDG_CACHE_HOME:-$HOME/.cache}/twinboard/venv/bin
board=0d28:0204

# warm_up TOOL MODULE:FUNCTION: imports a Python tool, for `warm TOOL` to be quick. For files that use it many times.
warm_up() {
    "$environment/python" "$here/warm.py" serve "/tmp/$1.socket" "$2" >"$TWINBOARD_OUT/$1.log" 2>&1 &
    disown
    until [ -S "/tmp/$1.socket" ]; do sleep 0.1; done
}

# warm TOOL: the command that runs it.
warm() { echo /usr/bin/python3 -I -S "$here/warm.py" ask "/tmp/$1.socket" "$1"; }

pyocd() { $(warm pyocd) "$@"; }
warm_up_pyocd() { warm_up pyocd pyocd.__main__:main; }

# skip REASON: leaves the case.
skip() { set +x; echo "$*"; exit 77; }

# Ends what a case left running, so that the next one finds the board free. Under `set -m` each job is a process group.
end_background_jobs() {
    { set +x; } 2>/dev/null
    local job
    for job in $(jobs -p); do kill -KILL -- "-$job" 2>/dev/null || true; done
    wait || true
}

# until_ok SECONDS COMMAND…: repeats the command until it succeeds.
until_ok() {
    { set +x; } 2>/dev/null         # a trace of every attempt would bury the rest
    local limit=$((${EPOCHREALTIME/./} + $1 * 1000000)) status=0; shift
    until "$@"; do
        [ "${EPOCHREALTIME/./}" -lt "$limit" ] || { status=1; break; }
        sleep 0.1
    done
    set -x
    return "$status"
}

# openocd_on COMMAND…: with the board's target, its output in one stream. The target is $target, by default an nRF52.
openocd_on() {
    local arguments=() command
    for command in "$@"; do arguments+=(-c "$command"); done
    openocd -f interface/cmsis-dap.cfg -c 'transport select swd' -f "target/${target:-nrf52}.cfg" "${arguments[@]}" 2>&1
}

# openocd_over BACKEND COMMAND…: the backend is hid (CMSIS-DAP v1) or usb_bulk (v2).
openocd_over() {
    local backend=$1; shift
    openocd_on "cmsis_dap_backend $backend" "$@"
}

# find_probe_rs: sets probe_rs, or skips the case.
find_probe_rs() {
    probe_rs=$(PATH=$PATH:$HOME/.cargo/bin command -v probe-rs) ||
        skip "probe-rs is not installed (cargo install probe-rs-tools --locked)"
}

# The serial port of the board, or of the board with the given serial number.
serial_port() { ls /dev/serial/by-id/usb-*"${1:-}"-if01; }

# The serial numbers of all boards, one per line, in the order of their sockets.
serial_numbers() {
    local device
    for device in $(ls -d /sys/bus/usb/devices/1-* | grep -v : | sort -V); do cat "$device/serial"; done
}

# The drive of the board with a serial number.
drive_of() { findmnt -n -o TARGET "$(realpath /dev/disk/by-id/usb-MBED_*VFS_"$1"-0:0)"; }

# descriptors DEVICE: what `lsusb -v` says of the device with that directory below /sys. Names of classes and makers are
# left out: they depend on the data base that is installed.
descriptors() {
    lsusb -v -s "$(cat "$1/busnum"):$(cat "$1/devnum")" 2>lsusb-errors.txt | sed -E '
        s/[[:space:]]+/ /g; s/^ //; s/ $//; /^$/d; /^Bus /d; /^iSerial /d
        s/^((b(Device|Interface|Function)(Class|SubClass|Protocol)|id(Vendor|Product)|bCountryCode|bDescriptorType) [^ ]+) .*/\1/
    '
}

remount_count() { sed -n 's/^Remount count: \([0-9]*\).*/\1/p' "${1:-$drive}/DETAILS.TXT"; }

# remounted COUNT [DRIVE]: the drive is there, and it is not the one with that remount count any more.
remounted() {
    local now
    now=$(remount_count "${2:-$drive}" 2>/dev/null) && [ -n "$now" ] && [ "$now" != "$1" ]
}

# after_remount COMMAND…: runs the command and waits until the drive has gone and come back.
after_remount() {
    local before
    before=$(remount_count)
    "$@"
    until_ok 60 remounted "$before"
}

# expect_greeting COMMAND…: listens on the serial port while the command runs; the program must say its name. The port is
# open before the command begins: a line that is set up later clears what was on its way.
expect_greeting() {
    local output=serial.txt port listener
    exec {port}<"$(serial_port)"
    stty 115200 raw -echo <&"$port"
    timeout 60 cat <&"$port" >"$output" &
    listener=$!
    exec {port}<&-
    "$@"
    until_ok 10 grep -qF "$greeting" "$output" || { echo "serial output was:"; cat -A "$output"; return 1; }
    kill -- "-$listener" || true    # it may have ended when the line was hung up
    wait "$listener" || true
}

no_failure() { [ ! -e "$drive/FAIL.TXT" ] || { cat "$drive/FAIL.TXT"; return 1; }; }

# debug_with_gdb PORT RESET: a session with the program debuggee.c, whose symbols tell where we are.
debug_with_gdb() {
    timeout 120 gdb-multiarch -batch -nx \
        -ex "set confirm off" -ex "set pagination off" -ex "set width 0" -ex "set tcp connect-timeout 30" \
        -ex "file $firmware/debuggee.elf" -ex "target extended-remote :$1" -ex "$2" \
        -ex 'printf "after reset in %s\n", ($pc & ~1) == ((unsigned)reset & ~1) ? "reset" : "the wrong place"' \
        -ex 'break deeper' -ex continue -ex 'printf "first n %u\n", n' -ex backtrace \
        -ex continue -ex 'printf "second n %u\n", n' \
        -ex step -ex step -ex 'printf "stepped to watched %u\n", watched' \
        -ex 'delete' -ex 'watch watched' -ex continue -ex 'printf "watched became %u\n", watched' \
        -ex 'delete' -ex 'tbreak deep' -ex continue -ex finish \
        -ex "$2" -ex 'info registers pc sp xpsr' -ex 'x/2xw 0' -ex detach >gdb.txt 2>&1 || { cat gdb.txt; return 1; }
    cat gdb.txt
    grep -q 'after reset in reset' gdb.txt
    grep -q 'first n 2$' gdb.txt
    grep -q '#0 .*deeper (n=2)' gdb.txt
    grep -q '#1 .*deep (n=1)' gdb.txt
    grep -q '#2 .*main ()' gdb.txt
    grep -q 'second n 4$' gdb.txt
    grep -q 'stepped to watched 4' gdb.txt
    grep -q 'watched became 6' gdb.txt
    grep -q 'Value returned is' gdb.txt
}
