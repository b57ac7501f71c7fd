# Two boards with MicroPython within earshot.

case_micropython_talks_by_radio() {
    local ports=() number
    for number in $(serial_numbers); do ports+=("$(serial_port "$number")"); done
    timeout 120 /usr/bin/python3 "$here/radio.py" "${ports[@]}"
}
