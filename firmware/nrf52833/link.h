/* The interface chip on the internal I2C bus.
 *
 * It has two addresses. A command is written to one of them; when the response is ready, the chip pulls P0.25 low, and the
 * response is read. A command of three zeros wakes a sleeping chip and has no response. Events come as responses that
 * nobody asked for.
 */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stdint.h>

#define COMMS           0x70
#define FLASH           0x72

/* What can be read from the chip, or told it. */
enum { BOARD = 1, PROTOCOL, FIRMWARE, POWER, VOLTAGES, USB, POWER_MODE, LED_IN_SLEEP, USER_EVENT, AUTOMATIC_SLEEP };

#define PIECE           240             /* a command has at most 255 bytes */

extern uint8_t command[8 + PIECE], response[8 + PIECE];

void wait_ms(unsigned ms);
void put_number(uint32_t number, uint32_t base, unsigned digits);

/* Sets the pins and the bus up, and waits until the chip answers. */
void link_init(void);

bool response_ready(void);

/* Sends `length` bytes of `command` and fetches `count` bytes of its response; false if none comes. */
bool transact(uint8_t address, unsigned length, unsigned count);

/* Reads a property; its bytes are in `response` from byte 3 on, and their number in byte 2. */
bool read_property(uint8_t property);

/* Fetches an event while a response is ready that nobody asked for. */
bool read_event(void);

/* Sets a property of one byte. */
bool write_property(uint8_t property, uint8_t value);

/* Bytes of a property, least significant first. */
uint32_t property_value(unsigned at, unsigned count);

#endif
