/* The micro:bit V2.2 with an nRF52820. */
#ifndef PINS_H
#define PINS_H

#define FLASH_SIZE 0x40000

enum { SWDIO = 0, SWCLK = 1, BUTTON = 6, RXD = 8, LED = 14, SCL = 28, TXD = 29, SDA = 30 };

#endif
