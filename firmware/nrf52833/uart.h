/* The serial line to the interface chip, and through it to the computer. */
#ifndef UART_H
#define UART_H

#include <stdint.h>

/* Values of the BAUDRATE register. */
#define BAUD_9600    0x00275000
#define BAUD_14400   0x003AF000
#define BAUD_19200   0x004EA000
#define BAUD_28800   0x0075C000
#define BAUD_38400   0x009D0000
#define BAUD_57600   0x00EB0000
#define BAUD_115200  0x01D60000
#define BAUD_1000000 0x10000000

void uart_init(uint32_t baudrate);

/* Another rate from now on. What is on the line meanwhile is lost. */
void uart_set_baudrate(uint32_t baudrate);

/* The next character that came in, or -1. */
int uart_getchar(void);

/* Queues a character; sleeps while the queue is full. */
void uart_putchar(char c);

void uart_puts(const char *text);

#endif
