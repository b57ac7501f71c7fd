# Official interface firmware of a micro:bit V2 on the emulated KL27Z and nRF52820.
. "$here/official.sh"

on_v2_00() { official "$1" "$2" kl27z '99043602[0-9a-f]{24}000000009796990b' nrf52833 "${3:-}"; }
on_v2_2() { official "$1" "$2" nrf52820 '99063602[0-9a-f]{24}000000006e052820' nrf52833; }

case_0255_on_the_kl27z() { on_v2_00 0255_kl27z_microbit_0x8000.hex 0255; }
case_0255_with_its_bootloader() { on_v2_00 kl27z_bl_0255_if_0255_microbit_full_image.bin 0255 0255; }
case_0258_beta3_on_the_kl27z() { on_v2_00 0258-beta3_kl27z_microbit_if_crc_0004198_gcc.hex 0258; }
case_0256_on_the_nrf52820() { on_v2_2 0256_nrf52820_microbit_if_crc_5dd23001a7_gcc.hex 0256; }
case_0257_on_the_nrf52820() { on_v2_2 0257_nrf52820_microbit_if_crc_c782a5ba90_gcc.hex 0257; }
case_0258_beta3_on_the_nrf52820() { on_v2_2 0258-beta3_nrf52820_microbit_if_crc_0004198_gcc.hex 0258; }
case_pyocd_reaches_each_over_hid_and_bulk() { pyocd_reaches_all nrf52833 v1 v2; }
