/* UARTE0 with interrupts and EasyDMA.
 *
 * Each direction has a ring between the program and the interrupt handler. Received characters come one at a time; the
 * short ENDRX → STARTRX has the receiver ready for the next one without the CPU. What is to be sent goes out in pieces
 * as long as the ring has them in one stretch.
 */
#include "uart.h"
#include "nrf52833.h"

#define PIN_TXD   PIN(0, 6)
#define PIN_RXD   PIN(1, 8)
#define RING_SIZE 256               /* so that an 8-bit index wraps by itself */

struct ring {
    uint8_t bytes[RING_SIZE];
    volatile uint8_t put, taken;    /* equal: empty */
};

static struct ring received, to_send;
static volatile uint8_t arriving;   /* EasyDMA writes here */
static volatile uint8_t sending;    /* characters that EasyDMA is sending; 0: idle */

static void send_next(void)
{
    unsigned from = to_send.taken, until = to_send.put;
    if (until < from)
        until = RING_SIZE;          /* up to the end of the buffer; the rest is the next piece */
    sending = until - from > 255 ? 255 : until - from;
    if (sending) {
        UARTE0_TXD_PTR = (uint32_t)&to_send.bytes[from];
        UARTE0_TXD_MAXCNT = sending;
        UARTE0_TASKS_STARTTX = 1;
    }
}

void uarte0_irq(void)
{
    if (UARTE0_EVENTS_ENDRX) {
        UARTE0_EVENTS_ENDRX = 0;
        received.bytes[received.put] = arriving;
        received.put++;
    }
    if (UARTE0_EVENTS_ENDTX) {
        UARTE0_EVENTS_ENDTX = 0;
        to_send.taken += sending;
        send_next();
    }
}

void uart_init(uint32_t baudrate)
{
    GPIO_OUTSET(0) = 1 << 6;        /* the line idles high, also before the UARTE has it */
    GPIO_PIN_CNF(0, 6) = PIN_CNF_OUTPUT;
    GPIO_PIN_CNF(1, 8) = PIN_CNF_INPUT_PULLUP;
    UARTE0_PSEL_TXD = PIN_TXD;
    UARTE0_PSEL_RXD = PIN_RXD;
    UARTE0_BAUDRATE = baudrate;
    UARTE0_RXD_PTR = (uint32_t)&arriving;
    UARTE0_RXD_MAXCNT = 1;
    UARTE0_SHORTS = UARTE0_SHORT_ENDRX_STARTRX;
    UARTE0_INTENSET = UARTE0_INT_ENDRX | UARTE0_INT_ENDTX;
    UARTE0_ENABLE = UARTE0_ENABLED;
    NVIC_ISER0 = 1 << UARTE0_IRQ;
    UARTE0_TASKS_STARTRX = 1;
}

void uart_set_baudrate(uint32_t baudrate)
{
    UARTE0_BAUDRATE = baudrate;
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
