/* The micro:bit V1 says hello: a greeting on the serial line, a beating heart on the display. It echoes what it gets
 * and tells which button is pressed. In between it sleeps.
 */
#include "display.h"
#include "nrf51822.h"
#include "uart.h"

#define ROWS_PER_BEAT_STEP 30       /* a tenth of a second */

static const char *const heart[5] = {
    ".#.#.",
    "#####",
    "#####",
    ".###.",
    "..#..",
};

static const struct {
    uint8_t pin;
    const char *text;
} buttons[] = {
    {17, "button A\r\n"},
    {26, "button B\r\n"},
};
#define BUTTONS (sizeof buttons / sizeof buttons[0])

static void show_heart(unsigned step)
{
    static const uint8_t beat[] = {9, 9, 5, 9, 9, 5, 3, 3, 3, 3};
    for (unsigned row = 0; row < 5; row++)
        for (unsigned column = 0; column < 5; column++)
            display[row][column] = heart[row][column] == '#' ? beat[step % sizeof beat] : 0;
}

/* Bit n: button n is pressed, that is its pin is low. */
static unsigned read_buttons(void)
{
    unsigned pressed = 0;
    for (unsigned n = 0; n < BUTTONS; n++)
        if (!(GPIO_IN >> buttons[n].pin & 1))
            pressed |= 1u << n;
    return pressed;
}

int main(void)
{
    for (unsigned n = 0; n < BUTTONS; n++)
        GPIO_PIN_CNF(buttons[n].pin) = PIN_CNF_INPUT_PULLUP;
    uart_init(BAUD_115200);
    display_init();
    uart_puts("Hello from the micro:bit's nRF51822!\r\n");

    unsigned before = 0;
    for (;;) {
        for (int c; (c = uart_getchar()) >= 0;)
            uart_putchar((char)c);

        unsigned pressed = read_buttons();
        for (unsigned n = 0; n < BUTTONS; n++)
            if (pressed & ~before & 1u << n)
                uart_puts(buttons[n].text);
        before = pressed;

        show_heart(display_rows / ROWS_PER_BEAT_STEP);
        wait_for_interrupt();
    }
}
