/* TWIM0, polled: the short to STOP ends a transfer, an error is ended by hand. */
#include "i2c.h"
#include "nrf52833.h"

#define PIN_SCL PIN(0, 8)
#define PIN_SDA PIN(0, 16)

void i2c_init(uint32_t frequency)
{
    GPIO_PIN_CNF(0, 8) = PIN_CNF_INPUT_PULLUP | PIN_CNF_S0D1;
    GPIO_PIN_CNF(0, 16) = PIN_CNF_INPUT_PULLUP | PIN_CNF_S0D1;
    TWIM0_PSEL_SCL = PIN_SCL;
    TWIM0_PSEL_SDA = PIN_SDA;
    TWIM0_FREQUENCY = frequency;
    TWIM0_ENABLE = TWIM0_ENABLED;
}

static uint32_t finish(void)
{
    while (!TWIM0_EVENTS_STOPPED)
        if (TWIM0_EVENTS_ERROR) {
            TWIM0_EVENTS_ERROR = 0;
            TWIM0_TASKS_RESUME = 1;
            TWIM0_TASKS_STOP = 1;
        }
    uint32_t error = TWIM0_ERRORSRC;
    TWIM0_ERRORSRC = error;
    return error;
}

uint32_t i2c_write(uint8_t address, const uint8_t *bytes, uint32_t count)
{
    TWIM0_ADDRESS = address;
    TWIM0_SHORTS = TWIM0_SHORT_LASTTX_STOP;
    TWIM0_TXD_PTR = (uint32_t)bytes;
    TWIM0_TXD_MAXCNT = count;
    TWIM0_EVENTS_STOPPED = 0;
    TWIM0_TASKS_STARTTX = 1;
    return finish();
}

uint32_t i2c_read(uint8_t address, uint8_t *bytes, uint32_t count)
{
    TWIM0_ADDRESS = address;
    TWIM0_SHORTS = TWIM0_SHORT_LASTRX_STOP;
    TWIM0_RXD_PTR = (uint32_t)bytes;
    TWIM0_RXD_MAXCNT = count;
    TWIM0_EVENTS_STOPPED = 0;
    TWIM0_TASKS_STARTRX = 1;
    return finish();
}
