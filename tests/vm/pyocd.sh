# pyOCD 0.46, over CMSIS-DAP v2 (its choice) and v1.

warm_up_pyocd

case_list_v2() { list; }
case_list_v1() { list -O cmsis_dap.prefer_v1=true; }
case_reads_v2() { reads; }
case_reads_v1() { reads -O cmsis_dap.prefer_v1=true; }
case_flash_and_reset_v2() { flash_and_reset; }
case_flash_and_reset_v1() { flash_and_reset -O cmsis_dap.prefer_v1=true; }
# By its flash algorithm, page after page, and by CTRL-AP.
case_erase_chip_v2() { erase --chip; }
case_erase_chip_v1() { erase --chip -O cmsis_dap.prefer_v1=true; }
case_erase_mass_v1() { erase --mass -O cmsis_dap.prefer_v1=true; }
case_commander_v2() { commander; }
case_commander_v1() { commander -O cmsis_dap.prefer_v1=true; }
case_gdbserver_v2() { gdbserver; }
case_gdbserver_v1() { gdbserver -O cmsis_dap.prefer_v1=true; }

list() {
    pyocd list "$@" >list.txt
    cat list.txt
    grep -q 'BBC micro:bit' list.txt
    grep -q "$(serial_numbers | sed -n 1p)" list.txt
    grep -q nrf52833 list.txt
}

# FICR: page size, page count, part (Product Specification v1.5, 4.4.1).
reads() {
    pyocd commander "$@" -c 'read32 0x10000010 8' -c 'read32 0x10000100' >reads.txt
    cat reads.txt
    grep -q '10000010: *00001000 *00000080' reads.txt
    grep -q '10000100: *00052833' reads.txt
}

flash_and_reset() {
    expect_greeting pyocd flash "$@" "$firmware/demo.hex"
    expect_greeting pyocd reset "$@"
}

# erase HOW [OPTION…]
erase() {
    pyocd flash "${@:2}" "$firmware/demo.hex"
    pyocd erase "$@"
    pyocd commander "${@:2}" -c 'read32 0x0 16' -c 'read32 0x7fff0 16' >erased.txt
    cat erased.txt
    [ "$(grep -o ffffffff erased.txt | wc -l)" -eq 8 ]
}

commander() {
    pyocd commander "$@" -c halt -c 'write32 0x20000100 0x12345678 0x9abcdef0' -c 'read8 0x20000100 8' \
        -c 'read16 0x20000102' -c 'wreg r3 0xdeadbeef' -c 'reg r3' -c status >commander.txt
    cat commander.txt
    grep -q '20000100: *78 56 34 12  *f0 de bc 9a' commander.txt
    grep -q '20000102: *1234' commander.txt
    grep -qi 'r3.*deadbeef' commander.txt
    grep -qi 'halted' commander.txt
}

gdbserver() {
    pyocd flash "$@" "$firmware/debuggee.elf"
    pyocd gdbserver "$@" --port 3333 --telnet-port 0 >server.txt 2>&1 &
    until_ok 40 grep -q 'GDB server listening on port 3333' server.txt
    debug_with_gdb 3333 'monitor reset halt' || { cat server.txt; return 1; }
}
