# One session with missions.elf, after `file` and `target`: what a user looks at when a program is interrupted, misbehaves or
# sleeps. The cases that run it know what must be in its output.
set confirm off
set pagination off
set width 0
# The system registers are in no server's memory map.
set mem inaccessible-by-default off

# Lets the program start anew, and sends it on a mission from where it waits.
define go
    delete
    monitor reset halt
    tbreak idle
    continue
    set var mission = $arg0
    delete
end
define show_faults
    printf "CFSR %08x HFSR %08x BFAR %08x MMFAR %08x\n", *(unsigned *)0xE000ED28, *(unsigned *)0xE000ED2C, *(unsigned *)0xE000ED38, *(unsigned *)0xE000ED34
end

echo == interrupt\n
go COUNT_AND_TICK
break systick
continue
backtrace
delete
finish
# Far more cycles than between two ticks pass while a person steps: the handler must not get in between.
set $steps = 0
while $steps < 10
    stepi
    printf "stepped in count %d\n", $pc - ((unsigned)count & ~1) < 16
    set $steps = $steps + 1
end
printf "ticks after stepping %u\n", ticks

echo == breakpoint in RAM\n
go COUNT_IN_RAM
break count_in_ram
continue
continue
printf "rounds in RAM %u\n", counter

echo == watchpoints\n
go COUNT
rwatch counter
continue
printf "read while %u\n", counter
delete
watch counter
continue
continue
printf "written, now %u\n", counter

echo == vector catch\n
go ESCALATE
continue
backtrace
show_faults

echo == bus fault\n
go LOAD_FROM_NOWHERE
break bus_fault
continue
backtrace
show_faults

echo == memory fault\n
go STORE_TO_GUARDED
break mem_manage
continue
backtrace
show_faults

echo == semihosting\n
go CALL_THE_DEBUGGER
break idle
continue

# With a server that does not offer single steps gdb sets a breakpoint behind the WFI and lets the core run into it, to sleep for
# ever: pyOCD 0.46.
if $server_steps
    echo == sleep\n
    go SLEEP_FOR_EVER
    break sleep
    continue
    delete
    set $steps = 0
    while $steps < 20
        stepi
        set $steps = $steps + 1
    end
    printf "woken by steps %d\n", woken > 0 && woken < 20
end
detach
