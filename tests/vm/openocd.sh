# OpenOCD 0.12 as Debian ships it, over bulk (CMSIS-DAP v2) and HID (v1).

case_program_verify_reset_bulk() { program usb_bulk; }
case_program_verify_reset_hid() { program hid; }
case_flash_banks_bulk() { flash_banks usb_bulk; }
case_flash_banks_hid() { flash_banks hid; }
case_gdb_bulk() { gdb usb_bulk; }
case_gdb_hid() { gdb hid; }
case_recover_a_protected_target_bulk() { recover usb_bulk; }
case_recover_a_protected_target_hid() { recover hid; }

program() {
    expect_greeting openocd_over "$1" "program $firmware/demo.hex verify reset exit" | tee program.txt
    grep -q 'Verified OK' program.txt
}

flash_banks() {
    openocd_over "$1" init 'flash probe 0' 'echo [flash banks]' 'flash info 0' shutdown >banks.txt
    cat banks.txt
    grep -q 'nrf52.flash (nrf5) at 0x00000000, size 0x00080000' banks.txt
    grep -q 'nRF52833' banks.txt
}

gdb() {
    openocd_over "$1" "program $firmware/debuggee.elf verify" 'reset halt' >server.txt &
    until_ok 40 grep -q 'Listening on port 3333 for gdb connections' server.txt
    debug_with_gdb 3333 'monitor reset halt' || { cat server.txt; return 1; }
}

# Writes UICR.APPROTECT (Product Specification v1.5, 4.5.1.4), after which only the CTRL-AP answers.
recover() {
    openocd_over "$1" init 'reset halt' 'flash fillw 0x10001208 0xffffff00 1' reset shutdown
    openocd_over "$1" init 'reset halt' 'mdw 0' shutdown >protected.txt && { cat protected.txt; return 1; }
    openocd_over "$1" init nrf52_recover shutdown
    program "$1"
}
