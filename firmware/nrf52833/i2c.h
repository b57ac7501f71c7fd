/* The internal I2C bus: TWIM0 at 100 or 400 kHz on P0.08 and P0.16. */
#ifndef I2C_H
#define I2C_H

#include <stdint.h>

/* Values of the FREQUENCY register. */
#define I2C_100_KHZ 0x01980000
#define I2C_400_KHZ 0x06400000

void i2c_init(uint32_t frequency);

/* Writes or reads `count` bytes in RAM; 0 if the other end acknowledged all of them, else ERRORSRC. */
uint32_t i2c_write(uint8_t address, const uint8_t *bytes, uint32_t count);
uint32_t i2c_read(uint8_t address, uint8_t *bytes, uint32_t count);

#endif
