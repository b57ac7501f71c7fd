/* Registers of the core that every chip has (Armv6-M reference manual, chapter B3). */
#ifndef CORTEX_M_H
#define CORTEX_M_H

#include <stdint.h>

#define REG8(address)  (*(volatile uint8_t *)(address))
#define REG16(address) (*(volatile uint16_t *)(address))
#define REG32(address) (*(volatile uint32_t *)(address))

#define SYST_CSR   REG32(0xE000E010)
#define SYST_RVR   REG32(0xE000E014)
#define SYST_CVR   REG32(0xE000E018)
#define NVIC_ISER(n) REG32(0xE000E100 + 4 * ((n) / 32))

static inline void systick_every(uint32_t cycles)
{
    SYST_RVR = cycles - 1;
    SYST_CVR = 0;
    SYST_CSR = 7;                       /* the core's clock, with interrupt */
}

static inline void irq_enable(unsigned irq)
{
    NVIC_ISER(irq) = 1u << (irq % 32);
}

#endif
