/* The target's DPIDR over two pins (ADIv5.2, chapter "The Serial Wire Debug Port"). The line changes while the clock is
 * low, and is looked at before it rises. */
#include "chip.h"
#include "swd.h"

static void clock_out(bool bit)
{
    pin_swclk(false);
    pin_swdio(bit);
    pin_swclk(true);
}

static void write_bits(uint32_t bits, unsigned count)
{
    for (; count; count--, bits >>= 1)
        clock_out(bits & 1);
}

static bool clock_in(void)
{
    pin_swclk(false);
    bool bit = pin_swdio_level();
    pin_swclk(true);
    return bit;
}

static uint32_t read_bits(unsigned count)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < count; i++)
        bits |= (uint32_t)clock_in() << i;
    return bits;
}

#define READ_DPIDR 0xA5                 /* start, DP, read, address 0, parity, stop, park */
#define ACK_OK     1

bool swd_read_dpidr(uint32_t *dpidr)
{
    pin_swdio_drive(true);
    for (int i = 0; i < 2; i++)         /* line reset: 50 clocks or more */
        write_bits(~0u, 30);
    write_bits(0xE79E, 16);             /* from JTAG to SWD */
    for (int i = 0; i < 2; i++)
        write_bits(~0u, 30);
    write_bits(0, 4);
    write_bits(READ_DPIDR, 8);
    pin_swdio_drive(false);
    clock_in();                         /* turnaround */
    uint32_t ack = read_bits(3), value = read_bits(32);
    bool parity = clock_in();
    clock_in();                         /* turnaround */
    pin_swdio_drive(true);
    write_bits(0, 8);
    for (uint32_t bits = value; bits; bits &= bits - 1)
        parity = !parity;
    *dpidr = value;
    return ack == ACK_OK && !parity;
}
