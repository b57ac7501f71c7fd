/* The 5×5 LED matrix. */
#ifndef DISPLAY_H
#define DISPLAY_H

#include <stdint.h>

/* Brightness of each LED, 0 to 9, by row and column as one sees them. */
extern volatile uint8_t display[5][5];

/* Rows of the circuit shown since the start: 300 a second. */
extern volatile uint32_t display_rows;

void display_init(void);

#endif
