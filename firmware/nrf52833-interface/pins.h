/* The micro:bit V2.2 of the limited run, with an nRF52833; the button is on P1.09. */
#ifndef PINS_H
#define PINS_H

#define FLASH_SIZE 0x80000

enum { SWDIO = 0, SWCLK = 1, TXD = 2, RXD = 3, LED = 15, SDA = 28, SCL = 29, BUTTON = 32 + 9 };

#endif
