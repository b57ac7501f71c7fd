/* The nRF52820 and the nRF52833 as interface chips of the micro:bit V2.2: clock, pins, UARTE0, TWIS0, NVMC (their product
 * specifications, which are one here). Where the signals are and how large the flash is says pins.h of each, which its Makefile includes.
 */
#include "../interface/chip.h"
#include "../interface/cortex_m.h"

#define CORE_HZ 64000000

const uint32_t flash_sector = FLASH_SIZE - 0x1000, flash_sector_size = 0x1000;

#define CLOCK_TASKS_HFCLKSTART     REG32(0x40000000)
#define CLOCK_EVENTS_HFCLKSTARTED  REG32(0x40000100)

/* Pins are numbered through the ports: P1.00 is 32. */
#define PORT(n)    (0x50000000 + 0x300 * ((n) / 32))
#define OUTSET(n)  REG32(PORT(n) + 0x508)
#define OUTCLR(n)  REG32(PORT(n) + 0x50C)
#define IN(n)      REG32(PORT(n) + 0x510)
#define DIRSET(n)  REG32(PORT(n) + 0x518)
#define DIRCLR(n)  REG32(PORT(n) + 0x51C)
#define PIN_CNF(n) REG32(PORT(n) + 0x700 + 4 * ((n) % 32))
#define BIT(n)     (1u << ((n) % 32))
enum { CNF_OUTPUT = 3, CNF_PULL_UP = 3 << 2, CNF_S0D1 = 6 << 8 };

#define NVMC_READY     REG32(0x4001E400)
#define NVMC_CONFIG    REG32(0x4001E504)
#define NVMC_ERASEPAGE REG32(0x4001E508)
enum { CONFIG_READ, CONFIG_WRITE, CONFIG_ERASE };

static void nvmc_wait(void)
{
    while (!(NVMC_READY & 1))
        ;
}

void flash_erase(void)
{
    NVMC_CONFIG = CONFIG_ERASE;
    NVMC_ERASEPAGE = flash_sector;
    nvmc_wait();
    NVMC_CONFIG = CONFIG_READ;
}

void flash_program(uint32_t address, uint32_t word)
{
    NVMC_CONFIG = CONFIG_WRITE;
    REG32(address) = word;
    nvmc_wait();
    NVMC_CONFIG = CONFIG_READ;
}

/* --- UARTE0, a character at a time --- */

#define UARTE0 0x40002000
#define UARTE0_TASKS_STARTRX   REG32(UARTE0 + 0x000)
#define UARTE0_TASKS_STARTTX   REG32(UARTE0 + 0x008)
#define UARTE0_EVENTS_ENDRX    REG32(UARTE0 + 0x110)
#define UARTE0_EVENTS_ENDTX    REG32(UARTE0 + 0x120)
#define UARTE0_SHORTS          REG32(UARTE0 + 0x200)
#define UARTE0_INTENSET        REG32(UARTE0 + 0x304)
#define UARTE0_ENABLE          REG32(UARTE0 + 0x500)
#define UARTE0_PSEL_TXD        REG32(UARTE0 + 0x50C)
#define UARTE0_PSEL_RXD        REG32(UARTE0 + 0x514)
#define UARTE0_BAUDRATE        REG32(UARTE0 + 0x524)
#define UARTE0_RXD_PTR         REG32(UARTE0 + 0x534)
#define UARTE0_RXD_MAXCNT      REG32(UARTE0 + 0x538)
#define UARTE0_TXD_PTR         REG32(UARTE0 + 0x544)
#define UARTE0_TXD_MAXCNT      REG32(UARTE0 + 0x548)
enum { SHORT_ENDRX_STARTRX = 1 << 5, INT_ENDRX = 1 << 4, INT_ENDTX = 1 << 8, ENABLE_UARTE = 8 };

static volatile uint8_t arriving, leaving;
static volatile bool sending;

void uart_set_baud(uint32_t baud)
{
    static const struct { uint32_t baud, value; } rates[] = {
        { 1200, 0x0004F000 }, { 2400, 0x0009D000 }, { 4800, 0x0013B000 }, { 9600, 0x00275000 },
        { 19200, 0x004EA000 }, { 38400, 0x009D0000 }, { 57600, 0x00EB0000 }, { 115200, 0x01D60000 },
        { 230400, 0x03B00000 }, { 460800, 0x07400000 }, { 921600, 0x0F000000 }, { 1000000, 0x10000000 },
    };
    for (unsigned i = 0; i < sizeof rates / sizeof *rates; i++)
        if (rates[i].baud == baud)
            UARTE0_BAUDRATE = rates[i].value;
}

void uart_send_more(void)
{
    uint8_t byte;
    if (!sending && uart_next(&byte)) {
        sending = true;
        leaving = byte;
        UARTE0_TXD_PTR = (uint32_t)&leaving;
        UARTE0_TXD_MAXCNT = 1;
        UARTE0_TASKS_STARTTX = 1;
    }
}

void uart_irq(void)
{
    if (UARTE0_EVENTS_ENDRX) {
        UARTE0_EVENTS_ENDRX = 0;
        uart_received(arriving);
    }
    if (UARTE0_EVENTS_ENDTX) {
        UARTE0_EVENTS_ENDTX = 0;
        sending = false;
        uart_send_more();
    }
}

static void uart_init(void)
{
    OUTSET(TXD) = BIT(TXD);              /* the line idles high, also before the UARTE has it */
    PIN_CNF(TXD) = CNF_OUTPUT;
    PIN_CNF(RXD) = CNF_PULL_UP;
    UARTE0_PSEL_TXD = TXD;
    UARTE0_PSEL_RXD = RXD;
    uart_set_baud(9600);
    UARTE0_RXD_PTR = (uint32_t)&arriving;
    UARTE0_RXD_MAXCNT = 1;
    UARTE0_SHORTS = SHORT_ENDRX_STARTRX;
    UARTE0_INTENSET = INT_ENDRX | INT_ENDTX;
    UARTE0_ENABLE = ENABLE_UARTE;
    irq_enable(UART_IRQ);
    UARTE0_TASKS_STARTRX = 1;
}

/* --- TWIS0: suspended before each read, so that the answer is ready --- */

#define TWIS0 0x40003000
#define TWIS0_TASKS_RESUME     REG32(TWIS0 + 0x020)
#define TWIS0_TASKS_PREPARERX  REG32(TWIS0 + 0x030)
#define TWIS0_TASKS_PREPARETX  REG32(TWIS0 + 0x034)
#define TWIS0_EVENTS_STOPPED   REG32(TWIS0 + 0x104)
#define TWIS0_EVENTS_WRITE     REG32(TWIS0 + 0x164)
#define TWIS0_EVENTS_READ      REG32(TWIS0 + 0x168)
#define TWIS0_SHORTS           REG32(TWIS0 + 0x200)
#define TWIS0_INTENSET         REG32(TWIS0 + 0x304)
#define TWIS0_ENABLE           REG32(TWIS0 + 0x500)
#define TWIS0_PSEL_SCL         REG32(TWIS0 + 0x508)
#define TWIS0_PSEL_SDA         REG32(TWIS0 + 0x50C)
#define TWIS0_RXD_PTR          REG32(TWIS0 + 0x534)
#define TWIS0_RXD_MAXCNT       REG32(TWIS0 + 0x538)
#define TWIS0_RXD_AMOUNT       REG32(TWIS0 + 0x53C)
#define TWIS0_TXD_PTR          REG32(TWIS0 + 0x544)
#define TWIS0_TXD_MAXCNT       REG32(TWIS0 + 0x548)
#define TWIS0_ADDRESS0         REG32(TWIS0 + 0x588)
#define TWIS0_CONFIG           REG32(TWIS0 + 0x594)
enum { SHORT_WRITE_SUSPEND = 1 << 13, SHORT_READ_SUSPEND = 1 << 14 };
enum { INT_STOPPED = 1 << 1, INT_WRITE = 1 << 25, INT_READ = 1 << 26, ENABLE_TWIS = 9 };

static uint8_t written[32], to_read[16];
static bool writing;

static void take_written(void)
{
    if (!writing)
        return;
    writing = false;
    i2c_begin();
    for (unsigned i = 0, count = TWIS0_RXD_AMOUNT; i < count && i < sizeof written; i++)
        i2c_written(written[i]);
}

void i2c_irq(void)
{
    if (TWIS0_EVENTS_WRITE) {
        TWIS0_EVENTS_WRITE = 0;
        writing = true;
        TWIS0_RXD_PTR = (uint32_t)written;
        TWIS0_RXD_MAXCNT = sizeof written;
        TWIS0_TASKS_PREPARERX = 1;
        TWIS0_TASKS_RESUME = 1;
    }
    if (TWIS0_EVENTS_READ) {
        TWIS0_EVENTS_READ = 0;
        take_written();                 /* a repeated start makes no STOPPED */
        for (unsigned i = 0; i < sizeof to_read; i++)
            to_read[i] = i2c_next();
        TWIS0_TXD_PTR = (uint32_t)to_read;
        TWIS0_TXD_MAXCNT = sizeof to_read;
        TWIS0_TASKS_PREPARETX = 1;
        TWIS0_TASKS_RESUME = 1;
    }
    if (TWIS0_EVENTS_STOPPED) {
        TWIS0_EVENTS_STOPPED = 0;
        take_written();
    }
}

static void i2c_init(void)
{
    PIN_CNF(SCL) = CNF_S0D1;
    PIN_CNF(SDA) = CNF_S0D1;
    TWIS0_PSEL_SCL = SCL;
    TWIS0_PSEL_SDA = SDA;
    TWIS0_ADDRESS0 = I2C_ADDRESS;
    TWIS0_CONFIG = 1;
    TWIS0_SHORTS = SHORT_WRITE_SUSPEND | SHORT_READ_SUSPEND;
    TWIS0_INTENSET = INT_STOPPED | INT_WRITE | INT_READ;
    TWIS0_ENABLE = ENABLE_TWIS;
    irq_enable(I2C_IRQ);
}

/* --- Pins --- */

static void pin_set(unsigned pin, bool high)
{
    if (high)
        OUTSET(pin) = BIT(pin);
    else
        OUTCLR(pin) = BIT(pin);
}

void pin_led(bool on) { pin_set(LED, on); }
bool pin_button_pressed(void) { return !(IN(BUTTON) & BIT(BUTTON)); }
void pin_swclk(bool high) { pin_set(SWCLK, high); }
void pin_swdio(bool high) { pin_set(SWDIO, high); }
bool pin_swdio_level(void) { return IN(SWDIO) & BIT(SWDIO); }

void pin_swdio_drive(bool drive)
{
    if (drive)
        DIRSET(SWDIO) = BIT(SWDIO);
    else
        DIRCLR(SWDIO) = BIT(SWDIO);
}

void chip_init(void)
{
    CLOCK_EVENTS_HFCLKSTARTED = 0;
    CLOCK_TASKS_HFCLKSTART = 1;
    while (!CLOCK_EVENTS_HFCLKSTARTED)
        ;
    PIN_CNF(LED) = CNF_OUTPUT;
    PIN_CNF(BUTTON) = CNF_PULL_UP;
    PIN_CNF(SWCLK) = CNF_OUTPUT;
    PIN_CNF(SWDIO) = CNF_PULL_UP;    /* the input stays connected when the pin is driven */
    i2c_init();
    uart_init();
    systick_every(CORE_HZ / 1000 * TICK_MS);
}
