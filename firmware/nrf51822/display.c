/* The LED matrix: the 25 LEDs that one sees are wired as three rows (P0.13 to P0.15) of nine columns (P0.04 to P0.12).
 * One row after the other is lit, 300 a second, so that each LED is lit 100 times a second.
 *
 * An LED is lit while its row is high and its column is low. A row's time has nine steps; a column goes high again when
 * its LED's brightness is reached.
 */
#include "display.h"
#include "nrf51822.h"

#define FIRST_ROW         13
#define FIRST_COLUMN      4
#define ROWS              3
#define COLUMNS           9
#define ROW_MASK          (7u << FIRST_ROW)
#define COLUMN_MASK       (0x1FFu << FIRST_COLUMN)
#define STEPS             9
#define STEP_MICROSECONDS 370

volatile uint8_t display[5][5];
volatile uint32_t display_rows;

/* Which LED is at a row and column of the circuit: its row and column as one sees them, NONE for no LED. */
#define AT(row, column) ((row) << 4 | (column))
#define NONE            0xFF
static const uint8_t seen[ROWS][COLUMNS] = {
    {AT(0, 0), AT(0, 2), AT(0, 4), AT(3, 4), AT(3, 3), AT(3, 2), AT(3, 1), AT(3, 0), AT(2, 1)},
    {AT(2, 4), AT(2, 0), AT(2, 2), AT(0, 1), AT(0, 3), AT(4, 3), AT(4, 1), NONE, NONE},
    {AT(4, 2), AT(4, 4), AT(4, 0), AT(1, 0), AT(1, 1), AT(1, 2), AT(1, 3), AT(1, 4), AT(2, 3)},
};

void timer1_irq(void)
{
    static unsigned row, step;
    TIMER1_EVENTS_COMPARE0 = 0;
    if (++step == STEPS) {
        step = 0;
        row = (row + 1) % ROWS;
        display_rows++;
        GPIO_OUTSET = COLUMN_MASK;
        GPIO_OUTCLR = ROW_MASK;
        GPIO_OUTSET = 1u << (FIRST_ROW + row);
    }
    uint32_t lit = 0;
    for (unsigned column = 0; column < COLUMNS; column++) {
        unsigned at = seen[row][column];
        if (at != NONE && display[at >> 4][at & 15] > step)
            lit |= 1u << (FIRST_COLUMN + column);
    }
    GPIO_OUTSET = COLUMN_MASK & ~lit;
    GPIO_OUTCLR = lit;
}

void display_init(void)
{
    GPIO_OUTSET = COLUMN_MASK;
    GPIO_OUTCLR = ROW_MASK;
    for (unsigned pin = FIRST_COLUMN; pin < FIRST_ROW + ROWS; pin++)
        GPIO_PIN_CNF(pin) = PIN_CNF_OUTPUT;
    TIMER1_PRESCALER = 4;           /* microseconds */
    TIMER1_CC0 = STEP_MICROSECONDS;
    TIMER1_SHORTS = 1 << 0;         /* COMPARE[0] clears */
    TIMER1_INTENSET = 1 << 16;      /* COMPARE[0] */
    NVIC_ISER = 1 << TIMER1_IRQ;
    TIMER1_TASKS_START = 1;
}
