/* The LED matrix: one row after the other is lit, 300 rows a second, so that each LED is lit 60 times a second.
 *
 * An LED is lit while its row is high and its column is low. At the beginning of a row the interrupt handler pulls the
 * columns low; the hardware ends each LED's time by itself: TIMER4 COMPARE[n] → PPI → GPIOTE SET[n].
 */
#include "display.h"
#include "nrf52833.h"

#define ROW_MICROSECONDS 3333
#define STEP_MICROSECONDS 370       /* lit time of brightness 1; nine of them fit into a row */

static const uint8_t row_pins[5] = {21, 22, 15, 24, 19};    /* all P0 */
static const uint8_t column_pins[5] = {PIN(0, 28), PIN(0, 11), PIN(0, 31), PIN(1, 5), PIN(0, 30)};

volatile uint8_t display[5][5];
volatile uint32_t display_rows;

void timer4_irq(void)
{
    REG(TIMER4_EVENTS_COMPARE(0)) = 0;
    unsigned before = display_rows % 5, row = (display_rows + 1) % 5;
    GPIO_OUTCLR(0) = 1 << row_pins[before];
    for (unsigned n = 0; n < 5; n++) {
        unsigned level = display[row][n];
        TIMER4_CC(1 + n) = level * STEP_MICROSECONDS;
        GPIOTE_CONFIG(n) = GPIOTE_MODE_TASK | GPIOTE_PSEL(column_pins[n]) | GPIOTE_POLARITY_SET
                         | GPIOTE_OUTINIT(level == 0);
    }
    GPIO_OUTSET(0) = 1 << row_pins[row];
    display_rows++;
}

void display_init(void)
{
    for (unsigned n = 0; n < 5; n++) {
        GPIO_PIN_CNF(0, row_pins[n]) = PIN_CNF_OUTPUT;
        GPIO_PIN_CNF(column_pins[n] / 32, column_pins[n] % 32) = PIN_CNF_OUTPUT;
        PPI_CH_EEP(n) = TIMER4_EVENTS_COMPARE(1 + n);
        PPI_CH_TEP(n) = GPIOTE_TASKS_SET(n);
        PPI_CHENSET = 1 << n;
    }
    TIMER4_PRESCALER = 4;           /* microseconds */
    TIMER4_CC(0) = ROW_MICROSECONDS;
    TIMER4_SHORTS = 1 << 0;         /* COMPARE[0] clears */
    TIMER4_INTENSET = 1 << 16;      /* COMPARE[0] */
    NVIC_ISER0 = 1 << TIMER4_IRQ;
    TIMER4_TASKS_START = 1;
}
