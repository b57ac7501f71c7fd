/* The other end of what our own interface firmware offers on the internal I2C bus (firmware/interface/main.c): reads its
 * name and how often it has started, writes eight bytes and reads them back, and tells all of it on the serial line.
 */
#include "i2c.h"
#include "link.h"
#include "nrf52833.h"
#include "uart.h"

#define ADDRESS 0x70

static uint8_t select[1], bytes[9] = {8, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'}, answer[8];

static bool read_from(uint8_t first)
{
    select[0] = first;
    return !i2c_write(ADDRESS, select, 1) && !i2c_read(ADDRESS, answer, sizeof answer);
}

static void put_answer(unsigned from, unsigned to)
{
    while (from < to)
        uart_putchar((char)answer[from++]);
}

int main(void)
{
    uart_init(BAUD_115200);
    i2c_init(I2C_400_KHZ);
    while (!read_from(0))
        wait_ms(10);
    put_answer(0, 4);
    uart_putchar(' ');
    put_number(answer[4] | answer[5] << 8, 10, 1);
    uart_putchar(' ');
    if (!i2c_write(ADDRESS, bytes, sizeof bytes) && read_from(8))
        put_answer(0, 8);
    uart_puts("\r\n");
    for (;;)
        wait_for_interrupt();
}
