/* A small interface firmware: a bulk echo, a serial port that leads to the target's UART, and vendor requests.
 *
 *   0xC0 1   DPIDR of the target, as its wire says: 4 bytes; refused if the target does not answer
 *   0xC0 2   how often this program has started: 4 bytes, kept in the last sector of flash
 *   0xC0 3   the reset button: 1 byte, 1 while it is pressed
 *   0xC0 4   SysTick interrupts since the start: 4 bytes
 *   0x40 5   begins to count anew: erases the sector
 *
 * As an I2C slave at 0x70: a write sets the register that the next read begins with.
 *
 *   0 to 3   "TWIN"
 *   4 to 7   how often this program has started, little endian
 *   8 to 15  what a master wrote there
 */
#include "chip.h"
#include "swd.h"
#include "usb.h"

#define RING 256                        /* so that an 8-bit index wraps by itself */

struct ring {
    uint8_t bytes[RING];
    volatile uint8_t put, taken;        /* equal: empty */
};

static struct ring to_target, from_target;
static volatile uint32_t ticks;
static uint32_t answer;

static uint8_t echo[PACKET];
static uint8_t serial_out[PACKET];
static volatile uint8_t serial_waits;   /* bytes of serial_out that the ring has no room for yet */
static volatile bool serial_in_busy;
static volatile bool connected;

static uint8_t free_bytes(const struct ring *ring)
{
    return (uint8_t)(ring->taken - ring->put - 1);
}

/* --- The counter: one long-word per start, the last one counts --- */

static const volatile uint32_t *counter_end(void)
{
    const volatile uint32_t *word = (const volatile uint32_t *)flash_sector;
    const volatile uint32_t *end = word + flash_sector_size / 4;
    while (word < end && *word != ~0u)
        word++;
    return word;
}

static uint32_t counter(void)
{
    const volatile uint32_t *end = counter_end();
    return (uint32_t)end == flash_sector ? 0 : end[-1];
}

static void count_start(void)
{
    uint32_t value = counter() + 1, end = (uint32_t)counter_end();
    if (end == flash_sector + flash_sector_size) {
        flash_erase();
        end = flash_sector;
    }
    flash_program(end, value);
}

/* --- UART and its rings --- */

bool uart_next(uint8_t *byte)
{
    if (to_target.taken == to_target.put)
        return false;
    *byte = to_target.bytes[to_target.taken];
    to_target.taken++;
    return true;
}

void uart_received(uint8_t byte)
{
    if (free_bytes(&from_target)) {
        from_target.bytes[from_target.put] = byte;
        from_target.put++;
    }
}

/* Moves what can be moved between the cable and the UART. */
static void bridge(void)
{
    static uint8_t packet[PACKET];
    interrupts_off();
    if (serial_waits && free_bytes(&to_target) >= PACKET) {
        for (unsigned i = 0; i < serial_waits; i++) {
            to_target.bytes[to_target.put] = serial_out[i];
            to_target.put++;
        }
        serial_waits = 0;
        uart_send_more();
        usb_port_receive(SERIAL);
    }
    if (connected && !serial_in_busy && from_target.taken != from_target.put) {
        unsigned length = 0;
        /* Less than a whole packet: nobody has to wait for more. */
        while (length < PACKET - 1 && from_target.taken != from_target.put) {
            packet[length++] = from_target.bytes[from_target.taken];
            from_target.taken++;
        }
        serial_in_busy = true;
        usb_port_send(SERIAL, packet, length);
    }
    interrupts_on();
}

/* --- USB --- */

void usb_configured(void)
{
    connected = true;
    serial_in_busy = false;
    serial_waits = 0;
    usb_port_receive(ECHO);
    usb_port_receive(SERIAL);
}

void usb_received(unsigned endpoint, const uint8_t *data, unsigned length)
{
    if (endpoint == ECHO) {
        for (unsigned i = 0; i < length; i++)
            echo[i] = data[i];
        usb_port_send(ECHO, echo, length);
    } else if (endpoint == SERIAL) {
        for (unsigned i = 0; i < length; i++)
            serial_out[i] = data[i];
        serial_waits = length;
        if (!length)
            usb_port_receive(SERIAL);
    }
}

void usb_sent(unsigned endpoint)
{
    if (endpoint == ECHO)
        usb_port_receive(ECHO);
    else if (endpoint == SERIAL)
        serial_in_busy = false;
}

bool usb_vendor_request(const struct setup *setup)
{
    if (setup->type == 0x40 && setup->request == 5) {
        flash_erase();
        usb_port_control_accept();
        return true;
    }
    if (setup->type != 0xC0)
        return false;
    switch (setup->request) {
    case 1:
        if (!swd_read_dpidr(&answer))
            return false;
        break;
    case 2:
        answer = counter();
        break;
    case 3:
        answer = pin_button_pressed();
        usb_answer(setup, &answer, 1);
        return true;
    case 4:
        answer = ticks;
        break;
    default:
        return false;
    }
    usb_answer(setup, &answer, sizeof answer);
    return true;
}

/* --- I2C --- */

static uint8_t registers[16] = "TWIN";
static uint8_t selected;
static bool selecting;

void i2c_begin(void)
{
    selecting = true;
}

void i2c_written(uint8_t byte)
{
    if (selecting) {
        selected = byte;
        selecting = false;
    } else {
        if (selected >= 8 && selected < sizeof registers)
            registers[selected] = byte;
        selected++;
    }
}

uint8_t i2c_next(void)
{
    uint8_t byte = selected < sizeof registers ? registers[selected] : 0xFF;
    selected++;
    return byte;
}

/* --- */

void systick(void)
{
    ticks++;
    pin_led(ticks / (250 / TICK_MS) & 1);
}

int main(void)
{
    chip_init();
    count_start();
    uint32_t count = counter();
    for (unsigned i = 0; i < 4; i++)
        registers[4 + i] = count >> 8 * i;
    usb_port_attach();
    for (;;) {
        bridge();
        wait_for_interrupt();
    }
}
