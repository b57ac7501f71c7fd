# Three boards at once.

warm_up_pyocd

case_told_apart_by_serial_number() {
    serial_numbers >numbers.txt
    [ "$(sort -u numbers.txt | wc -l)" -eq 3 ]
    local number
    while read -r number; do
        serial_port "$number"
        ls /dev/disk/by-id/usb-MBED_VFS_"$number"-0:0
    done <numbers.txt
    pyocd list >list.txt
    while read -r number; do grep -q "$number" list.txt; done <numbers.txt
}

case_flashed_at_the_same_time() {
    local number drives=() before=() jobs=() n=0
    for number in $(serial_numbers); do
        drives+=("$(drive_of "$number")")
        before+=("$(remount_count "${drives[n]}")")
        stty -F "$(serial_port "$number")" 115200 raw -echo
        timeout 90 cat "$(serial_port "$number")" >"greeting$n.txt" &
        n=$((n + 1))
    done
    for n in 0 1 2; do
        (cp "$firmware/demo.hex" "${drives[n]}"; sync -f "${drives[n]}") &
        jobs+=($!)
    done
    wait "${jobs[@]}"
    for n in 0 1 2; do
        until_ok 60 remounted "${before[n]}" "${drives[n]}"
        [ ! -e "${drives[n]}/FAIL.TXT" ]
        until_ok 10 grep -qF "$greeting" "greeting$n.txt"
    done
}

case_pyocd_reaches_the_one_it_is_told() {
    local number
    number=$(serial_numbers | tail -n 1)
    pyocd commander -u "$number" -c halt -c 'write32 0x20000100 0x600df00d'
    pyocd commander -u "$number" -c 'read32 0x20000100' | tee read.txt
    grep -q 600df00d read.txt
    number=$(serial_numbers | sed -n 1p)
    pyocd commander -u "$number" -c 'read32 0x20000100' | tee read.txt
    if grep -q 600df00d read.txt; then return 1; fi
}
