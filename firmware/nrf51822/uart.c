/* UART0 with interrupts: one for each character in either direction, and a ring between the program and the handler. */
#include "uart.h"
#include "nrf51822.h"

#define PIN_TXD   24
#define PIN_RXD   25
#define RING_SIZE 256               /* so that an 8-bit index wraps by itself */

struct ring {
    uint8_t bytes[RING_SIZE];
    volatile uint8_t put, taken;    /* equal: empty */
};

static struct ring received, to_send;
static volatile uint8_t sending;

static void send_next(void)
{
    sending = to_send.taken != to_send.put;
    if (sending)
        UART0_TXD = to_send.bytes[to_send.taken++];
}

void uart0_irq(void)
{
    if (UART0_EVENTS_RXDRDY) {
        UART0_EVENTS_RXDRDY = 0;
        received.bytes[received.put] = (uint8_t)UART0_RXD;
        received.put++;
    }
    if (UART0_EVENTS_TXDRDY) {
        UART0_EVENTS_TXDRDY = 0;
        send_next();
    }
}

void uart_init(uint32_t baudrate)
{
    GPIO_OUTSET = 1 << PIN_TXD;     /* the line idles high, also before the UART has it */
    GPIO_PIN_CNF(PIN_TXD) = PIN_CNF_OUTPUT;
    GPIO_PIN_CNF(PIN_RXD) = PIN_CNF_INPUT_PULLUP;
    UART0_PSELTXD = PIN_TXD;
    UART0_PSELRXD = PIN_RXD;
    UART0_BAUDRATE = baudrate;
    UART0_INTENSET = UART0_INT_RXDRDY | UART0_INT_TXDRDY;
    UART0_ENABLE = UART0_ENABLED;
    NVIC_ISER = 1 << UART0_IRQ;
    UART0_TASKS_STARTTX = 1;
    UART0_TASKS_STARTRX = 1;
}

void uart_set_baudrate(uint32_t baudrate)
{
    UART0_BAUDRATE = baudrate;
}

int uart_getchar(void)
{
    if (received.taken == received.put)
        return -1;
    return received.bytes[received.taken++];
}

void uart_putchar(char c)
{
    while ((uint8_t)(to_send.put + 1) == to_send.taken)
        wait_for_interrupt();
    to_send.bytes[to_send.put] = (uint8_t)c;
    disable_interrupts();
    to_send.put++;
    if (!sending)
        send_next();
    enable_interrupts();
}

void uart_puts(const char *text)
{
    while (*text)
        uart_putchar(*text++);
}
