# Official interface firmware of a micro:bit V1 on the emulated KL26Z.
. "$here/official.sh"

on_v1() { official "$1" "$2" kl26z '99000000[0-9a-f]{24}0000000097969901' nrf51822; }

on_v1_0234() { official "$1" 0234 kl26z '99000234[0-9a-f]{40}' nrf51822; }

case_0234_on_the_kl26z() { on_v1_0234 0234_kl26z_microbit_0x8000.hex; }
case_0234_with_its_bootloader() { on_v1_0234 kl26z_bl_if_BL0233_IF0234.hex; }
case_0241_on_the_kl26z() { on_v1 0241_kl26z_microbit_0x8000.hex 0241; }
case_0249_on_the_kl26z() { on_v1 0249_kl26z_microbit_0x8000.hex 0249; }
case_0253_on_the_kl26z() { on_v1 0253_kl26z_microbit_0x8000.hex 0253; }
case_pyocd_reaches_each_over_hid() { pyocd_reaches_all nrf51822 v1; }
