/* The other end of the line for tests of an interface chip's serial port.
 *
 * Starts at 115200 baud with "{init}". Everything that comes is sent back. A first "{baud:N}" in it, with N a rate that
 * the chip has, is obeyed: once it has gone back, the rate becomes N, and "{change}" tells of it. From then on braces
 * mean nothing any more, until the next reset.
 *
 * This is what DAPLink's test suite expects of its program daplink-validation. The computer needs time for its part:
 * after the reset it throws away what has arrived so far, and after the echo of "{baud:N}" it sets its own rate. Both
 * waits are far above what that takes, and far below the second that the suite has patience for.
 */
#include <stddef.h>
#include "uart.h"

/* Makes the image a few dozen sectors long, so that a copy of it takes many packets; the numbers are those of a linear
 * congruential generator, so that no two sectors are alike. */
#define BALLAST_WORDS 4096
__asm (
    ".pushsection .rodata.ballast, \"a\"\n"
    ".balign 4\n"
    "ballast:\n"
    ".set number, 1\n"
    ".rept 4096\n"
    ".word number\n"
    ".set number, (number * 1664525 + 1013904223) & 0xFFFFFFFF\n"
    ".endr\n"
    ".popsection\n"
);
extern const uint32_t ballast[BALLAST_WORDS];

/* Has the image arrived whole? */
static int ballast_is_right(void)
{
    uint32_t number = 1;
    for (unsigned i = 0; i < BALLAST_WORDS; i++) {
        if (ballast[i] != number)
            return 0;
        number = number * 1664525 + 1013904223;
    }
    return 1;
}

static const struct { uint32_t rate, setting; } rates[] = {
    { 9600, BAUD_9600 },   { 14400, BAUD_14400 }, { 19200, BAUD_19200 },   { 28800, BAUD_28800 },
    { 38400, BAUD_38400 }, { 57600, BAUD_57600 }, { 115200, BAUD_115200 },
};

/* The setting for a rate, or 0 if the chip has none. */
static uint32_t setting_for(uint32_t rate)
{
    for (unsigned i = 0; i < sizeof rates / sizeof *rates; i++)
        if (rates[i].rate == rate)
            return rates[i].setting;
    return 0;
}

static void wait_ms(uint32_t ms)
{
    /* A turn takes three to five cycles. */
    for (uint32_t turns = ms * (CPU_HZ / 3000); turns; turns--)
        __asm volatile ("" ::: "memory");
}

static const char prefix[] = "{baud:";

/* Looks at the stream for the command. `matched` counts the characters of the prefix that were there in a row. */
static struct { size_t matched; uint32_t rate; } command;

/* Takes the next character; the rate if it completes the command, else 0. */
static uint32_t command_ends_with(char c)
{
    if (command.matched < sizeof prefix - 1) {
        if (c != prefix[command.matched])
            command.matched = 0;
        if (c == prefix[command.matched])
            command.matched++;
        command.rate = 0;
        return 0;
    }
    if (c >= '0' && c <= '9' && command.rate < 1000000) {
        command.rate = command.rate * 10 + (uint32_t)(c - '0');
        return 0;
    }
    command.matched = 0;
    return c == '}' ? command.rate : 0;
}

int main(void)
{
    int in_session = 0;

    uart_init(BAUD_115200);
    wait_ms(100);
    uart_puts(ballast_is_right() ? "{init}" : "{damaged}");
    for (;;) {
        /* A character that comes between the look and the sleep must still end the sleep: a pending interrupt does. */
        disable_interrupts();
        int c = uart_getchar();
        if (c < 0)
            wait_for_interrupt();
        enable_interrupts();
        if (c < 0)
            continue;
        uart_putchar((char)c);
        uint32_t setting = in_session ? 0 : setting_for(command_ends_with((char)c));
        if (setting) {
            in_session = 1;
            wait_ms(250);               /* the echo is through long before, and the computer at the new rate */
            uart_set_baudrate(setting);
            uart_puts("{change}");
        }
    }
}
