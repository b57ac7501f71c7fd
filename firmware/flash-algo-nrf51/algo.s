@ Flash algorithm for nRF51, run from the target's RAM by the interface firmware.
@
@ The interface chip downloads the whole blob to 0x20000000 and calls it through the debug port: arguments in R0-R3,
@ return address 0x20000001, where a BKPT stops the core; R0 is the result, 0 for success. The offsets below are part
@ of that contract (models/src/daplink/flash/algorithm.rs), and leave 0x20 bytes for chip erase and 0x28 for a page.
@
@   0x00 breakpoint          0x28 erase_chip()
@   0x20 init()              0x48 erase_sector(address); from 0x10001000 on: the UICR
@   0x24 uninit()            0x70 program_page(address, size, buffer)
@
@ Code for ARMv6-M. While it waits for the flash it keeps a running watchdog from biting: the nRF51's cannot be stopped
@ once it runs, and a halted core does not stop it unless CONFIG.HALT says so.

        .syntax unified
        .cpu    cortex-m0
        .thumb
        .text

        .equ    NVMC,           0x4001e500
        .equ    CONFIG,         0x04
        .equ    ERASEPAGE,      0x08
        .equ    ERASEALL,       0x0c
        .equ    ERASEUICR,      0x14
        .equ    NVMC_READY,     0x4001e400
        .equ    WDT_RUNSTATUS,  0x40010400
        .equ    WDT_RR0,        0x40010600
        .equ    RELOAD,         0x6e524635
        .equ    UICR,           0x10001000
        .equ    REN, 0
        .equ    WEN, 1
        .equ    EEN, 2

        .org    0x00
        bkpt    #0

        .org    0x20
init:   movs    r0, #0
        bx      lr

        .org    0x24
uninit: movs    r0, #0
        bx      lr

        .org    0x28
erase_chip:
        push    {lr}
        movs    r0, #EEN
        bl      allow                   @ r4 = NVMC
        movs    r0, #1
        str     r0, [r4, #ERASEALL]
        b       done

        .org    0x48
erase_sector:
        push    {lr}
        movs    r5, r0
        movs    r0, #EEN
        bl      allow
        movs    r0, #1
        lsls    r0, r0, #28             @ code and UICR are on either side of this
        cmp     r5, r0
        bhs     1f
        str     r5, [r4, #ERASEPAGE]
        b       done
1:      movs    r0, #1
        str     r0, [r4, #ERASEUICR]
        b       done

        .org    0x70
program_page:
        push    {lr}
        adds    r3, r2, r1              @ r2 from, r3 its end
        movs    r5, r0                  @ r5 to
        movs    r6, r2
        movs    r7, r3
        movs    r0, #WEN
        bl      allow
1:      cmp     r6, r7
        bhs     done
        ldm     r6!, {r0}
        stm     r5!, {r0}
        bl      ready
        b       1b

@ The end of every function: wait, make the flash read-only, return 0.
done:   bl      ready
        movs    r0, #REN
        str     r0, [r4, #CONFIG]
        movs    r0, #0
        pop     {pc}

@ CONFIG = r0; r4 = NVMC.
allow:  ldr     r4, =NVMC
        str     r0, [r4, #CONFIG]

@ Waits until the flash is ready; changes r0-r3.
ready:  ldr     r1, =NVMC_READY
        ldr     r2, =WDT_RUNSTATUS
1:      ldr     r0, [r2]
        cmp     r0, #0
        beq     3f
        ldr     r0, =WDT_RR0            @ reload all eight registers; one that is not enabled ignores it
        ldr     r3, =RELOAD
        movs    r2, #0
2:      str     r3, [r0, r2]
        adds    r2, #4
        cmp     r2, #32
        bne     2b
        ldr     r2, =WDT_RUNSTATUS
3:      ldr     r0, [r1]
        cmp     r0, #0
        beq     1b
        bx      lr

        .pool
