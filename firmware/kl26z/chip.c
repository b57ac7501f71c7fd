/* The KL26Z of the micro:bit V1: clocks from its 16 MHz crystal, pins, UART1. */
#include "../interface/chip.h"
#include "../kinetis/kinetis.h"

#define SWCLK  PIN(C, 5)
#define SWDIO  PIN(C, 6)
#define LED    PIN(D, 4)               //** active low */
#define BUTTON PIN(B, 1)               /* active low */
#define RXD    PIN(C, 3)
#define TXD    PIN(C, 4)

#define CORE_HZ 48000000
#define BUS_HZ  24000000

const uint32_t flash_sector = 0x1FC00, flash_sector_size = 0x400;

/* No security, no protection, boot from flash. */
__attribute__((section(".fcf"), used))
static const uint32_t configuration_field[4] = { ~0u, ~0u, ~0u, 0xFFFFFFFE };

#define MCG_C1 REG8(0x40064000)
#define MCG_C2 REG8(0x40064001)
#define MCG_C5 REG8(0x40064004)
#define MCG_C6 REG8(0x40064005)
#define MCG_S  REG8(0x40064006)
#define OSC0_CR REG8(0x40065000)
enum { S_OSCINIT0 = 1 << 1, S_CLKST = 3 << 2, S_IREFST = 1 << 4, S_PLLST = 1 << 5, S_LOCK0 = 1 << 6 };
enum { CLKST_EXTERNAL = 2 << 2, CLKST_PLL = 3 << 2 };

/* From FEI over FBE and PBE to PEE: the crystal by 4, times 24, is 96 MHz, of which the core has half. */
static void start_clocks(void)
{
    CLKDIV1 = 1 << 28 | 1 << 16;        /* core by 2, bus by 2 of that */
    OSC0_CR = 1 << 7;                   /* ERCLKEN */
    MCG_C2 = 2 << 4 | 1 << 2;           /* very high frequency, crystal */
    MCG_C1 = 2 << 6 | 4 << 3;           /* external reference; by 512 for the FLL */
    while (!(MCG_S & S_OSCINIT0) || MCG_S & S_IREFST || (MCG_S & S_CLKST) != CLKST_EXTERNAL)
        ;
    MCG_C5 = 4 - 1;                     /* PRDIV0 */
    MCG_C6 = 1 << 6;                    /* PLLS, VDIV0 = 24 */
    while (!(MCG_S & S_PLLST) || !(MCG_S & S_LOCK0))
        ;
    MCG_C1 = 4 << 3;
    while ((MCG_S & S_CLKST) != CLKST_PLL)
        ;
}

/* --- UART1 --- */

#define UART1_BDH REG8(0x4006B000)
#define UART1_BDL REG8(0x4006B001)
#define UART1_C2  REG8(0x4006B003)
#define UART1_S1  REG8(0x4006B004)
#define UART1_D   REG8(0x4006B007)
enum { C2_TIE = 1 << 7, C2_RIE = 1 << 5, C2_TE = 1 << 3, C2_RE = 1 << 2 };
enum { S1_TDRE = 1 << 7, S1_RDRF = 1 << 5 };
#define SCGC4_UART1 (1 << 11)

void uart_set_baud(uint32_t baud)
{
    uint32_t divisor = baud ? BUS_HZ / (16 * baud) : 0;
    if (divisor == 0 || divisor > 0x1FFF)
        return;
    UART1_C2 = 0;
    UART1_BDH = divisor >> 8;
    UART1_BDL = divisor;
    UART1_C2 = C2_RIE | C2_TE | C2_RE;
}

void uart_send_more(void) { UART1_C2 |= C2_TIE; }

void uart_irq(void)
{
    uint8_t status = UART1_S1, byte;
    if (status & S1_RDRF)
        uart_received(UART1_D);
    if (status & S1_TDRE && UART1_C2 & C2_TIE) {
        if (uart_next(&byte))
            UART1_D = byte;
        else
            UART1_C2 &= ~C2_TIE;
    }
}

/* --- Pins --- */

void pin_led(bool on) { pin_set(LED, !on); }
bool pin_button_pressed(void) { return !pin_level(BUTTON); }
void pin_swclk(bool high) { pin_set(SWCLK, high); }
void pin_swdio(bool high) { pin_set(SWDIO, high); }
bool pin_swdio_level(void) { return pin_level(SWDIO); }
void pin_swdio_drive(bool drive) { pin_drive(SWDIO, drive); }

void chip_init(void)
{
    COPC = 0;
    SCGC5 |= SCGC5_PORTS;
    start_clocks();
    SOPT2 |= 1 << 18 | 1 << 16;         /* USB from the PLL by 2 */
    SCGC4 |= SCGC4_USB | SCGC4_UART1;
    PCR(RXD) = PCR_ALT3 | PCR_PULL_UP;
    PCR(TXD) = PCR_ALT3;
    PCR(LED) = PCR_GPIO;
    PCR(BUTTON) = PCR_GPIO | PCR_PULL_UP;
    PCR(SWCLK) = PCR_GPIO;
    PCR(SWDIO) = PCR_GPIO | PCR_PULL_UP;
    pin_drive(LED, true);
    pin_drive(SWCLK, true);
    uart_set_baud(9600);
    irq_enable(UART_IRQ);
    systick_every(CORE_HZ / 1000 * TICK_MS);
}
