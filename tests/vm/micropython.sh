# MicroPython as people use it: the REPL, microfs and uflash, on whichever micro:bit is plugged in. It is in the target's
# flash from the start.

case_a_scrolled_text_is_seen_picture_by_picture() {
    "$environment/python" "$here/pictures.py" "$(serial_port)" "$TWINBOARD" 'Hi, V2!'
}

case_repl() { "$environment/python" "$here/repl.py" "$(serial_port)"; }

case_microfs_puts_lists_and_gets() {
    seq 1 200 >numbers.txt
    "$environment/ufs" put numbers.txt
    "$environment/ufs" ls >list.txt
    cat list.txt
    grep -q 'numbers.txt' list.txt
    "$environment/ufs" get numbers.txt copy.txt
    cmp numbers.txt copy.txt
    "$environment/ufs" rm numbers.txt
    "$environment/ufs" ls >list.txt
    ! grep 'numbers.txt' list.txt
}

# uflash puts the script into both halves of its Universal Hex; the board takes its own half and runs the script, whose
# last words come after a scrolled text. This is the last case: after `import music`, V2's MicroPython 2.0.0-beta.5 crashes
# in one soft reboot of a dozen (docs/microbit-v2.md), and each command of ufs is one.
case_uflash_writes_a_script_that_runs() {
    cat >hello.py <<'END'
from microbit import *
import music
print('acceleration', *accelerometer.get_values())
print('field', compass.get_x(), compass.get_y(), compass.get_z())
print('temperature', temperature())
music.pitch(440, 500)
try:
    microphone.sound_level()        # the first one starts it
    sleep(500)
    print('sound', microphone.sound_level())
except NameError:
    print('no microphone')
display.scroll('Hi')
print('the script', 'has run')
END
    stty -F "$(serial_port)" 115200 raw -echo
    timeout 100 cat "$(serial_port)" >serial.txt &
    after_remount "$environment/uflash" hello.py
    no_failure
    until_ok 30 grep -qF 'the script has run' serial.txt || { cat -A serial.txt; return 1; }
    cat serial.txt
    grep -Eq '^acceleration -?[0-9]+ -?[0-9]+ -(9|10)[0-9]{2}' serial.txt     # it lies on the table
    grep -Eq '^field -?[0-9]+ -?[0-9]+ -?[0-9]+' serial.txt
    grep -Eq '^temperature [1-4]?[0-9]' serial.txt
    # A loud tone plays to the microphone. What the speaker played is judged when the machine has ended.
    case $("$TWINBOARD" ctl - info) in
        *V1*) grep -q '^no microphone' serial.txt ;;
        *) grep -Eq '^sound (1[5-9][0-9]|2[0-5][0-9])' serial.txt ;;
    esac
}
