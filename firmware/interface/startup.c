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

void systick(void);
void usb_irq(void);
void uart_irq(void);
void i2c_irq(void) __attribute__((weak, alias("halt")));
void power_irq(void) __attribute__((weak, alias("halt")));

typedef void (*vector)(void);

__attribute__((section(".vectors"), used))
static const vector vectors[16 + 48] = {
    (vector)&stack_end,
    reset,
    halt,               /* NMI */
    halt,               /* HardFault */
    [11] = halt,        /* SVCall */
    [14] = halt,        /* PendSV */
    [15] = systick,
    [16 + USB_IRQ] = usb_irq,
    [16 + UART_IRQ] = uart_irq,
#ifdef I2C_IRQ
    [16 + I2C_IRQ] = i2c_irq,
#endif
#ifdef POWER_IRQ
    [16 + POWER_IRQ] = power_irq,
#endif
};
