@ Flash algorithm for nRF51 and nRF52, run from the target's RAM by the interface firmware.
@
@ The interface chip downloads the whole blob to 0x20000000 and calls it through the debug port: arguments in R0-R3,
@ return address 0x20000001, where a BKPT stops the core; R0 is the result, 0 for success. The offsets below are part
@ of that contract (models/src/daplink/flash/algorithm.rs).
@
@   0x00 breakpoint          0x28 erase_chip()
@   0x20 init()              0x4c erase_sector(address); from 0x10001000 on: the UICR
@   0x24 uninit()            0x7a program_page(address, size, buffer)
@
@ Code for ARMv6-M, position independent but for the registers it uses. While it waits for the flash it keeps a running
@ watchdog from biting.

        .syntax unified
        .cpu    cortex-m0
        .thumb
        .text

        .equ    NVMC_READY,     0x4001e400
        .equ    NVMC_CONFIG,    0x4001e504
        .equ    ERASEPAGE,      0x508 - 0x504   @ offsets from CONFIG
        .equ    ERASEALL,       0x50c - 0x504
        .equ    ERASEUICR,      0x514 - 0x504
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
        push    {r4, lr}
        movs    r0, #EEN
        bl      configure               @ r4 = NVMC_CONFIG
        movs    r0, #1
        str     r0, [r4, #ERASEALL]
        b       finish

        .org    0x4c
erase_sector:
        push    {r4, lr}
        movs    r5, r0                  @ r5 is the debugger's to lose
        movs    r0, #EEN
        bl      configure
        ldr     r0, =UICR
        cmp     r5, r0
        bhs     1f
        str     r5, [r4, #ERASEPAGE]
        b       finish
1:      movs    r0, #1
        str     r0, [r4, #ERASEUICR]
        b       finish

        .org    0x7a
program_page:
        push    {r4, lr}
        movs    r5, r0                  @ r5 to, r6 bytes left, r7 from
        movs    r6, r1
        movs    r7, r2
        movs    r0, #WEN
        bl      configure
1:      subs    r6, #4
        blo     finish
        ldm     r7!, {r0}
        stm     r5!, {r0}
        bl      wait
        b       1b

@ The end of every function: wait, forbid writing again, return 0.
finish: bl      wait
        movs    r0, #REN
        bl      configure
        movs    r0, #0
        pop     {r4, pc}

@ CONFIG = r0, r4 = its address, then wait.
configure:
        ldr     r4, =NVMC_CONFIG
        str     r0, [r4]

@ Waits until the flash is ready; changes r0-r3.
wait:   ldr     r3, =NVMC_READY
        ldr     r2, =WDT_RUNSTATUS
1:      ldr     r0, [r3]
        cmp     r0, #0
        bne     2f
        ldr     r0, [r2]
        cmp     r0, #0
        beq     1b

@ The watchdog runs: reload all eight registers (one that is not enabled ignores it).
        ldr     r0, =RELOAD
        ldr     r1, =WDT_RR0
        str     r0, [r1, #0x00]
        str     r0, [r1, #0x04]
        str     r0, [r1, #0x08]
        str     r0, [r1, #0x0c]
        str     r0, [r1, #0x10]
        str     r0, [r1, #0x14]
        str     r0, [r1, #0x18]
        str     r0, [r1, #0x1c]
        b       1b
2:      bx      lr

        .pool
