/* What happens before main(): the vector table, and C's promises about variables. */
#include "nrf51822.h"

extern uint32_t stack_end, data_start, data_end, data_load, bss_start, bss_end;
int main(void);

void reset(void)
{
    POWER_RAMON |= 3;
    for (uint32_t *to = &data_start, *from = &data_load; to < &data_end;)
        *to++ = *from++;
    for (uint32_t *to = &bss_start; to < &bss_end;)
        *to++ = 0;
    main();
    for (;;)
        ;
}

static void halt(void)
{
    for (;;)
        ;
}

/* A program defines those that it needs. */
void hard_fault(void) __attribute__((weak, alias("halt")));
void systick(void) __attribute__((weak, alias("halt")));
void uart0_irq(void) __attribute__((weak, alias("halt")));
void timer1_irq(void) __attribute__((weak, alias("halt")));

typedef void (*vector)(void);

__attribute__((section(".vectors"), used))
static const vector vectors[16 + 32] = {
    (vector)&stack_end,
    reset,
    halt,               /* NMI */
    hard_fault,
    [11] = halt,        /* SVCall */
    [14] = halt,        /* PendSV */
    [15] = systick,
    [16 + UART0_IRQ] = uart0_irq,
    [16 + TIMER1_IRQ] = timer1_irq,
};
