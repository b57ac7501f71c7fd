/* Scrolls a number over the micro:bit V2's display, for ever.
 *
 * The interface firmware puts this program into the target after a drag-and-drop that failed, with 500 + the error
 * code written behind the mark. It starts at address 0 after a reset, without any start-up code: it has no variables
 * outside its stack.
 *
 * Display: 5 rows (anodes, high) by 5 columns (cathodes, low), one row lit at a time for 2 ms, as CODAL does it.
 */
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

#define P0_OUTSET 0x50000508
#define P0_OUTCLR 0x5000050c
#define P0_DIRSET 0x50000518
#define P1_OUTSET 0x50000808
#define P1_OUTCLR 0x5000080c
#define P1_DIRSET 0x50000818

#define TIMER0_START       0x40008000
#define TIMER0_COMPARE0    0x40008140
#define TIMER0_SHORTS      0x40008200
#define TIMER0_INTENSET    0x40008304
#define TIMER0_BITMODE     0x40008508
#define TIMER0_PRESCALER   0x40008510
#define TIMER0_CC0         0x40008540
#define TIMER0_IRQ         8
#define NVIC_ISER0         0xe000e100

#define ROW_MICROSECONDS   2000
#define ROWS               5
#define COLUMNS            5
#define FRAMES_PER_STEP    16      /* 160 ms for each column the text moves */

static const uint8_t row_pin[ROWS] = {21, 22, 15, 24, 19};              /* P0 */
static const uint8_t column_pin[COLUMNS] = {28, 11, 31, 32 + 5, 30};    /* P0, from 32 on P1 */

/* Digits of three columns and five rows; bit 4 is the top row. */
static const uint8_t digit[10][3] = {
    {0x1f, 0x11, 0x1f}, {0x09, 0x1f, 0x01}, {0x17, 0x15, 0x1d}, {0x15, 0x15, 0x1f}, {0x1c, 0x04, 0x1f},
    {0x1d, 0x15, 0x17}, {0x1f, 0x15, 0x17}, {0x10, 0x10, 0x1f}, {0x1f, 0x15, 0x1f}, {0x1d, 0x15, 0x1f},
};

/* What the interface firmware patches. */
static const volatile struct {
    uint32_t mark;
    uint16_t number;
} patch __attribute__((section(".patch"), used)) = {0xfacec0de, 0};

static void set_column(unsigned column, int lit)
{
    unsigned pin = column_pin[column];
    uint32_t clear = pin < 32 ? P0_OUTCLR : P1_OUTCLR;
    uint32_t set = pin < 32 ? P0_OUTSET : P1_OUTSET;
    REG(lit ? clear : set) = 1u << (pin % 32);
}

/* Column x of the text "  507": five dark columns, then each digit with a dark column behind it. */
static uint8_t text_column(const uint8_t *digits, unsigned count, unsigned x)
{
    if (x < COLUMNS || x >= COLUMNS + 4 * count)
        return 0;
    unsigned inside = (x - COLUMNS) % 4;
    return inside == 3 ? 0 : digit[digits[(x - COLUMNS) / 4]][inside];
}

static void show_row(unsigned row, const uint8_t *digits, unsigned count, unsigned scroll)
{
    for (unsigned i = 0; i < ROWS; i++)
        REG(P0_OUTCLR) = 1u << row_pin[i];
    for (unsigned x = 0; x < COLUMNS; x++)
        set_column(x, text_column(digits, count, scroll + x) >> (4 - row) & 1);
    REG(P0_OUTSET) = 1u << row_pin[row];
}

static void timer0(void)
{
    REG(TIMER0_COMPARE0) = 0;
    (void)REG(TIMER0_COMPARE0);     /* the write has arrived when the read is done */
}

static void fault(void)
{
    for (;;)
        __asm volatile("wfe");
}

static void reset(void)
{
    uint8_t digits[5];
    unsigned count = 0;
    unsigned divisor = 10000;
    for (unsigned rest = patch.number; divisor != 0; rest %= divisor, divisor /= 10)
        if (count != 0 || rest >= divisor || divisor == 1)
            digits[count++] = rest / divisor;

    for (unsigned i = 0; i < ROWS; i++)
        REG(P0_DIRSET) = 1u << row_pin[i];
    for (unsigned x = 0; x < COLUMNS; x++)
        REG(column_pin[x] < 32 ? P0_DIRSET : P1_DIRSET) = 1u << (column_pin[x] % 32);

    REG(TIMER0_BITMODE) = 3;        /* 32 bits */
    REG(TIMER0_PRESCALER) = 4;      /* 1 MHz */
    REG(TIMER0_CC0) = ROW_MICROSECONDS;
    REG(TIMER0_SHORTS) = 1;         /* COMPARE0 clears */
    REG(TIMER0_INTENSET) = 1u << 16;
    REG(NVIC_ISER0) = 1u << TIMER0_IRQ;
    REG(TIMER0_START) = 1;

    for (unsigned scroll = 0;; scroll = scroll + 1 < COLUMNS + 4 * count ? scroll + 1 : 0)
        for (unsigned frame = 0; frame < FRAMES_PER_STEP; frame++)
            for (unsigned row = 0; row < ROWS; row++) {
                show_row(row, digits, count, scroll);
                __asm volatile("wfi");
            }
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16 + TIMER0_IRQ + 1])(void) = {
    (void (*)(void))0x20001000,     /* initial stack pointer */
    reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
    fault, fault, fault, fault, fault, fault, fault, fault, timer0,
};
