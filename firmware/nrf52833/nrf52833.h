/* The registers of the nRF52833 that these programs use, named as in its product specification. */
#ifndef NRF52833_H
#define NRF52833_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

/* GPIO: P0 at 0x50000000, P1 at 0x50000300. */
#define GPIO_OUTSET(port)       REG(0x50000508 + 0x300 * (port))
#define GPIO_OUTCLR(port)       REG(0x5000050C + 0x300 * (port))
#define GPIO_IN(port)           REG(0x50000510 + 0x300 * (port))
#define GPIO_PIN_CNF(port, pin) REG(0x50000700 + 0x300 * (port) + 4 * (pin))
#define PIN_CNF_OUTPUT          0x1
#define PIN_CNF_INPUT_PULLUP    0xC
#define PIN_CNF_S0D1            (6 << 8)    /* open drain */

/* A pin as PSEL registers and this code name it: port in bit 5. */
#define PIN(port, pin)          (32 * (port) + (pin))

/* GPIOTE: tasks that set a pin. */
#define GPIOTE_TASKS_SET(n)     (0x40006030 + 4 * (n))
#define GPIOTE_CONFIG(n)        REG(0x40006510 + 4 * (n))
#define GPIOTE_MODE_TASK        0x3
#define GPIOTE_PSEL(pin)        ((pin) << 8)
#define GPIOTE_POLARITY_SET     (1 << 16)
#define GPIOTE_OUTINIT(level)   ((uint32_t)(level) << 20)

/* PPI: joins an event with a task. */
#define PPI_CHENSET             REG(0x4001F504)
#define PPI_CH_EEP(n)           REG(0x4001F510 + 8 * (n))
#define PPI_CH_TEP(n)           REG(0x4001F514 + 8 * (n))

/* TIMER4, which has six compare registers. */
#define TIMER4_TASKS_START      REG(0x4001B000)
#define TIMER4_EVENTS_COMPARE(n) (0x4001B140 + 4 * (n))
#define TIMER4_SHORTS           REG(0x4001B200)
#define TIMER4_INTENSET         REG(0x4001B304)
#define TIMER4_PRESCALER        REG(0x4001B510)
#define TIMER4_CC(n)            REG(0x4001B540 + 4 * (n))
#define TIMER4_IRQ              27

/* UARTE0. */
#define UARTE0_TASKS_STARTRX    REG(0x40002000)
#define UARTE0_TASKS_STARTTX    REG(0x40002008)
#define UARTE0_EVENTS_ENDRX     REG(0x40002110)
#define UARTE0_EVENTS_ENDTX     REG(0x40002120)
#define UARTE0_SHORTS           REG(0x40002200)
#define UARTE0_SHORT_ENDRX_STARTRX (1 << 5)
#define UARTE0_INTENSET         REG(0x40002304)
#define UARTE0_INT_ENDRX        (1 << 4)
#define UARTE0_INT_ENDTX        (1 << 8)
#define UARTE0_ENABLE           REG(0x40002500)
#define UARTE0_ENABLED          8
#define UARTE0_PSEL_TXD         REG(0x4000250C)
#define UARTE0_PSEL_RXD         REG(0x40002514)
#define UARTE0_BAUDRATE         REG(0x40002524)
#define UARTE0_RXD_PTR          REG(0x40002534)
#define UARTE0_RXD_MAXCNT       REG(0x40002538)
#define UARTE0_TXD_PTR          REG(0x40002544)
#define UARTE0_TXD_MAXCNT       REG(0x40002548)
#define UARTE0_IRQ              2

/* TWIM0. */
#define TWIM0_TASKS_STARTRX     REG(0x40003000)
#define TWIM0_TASKS_STARTTX     REG(0x40003008)
#define TWIM0_TASKS_STOP        REG(0x40003014)
#define TWIM0_TASKS_RESUME      REG(0x40003020)
#define TWIM0_EVENTS_STOPPED    REG(0x40003104)
#define TWIM0_EVENTS_ERROR      REG(0x40003124)
#define TWIM0_SHORTS            REG(0x40003200)
#define TWIM0_SHORT_LASTTX_STOP (1 << 9)
#define TWIM0_SHORT_LASTRX_STOP (1 << 12)
#define TWIM0_ERRORSRC          REG(0x400034C4)
#define TWIM0_ENABLE            REG(0x40003500)
#define TWIM0_ENABLED           6
#define TWIM0_PSEL_SCL          REG(0x40003508)
#define TWIM0_PSEL_SDA          REG(0x4000350C)
#define TWIM0_FREQUENCY         REG(0x40003524)
#define TWIM0_RXD_PTR           REG(0x40003534)
#define TWIM0_RXD_MAXCNT        REG(0x40003538)
#define TWIM0_TXD_PTR           REG(0x40003544)
#define TWIM0_TXD_MAXCNT        REG(0x40003548)
#define TWIM0_ADDRESS           REG(0x40003588)

/* Core. */
#define NVIC_ISER0              REG(0xE000E100)

static inline void wait_for_interrupt(void) { __asm volatile ("wfi" ::: "memory"); }
static inline void disable_interrupts(void) { __asm volatile ("cpsid i" ::: "memory"); }
static inline void enable_interrupts(void)  { __asm volatile ("cpsie i" ::: "memory"); }

#endif
