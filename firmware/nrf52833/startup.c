/* What happens before main(): the vector table, and C's promises about variables. */
#include <stdint.h>

extern uint32_t stack_end, data_start, data_end, data_load, bss_start, bss_end;
int main(void);

void reset(void)
{
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
void mem_manage(void) __attribute__((weak, alias("halt")));
void bus_fault(void) __attribute__((weak, alias("halt")));
void usage_fault(void) __attribute__((weak, alias("halt")));
void systick(void) __attribute__((weak, alias("halt")));
void uarte0_irq(void) __attribute__((weak, alias("halt")));
void timer4_irq(void) __attribute__((weak, alias("halt")));

typedef void (*vector)(void);

__attribute__((section(".vectors"), used))
static const vector vectors[16 + 48] = {
    (vector)&stack_end,
    reset,
    halt,               /* NMI */
    hard_fault,
    mem_manage,
    bus_fault,
    usage_fault,
    [11] = halt,        /* SVCall */
    [14] = halt,        /* PendSV */
    [15] = systick,
    [16 + 2] = uarte0_irq,
    [16 + 27] = timer4_irq,
};
