#include "i2c.h"
#include "link.h"
#include "nrf52833.h"
#include "uart.h"

uint8_t command[8 + PIECE], response[8 + PIECE];

static uint8_t nop[3];                  /* in RAM, for EasyDMA */

void wait_ms(unsigned ms)
{
    for (unsigned n = ms * (64000 / 4); n; n--)
        __asm volatile ("" ::: "memory");
}

void put_number(uint32_t number, uint32_t base, unsigned digits)
{
    char text[9];
    unsigned at = 8;
    text[at] = 0;
    do {
        text[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (at && (number || 8 - at < digits));
    uart_puts(text + at);
}

/* After power-on the interface chip takes longer to start than this one. */
void link_init(void)
{
    GPIO_PIN_CNF(0, 25) = PIN_CNF_INPUT_PULLUP;
    i2c_init(I2C_400_KHZ);
    for (unsigned tries = 0; tries < 100 && i2c_write(COMMS, nop, sizeof nop); tries++)
        wait_ms(10);
}

bool response_ready(void)
{
    return !(GPIO_IN(0) >> 25 & 1);
}

/* Firmware 0255 takes note of a read in its main loop, and forgets the read if something is written before. */
static void await_release(void)
{
    for (unsigned ms = 0; ms < 100 && response_ready(); ms++)
        wait_ms(1);
}

bool transact(uint8_t address, unsigned length, unsigned count)
{
    for (unsigned tries = 0; tries < 3; tries++) {
        /* A chip that wakes up may lose the rest of what woke it. */
        i2c_write(COMMS, nop, sizeof nop);
        wait_ms(1);
        if (i2c_write(address, command, length))
            continue;
        for (unsigned ms = 0; ms < 4000; ms++) {
            if (response_ready()) {
                /* The chip may have answered something else than this command. */
                bool heard = !i2c_read(address, response, count);
                await_release();
                if (heard && response[0] == (address == COMMS ? command[0] + 1 : command[0]))
                    return true;
                break;
            }
            wait_ms(1);
        }
    }
    return false;
}

bool read_property(uint8_t property)
{
    command[0] = 0x10;
    command[1] = property;
    return transact(COMMS, 2, 11) && response[1] == property;
}

bool read_event(void)
{
    bool heard = !i2c_read(COMMS, response, 11);
    await_release();
    return heard && response[0] == 0x11 && response[1] == USER_EVENT;
}

bool write_property(uint8_t property, uint8_t value)
{
    command[0] = 0x12;
    command[1] = property;
    command[2] = 1;
    command[3] = value;
    return transact(COMMS, 4, 2) && response[1] == property;
}

uint32_t property_value(unsigned at, unsigned count)
{
    uint32_t value = 0;
    while (count--)
        value = value << 8 | response[3 + at + count];
    return value;
}
