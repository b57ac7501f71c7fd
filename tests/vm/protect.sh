# A chip of the hardened kind (build code AAB0), whose access port is closed at power-on: the tools refuse, and recover it.

warm_up_pyocd

case_pyocd_refuses_and_its_flash_command_unlocks() {
    protect
    pyocd commander -c 'read32 0' >refused.txt 2>&1 && { cat refused.txt; return 1; }
    grep -q 'APPROTECT enabled: not automatically unlocking' refused.txt
    pyocd flash "$firmware/demo.hex" 2>&1 | tee flash.txt
    # It writes UICR.APPROTECT = HwDisabled, so that a program that opens its side keeps the port open.
    pyocd commander -c 'read32 0x10001208' -c 'read32 0' >open.txt
    cat open.txt
    grep -q '10001208: *0000005a' open.txt
    grep -q '00000000: *20020000' open.txt
}

case_openocd_refuses_and_recovers() {
    protect
    openocd_on init 'reset halt' 'mdw 0' shutdown >refused.txt && { cat refused.txt; return 1; }
    openocd_on init nrf52_recover 'sleep 10' 'mdw 0' shutdown >recovered.txt || { cat recovered.txt; return 1; }
    cat recovered.txt
    grep -q '0x00000000: ffffffff' recovered.txt
    openocd_on "program $firmware/demo.hex verify reset exit" >program.txt
    grep -q 'Verified OK' program.txt
}

case_probe_rs_refuses_and_recovers_if_allowed() {
    find_probe_rs
    protect
    "$probe_rs" download --chip nRF52833_xxAA --non-interactive "$firmware/missions.elf" >refused.txt 2>&1 &&
        { cat refused.txt; return 1; }
    "$probe_rs" download --chip nRF52833_xxAA --non-interactive --allow-erase-all --verify "$firmware/missions.elf"
}

# Writes UICR.APPROTECT = Enabled (Product Specification v1.5, 4.5.1.4), which needs no erase, and lets a reset read it. A chip that is
# closed already says so.
protect() {
    openocd_on init 'reset halt' 'flash fillw 0x10001208 0 1' reset shutdown >protect.txt ||
        grep -q 'AP lock engaged' protect.txt || { cat protect.txt; return 1; }
}
