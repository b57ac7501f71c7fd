/* The registers of the nRF51822 that these programs use, named as in its reference manual. */
#ifndef NRF51822_H
#define NRF51822_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

/* POWER: both blocks of RAM are on after a reset, as the reference manual has it; start-up code makes sure. */
#define POWER_RAMON             REG(0x40000524)

/* GPIO. */
#define GPIO_OUTSET             REG(0x50000508)
#define GPIO_OUTCLR             REG(0x5000050C)
#define GPIO_IN                 REG(0x50000510)
#define GPIO_PIN_CNF(pin)       REG(0x50000700 + 4 * (pin))
#define PIN_CNF_OUTPUT          0x1
#define PIN_CNF_INPUT_PULLUP    0xC

/* TIMER1, 16 bits wide. */
#define TIMER1_TASKS_START      REG(0x40009000)
#define TIMER1_EVENTS_COMPARE0  REG(0x40009140)
#define TIMER1_SHORTS           REG(0x40009200)
#define TIMER1_INTENSET         REG(0x40009304)
#define TIMER1_PRESCALER        REG(0x40009510)
#define TIMER1_CC0              REG(0x40009540)
#define TIMER1_IRQ              9

/* UART0. */
#define UART0_TASKS_STARTRX     REG(0x40002000)
#define UART0_TASKS_STARTTX     REG(0x40002008)
#define UART0_EVENTS_RXDRDY     REG(0x40002108)
#define UART0_EVENTS_TXDRDY     REG(0x4000211C)
#define UART0_INTENSET          REG(0x40002304)
#define UART0_INT_RXDRDY        (1 << 2)
#define UART0_INT_TXDRDY        (1 << 7)
#define UART0_ENABLE            REG(0x40002500)
#define UART0_ENABLED           4
#define UART0_PSELTXD           REG(0x4000250C)
#define UART0_PSELRXD           REG(0x40002514)
#define UART0_RXD               REG(0x40002518)
#define UART0_TXD               REG(0x4000251C)
#define UART0_BAUDRATE          REG(0x40002524)
#define UART0_IRQ               2

/* Core. */
#define NVIC_ISER               REG(0xE000E100)

static inline void wait_for_interrupt(void) { __asm volatile ("wfi" ::: "memory"); }
static inline void disable_interrupts(void) { __asm volatile ("cpsid i" ::: "memory"); }
static inline void enable_interrupts(void)  { __asm volatile ("cpsie i" ::: "memory"); }

#endif
