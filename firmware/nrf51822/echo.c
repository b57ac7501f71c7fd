/* Sends back every character, at the baud rate it is built for. */
#include "nrf51822.h"
#include "uart.h"

int main(void)
{
    uart_init(BAUDRATE);
    uart_puts("echo\r\n");
    for (;;) {
        for (int c; (c = uart_getchar()) >= 0;)
            uart_putchar((char)c);
        wait_for_interrupt();
    }
}
