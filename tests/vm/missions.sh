# A program of many ways to go wrong (missions.c), debugged with gdb through both servers, and looked at with their own
# command lines while it sleeps or has locked up.

warm_up_pyocd

case_gdb_through_pyocd() {
    pyocd flash "$firmware/missions.elf"
    pyocd gdbserver --port 3333 --telnet-port 0 --semihosting -O semihost_console_type=console >server.txt 2>&1 &
    until_ok 120 grep -q 'GDB server listening on port 3333' server.txt
    missions_with_gdb 0
}

case_gdb_through_openocd() {
    openocd_on "program $firmware/missions.elf verify" 'reset halt' 'arm semihosting enable' 'cortex_m vector_catch hard_err' \
        >server.txt &
    until_ok 120 grep -q 'Listening on port 3333 for gdb connections' server.txt
    missions_with_gdb 1
    grep -q 'woken by steps 1$' part-sleep.txt
}

# `mission` is the program's first variable behind its initialised data; the numbers are those of `enum mission`.
case_pyocd_sees_sleep_and_halts_it() {
    pyocd flash "$firmware/missions.elf"
    pyocd commander -c reset -c 'sleep 50' -c "write32 $(address_of mission) 5" -c 'sleep 50' -c status -c halt -c status \
        -c 'reg pc' -c 'step 8' -c go -c 'sleep 50' -c status >status.txt
    cat status.txt
    [ "$(grep -c 'Core 0.*Sleeping' status.txt)" -eq 2 ]
    [ "$(grep -c 'Core 0.*Halted' status.txt)" -eq 1 ]
}

case_openocd_sees_lockup_and_halts_it() {
    openocd_on "program $firmware/missions.elf verify" 'reset run' 'sleep 50' "mww $(address_of mission) 11" 'sleep 50' \
        halt 'reg pc' 'reset halt' 'reg pc' shutdown >lockup.txt
    cat lockup.txt
    grep -q 'clearing lockup after double fault' lockup.txt
    grep -q 'pc (/32): 0xfffffffe' lockup.txt
    grep -q "pc (/32): 0x$(printf %08x "$(address_of reset)")" lockup.txt
}

case_rtt_through_pyocd() {
    pyocd flash "$firmware/rtt.elf"
    # It wants a terminal.
    sleep 300 | script -q -c "$(warm pyocd) rtt -a 0x20000000 -s 0x1000" rtt.txt >/dev/null &
    until_ok 120 grep -q 'round [0-9]' rtt.txt || { cat -A rtt.txt; return 1; }
}

case_rtt_through_openocd() {
    openocd_on "program $firmware/rtt.elf verify" 'reset run' 'sleep 50' 'rtt setup 0x20000000 0x1000 "SEGGER RTT"' \
        'rtt start' 'rtt server start 9090 0' >server.txt &
    until_ok 120 grep -q 'Control block found' server.txt
    exec 3<>/dev/tcp/127.0.0.1/9090
    # What does not fit into a full buffer is dropped, the echo too.
    while printf 'hello' >&3; do sleep 0.3; done &
    timeout 60 sed '/HELLO/q' <&3 >rtt.txt || { cat server.txt; cat -A rtt.txt; return 1; }
    cat rtt.txt
    grep -q '^round [0-9]' rtt.txt
    grep -q HELLO rtt.txt
}

# address_of SYMBOL: where it is in missions.elf.
address_of() {
    gdb-multiarch -batch -nx "$firmware/missions.elf" -ex "printf \"0x%x\\n\", (unsigned)&$1 & ~1" | tail -n 1
}

# missions_with_gdb STEPS: whether the server does single steps.
missions_with_gdb() {
    timeout 250 gdb-multiarch -batch -nx -ex "set tcp connect-timeout 30" -ex "file $firmware/missions.elf" \
        -ex "target extended-remote :3333" -ex "set \$server_steps = $1" -x "$here/missions.gdb" >gdb.txt 2>&1 || { cat gdb.txt server.txt; return 1; }
    cat gdb.txt server.txt
    # The parts of the session, each in a file of its own.
    awk '/^== / { part = $2; for (i = 3; i <= NF; i++) part = part "-" $i } part { print >("part-" part ".txt") }' gdb.txt

    grep -q '#1 *<signal handler called>' part-interrupt.txt
    grep -q '#2 .* in count ()' part-interrupt.txt
    [ "$(grep -c 'stepped in count 1' part-interrupt.txt)" -eq 10 ]
    grep -q 'ticks after stepping 1$' part-interrupt.txt
    grep -q 'rounds in RAM 1$' part-breakpoint-in-RAM.txt
    grep -q 'read while 0$' part-watchpoints.txt
    grep -q 'written, now 2$' part-watchpoints.txt
    # CFSR is BFARVALID and PRECISERR, or MMARVALID and DACCVIOL; HFSR is FORCED (ARMv7-M ARM, B3.2.15, B3.2.16).
    grep -q '^hard_fault ()' part-vector-catch.txt
    grep -q '#2 .*load (address=.*1744830464)' part-vector-catch.txt
    grep -q 'CFSR 00008200 HFSR 40000000 BFAR 68000000' part-vector-catch.txt
    grep -q '#2 .*load (address=.*1744830464)' part-bus-fault.txt
    grep -q 'CFSR 00008200 HFSR 00000000 BFAR 68000000' part-bus-fault.txt
    grep -q '#2 .* in store_to_guarded ()' part-memory-fault.txt
    grep -q "CFSR 00000082 HFSR 00000000 BFAR [0-9a-f]* MMFAR $(printf %08x $(($(address_of guarded) + 4)))" part-memory-fault.txt
    grep -q 'the target says hello' server.txt
}
