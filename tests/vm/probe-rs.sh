# probe-rs as cargo installs it. Compiling it takes longer than all other tests in the machine, so it is not a part of their
# setup: the cases are skipped where it is not there.

case_info_knows_the_chip() {
    find_probe_rs
    "$probe_rs" list | tee list.txt
    grep -q "BBC micro:bit CMSIS-DAP.*$(serial_numbers | sed -n 1p)" list.txt
    "$probe_rs" info --protocol swd 2>&1 | tee info.txt
    grep -q nRF52833_xxAA info.txt
}

case_download_verify_reset() {
    find_probe_rs
    "$probe_rs" download --chip nRF52833_xxAA --binary-format hex --verify "$firmware/demo.hex"
    expect_greeting "$probe_rs" reset --chip nRF52833_xxAA
}

# The program prints twenty rounds through RTT and then calls SYS_EXIT.
case_run_shows_rtt_and_ends_with_semihosting() {
    find_probe_rs
    timeout 60 "$probe_rs" run --chip nRF52833_xxAA "$firmware/rtt-exit.elf" >run.txt 2>&1 || { cat run.txt; return 1; }
    cat run.txt
    [ "$(grep -c 'round [0-9]' run.txt)" -eq 20 ]
    grep -q 'Firmware exited successfully' run.txt
}

case_attach_joins_a_running_program() {
    find_probe_rs
    "$probe_rs" download --chip nRF52833_xxAA "$firmware/rtt.elf"
    "$probe_rs" reset --chip nRF52833_xxAA
    "$probe_rs" attach --chip nRF52833_xxAA "$firmware/rtt.elf" >attach.txt 2>&1 &
    until_ok 60 grep -q 'round [0-9][0-9]' attach.txt || { cat attach.txt; return 1; }
}
