/* The KL27Z of the micro:bit V2.00: clocks from HIRC, which follows the host's frames; pins, LPUART1, I2C1. */
#include "../interface/chip.h"
#include "../kinetis/kinetis.h"

#define SWCLK  PIN(C, 6)
#define SWDIO  PIN(C, 5)
#define LED    PIN(B, 0)
#define BUTTON PIN(D, 4)                /* active low */
#define RXD    PIN(A, 18)
#define TXD    PIN(A, 19)
#define SCL    PIN(C, 1)
#define SDA    PIN(C, 2)

#define HIRC_HZ 48000000

const uint32_t flash_sector = 0x3FC00, flash_sector_size = 0x400;

/* The boot loader in ROM: USB alone, whatever the other pins hear. */
__attribute__((section(".bca"), used))
static const uint32_t boot_configuration[8] = { 0x6766636B, ~0u, ~0u, ~0u, 0xFFFFFF10, ~0u, ~0u, ~0u };

/* No security, no protection; boots from flash unless BOOTCFG0 is low, NMI is off. */
__attribute__((section(".fcf"), used))
static const uint32_t configuration_field[4] = { ~0u, ~0u, ~0u, 0xFFFF39FE };

#define MCG_C1 REG8(0x40064000)
#define MCG_S  REG8(0x40064006)
#define MCG_MC REG8(0x40064018)
#define S_CLKST (3 << 2)

#define USB0_CLK_RECOVER_CTRL   REG8(0x40072140)
#define USB0_CLK_RECOVER_IRC_EN REG8(0x40072144)

static void start_clocks(void)
{
    CLKDIV1 = 1 << 16;                  /* core 48 MHz, bus 24 MHz */
    MCG_MC = 1 << 7;                    /* HIRCEN */
    MCG_C1 = 0;                         /* HIRC */
    while (MCG_S & S_CLKST)
        ;
}

/* --- LPUART1 --- */

#define LPUART1_BAUD REG32(0x40055000)
#define LPUART1_STAT REG32(0x40055004)
#define LPUART1_CTRL REG32(0x40055008)
#define LPUART1_DATA REG32(0x4005500C)
enum { CTRL_TIE = 1 << 23, CTRL_RIE = 1 << 21, CTRL_TE = 1 << 19, CTRL_RE = 1 << 18 };
enum { STAT_TDRE = 1 << 23, STAT_RDRF = 1 << 21, STAT_OR = 1 << 19 };
#define OSR 16                          /* samples per bit */

void uart_set_baud(uint32_t baud)
{
    uint32_t divisor = baud ? HIRC_HZ / (OSR * baud) : 0;
    if (divisor == 0 || divisor > 0x1FFF)
        return;
    LPUART1_CTRL = 0;
    LPUART1_BAUD = (OSR - 1) << 24 | divisor;
    LPUART1_CTRL = CTRL_RIE | CTRL_TE | CTRL_RE;
}

void uart_send_more(void) { LPUART1_CTRL |= CTRL_TIE; }

void uart_irq(void)
{
    uint32_t status = LPUART1_STAT;
    uint8_t byte;
    if (status & STAT_OR)
        LPUART1_STAT = STAT_OR;
    if (status & STAT_RDRF)
        uart_received(LPUART1_DATA);
    if (status & STAT_TDRE && LPUART1_CTRL & CTRL_TIE) {
        if (uart_next(&byte))
            LPUART1_DATA = byte;
        else
            LPUART1_CTRL &= ~CTRL_TIE;
    }
}

/* --- I2C1 --- */

#define I2C1_A1 REG8(0x40067000)
#define I2C1_C1 REG8(0x40067002)
#define I2C1_S  REG8(0x40067003)
#define I2C1_D  REG8(0x40067004)
enum { C1_IICEN = 1 << 7, C1_IICIE = 1 << 6, C1_TX = 1 << 4 };
enum { S_IAAS = 1 << 6, S_ARBL = 1 << 4, S_SRW = 1 << 2, S_IICIF = 1 << 1, S_RXAK = 1 << 0 };

void i2c_irq(void)
{
    uint8_t status = I2C1_S;
    I2C1_S = S_IICIF | (status & S_ARBL);
    if (status & S_IAAS) {
        if (status & S_SRW) {
            I2C1_C1 |= C1_TX;
            I2C1_D = i2c_next();
        } else {
            i2c_begin();
            I2C1_C1 &= ~C1_TX;
            (void)I2C1_D;
        }
    } else if (!(I2C1_C1 & C1_TX)) {
        i2c_written(I2C1_D);
    } else if (status & S_RXAK) {
        I2C1_C1 &= ~C1_TX;              /* the master has enough: let go of the bus */
        (void)I2C1_D;
    } else {
        I2C1_D = i2c_next();
    }
}

/* --- Pins --- */

void pin_led(bool on) { pin_set(LED, on); }
bool pin_button_pressed(void) { return !pin_level(BUTTON); }
void pin_swclk(bool high) { pin_set(SWCLK, high); }
void pin_swdio(bool high) { pin_set(SWDIO, high); }
bool pin_swdio_level(void) { return pin_level(SWDIO); }
void pin_swdio_drive(bool drive) { pin_drive(SWDIO, drive); }

#define SCGC4_I2C1    (1 << 7)
#define SCGC5_LPUART1 (1 << 21)

void chip_init(void)
{
    COPC = 0;
    SCGC5 |= SCGC5_PORTS | SCGC5_LPUART1;
    start_clocks();
    SOPT2 |= 1 << 28 | 1 << 18;         /* LPUART1 and USB from HIRC */
    SCGC4 |= SCGC4_USB | SCGC4_I2C1;
    USB0_CLK_RECOVER_IRC_EN = 1 << 1;
    USB0_CLK_RECOVER_CTRL = 1 << 7;
    PCR(RXD) = PCR_ALT3 | PCR_PULL_UP;
    PCR(TXD) = PCR_ALT3;
    PCR(SCL) = PCR_ALT2;
    PCR(SDA) = PCR_ALT2;
    PCR(LED) = PCR_GPIO;
    PCR(BUTTON) = PCR_GPIO | PCR_PULL_UP;
    PCR(SWCLK) = PCR_GPIO;
    PCR(SWDIO) = PCR_GPIO | PCR_PULL_UP;
    pin_drive(LED, true);
    pin_drive(SWCLK, true);
    I2C1_A1 = I2C_ADDRESS << 1;
    I2C1_C1 = C1_IICEN | C1_IICIE;
    irq_enable(I2C_IRQ);
    uart_set_baud(9600);
    irq_enable(UART_IRQ);
    systick_every(HIRC_HZ / 1000 * TICK_MS);
}
