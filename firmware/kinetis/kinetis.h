/* Ports, pins and clock gates of the Kinetis L chips (reference manual, chapters PORT, GPIO, SIM). */
#ifndef KINETIS_H
#define KINETIS_H

#include <stdbool.h>

#include "../interface/cortex_m.h"

enum { A, B, C, D, E };
#define PIN(port, number) (32 * (port) + (number))
#define PCR(pin) REG32(0x40049000 + 0x1000 * ((pin) / 32) + 4 * ((pin) % 32))
enum { PCR_PULL_DOWN = 2, PCR_PULL_UP = 3, PCR_ANALOG = 0, PCR_GPIO = 1 << 8, PCR_ALT2 = 2 << 8, PCR_ALT3 = 3 << 8 };

#define PSOR(port) REG32(0x400FF004 + 0x40 * (port))
#define PCOR(port) REG32(0x400FF008 + 0x40 * (port))
#define PDIR(port) REG32(0x400FF010 + 0x40 * (port))
#define PDDR(port) REG32(0x400FF014 + 0x40 * (port))

#define SOPT2   REG32(0x40048004)
#define SCGC4   REG32(0x40048034)
#define SCGC5   REG32(0x40048038)
#define CLKDIV1 REG32(0x40048044)
#define COPC    REG32(0x40048100)
#define SCGC5_PORTS (0x1F << 9)
#define SCGC4_USB   (1 << 18)

static inline void pin_set(unsigned pin, bool high)
{
    if (high)
        PSOR(pin / 32) = 1u << pin % 32;
    else
        PCOR(pin / 32) = 1u << pin % 32;
}

static inline bool pin_level(unsigned pin) { return PDIR(pin / 32) >> pin % 32 & 1; }

static inline void pin_drive(unsigned pin, bool output)
{
    if (output)
        PDDR(pin / 32) |= 1u << pin % 32;
    else
        PDDR(pin / 32) &= ~(1u << pin % 32);
}

#endif
