/* What the interface firmware wants from its chip, and what the chip's part calls. One implementation per chip. */
#ifndef CHIP_H
#define CHIP_H

#include <stdbool.h>
#include <stdint.h>

#define PACKET 64                       /* bytes of the largest USB packet */

/* Clocks, pins, SysTick every TICK_MS, UART at 9600 baud. */
void chip_init(void);
#define TICK_MS 10

static inline void interrupts_off(void) { __asm volatile("cpsid i" ::: "memory"); }
static inline void interrupts_on(void) { __asm volatile("cpsie i" ::: "memory"); }
static inline void wait_for_interrupt(void) { __asm volatile("wfi" ::: "memory"); }

/* --- Pins --- */
void pin_led(bool on);
bool pin_button_pressed(void);
void pin_swclk(bool high);
void pin_swdio(bool high);
bool pin_swdio_level(void);
void pin_swdio_drive(bool drive);

/* --- Flash: the last sector is the program's to write --- */
extern const uint32_t flash_sector, flash_sector_size;
void flash_erase(void);
void flash_program(uint32_t address, uint32_t word);

/* --- UART --- */
void uart_set_baud(uint32_t baud);
void uart_send_more(void);              /* the ring has something: see that it goes out */
bool uart_next(uint8_t *byte);          /* called by the chip: what to send next, if there is something */
void uart_received(uint8_t byte);       /* called by the chip */

/* --- I2C slave, where the board has the wires: called by the chip --- */
#define I2C_ADDRESS 0x70
void i2c_begin(void);                   /* addressed */
void i2c_written(uint8_t byte);
uint8_t i2c_next(void);

/* --- USB --- */
struct setup {
    uint8_t type, request;
    uint16_t value, index, length;
};

void usb_port_attach(void);
void usb_port_configure(void);          /* endpoints ECHO and SERIAL start with DATA0 */
void usb_port_send(unsigned endpoint, const void *data, unsigned length);
void usb_port_receive(unsigned endpoint);               /* takes one packet */
void usb_port_set_address(uint8_t address);

/* Stages of a control transfer. */
void usb_port_control_send(const void *data, unsigned length);   /* one packet of a data stage */
void usb_port_control_receive(void);    /* one packet of a data stage */
void usb_port_control_accept(void);     /* status stage to the host */
void usb_port_control_end(void);        /* status stage from the host */
void usb_port_control_refuse(void);

/* Called by the chip's controller. */
void usb_reset(void);
void usb_setup(const struct setup *setup);
void usb_control_sent(void);            /* the packet of a data stage, or the status stage */
void usb_control_received(const uint8_t *data, unsigned length);
void usb_sent(unsigned endpoint);
void usb_received(unsigned endpoint, const uint8_t *data, unsigned length);

enum { ECHO = 1, NOTIFY = 2, SERIAL = 3, ENDPOINTS = 4 };

#endif
