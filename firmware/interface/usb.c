/* A device with a vendor function (bulk echo) and a serial port: descriptors, and endpoint 0 (USB 2.0 chapter 9,
 * CDC PSTN 1.2). All of it runs in the USB interrupt. */
#include "chip.h"
#include "usb.h"

static const uint8_t device[] = {
    18, 1, 0x00, 0x02, 0xEF, 2, 1, 64,
    0x09, 0x12, 0x01, 0x00,             /* pid.codes' test id */
    0x00, 0x01, 1, 2, 0, 1,
};

static const uint8_t configuration[] = {
    9, 2, 98, 0, 3, 1, 0, 0x80, 50,
    9, 4, 0, 0, 2, 0xFF, 0, 0, 0,       /* vendor: echo */
    7, 5, 0x80 | ECHO, 2, PACKET, 0, 0,
    7, 5, ECHO, 2, PACKET, 0, 0,
    8, 11, 1, 2, 2, 2, 0, 0,            /* serial port: interfaces 1 and 2 */
    9, 4, 1, 0, 1, 2, 2, 1, 0,
    5, 0x24, 0, 0x10, 0x01,
    5, 0x24, 1, 0, 2,
    4, 0x24, 2, 2,
    5, 0x24, 6, 1, 2,
    7, 5, 0x80 | NOTIFY, 3, 8, 0, 255,
    9, 4, 2, 0, 2, 10, 0, 0, 0,
    7, 5, 0x80 | SERIAL, 2, PACKET, 0, 0,
    7, 5, SERIAL, 2, PACKET, 0, 0,
};
_Static_assert(sizeof configuration == 98, "wTotalLength");

static const uint8_t languages[] = { 4, 3, 0x09, 0x04 };

static const char *const strings[] = { "twinboard", "Interface " CHIP_NAME };

enum { GET_STATUS = 0, SET_ADDRESS = 5, GET_DESCRIPTOR = 6, GET_CONFIGURATION = 8, SET_CONFIGURATION = 9,
       GET_INTERFACE = 10, SET_INTERFACE = 11 };
enum { SET_LINE_CODING = 0x20, GET_LINE_CODING = 0x21, SET_CONTROL_LINE_STATE = 0x22 };

static uint8_t line_coding[7] = { 0x80, 0x25, 0, 0, 0, 0, 8 };  /* 9600 baud, 8N1 */
static uint8_t buffer[PACKET];
static uint8_t configured;
static uint8_t new_address;             /* counts from the end of the status stage */

/* The data stage to the host. */
static const uint8_t *sending;
static unsigned left;
static bool zlp, in_data_stage;

static void send_packet(void)
{
    unsigned length = left < PACKET ? left : PACKET;
    const uint8_t *from = sending;
    sending += length;
    left -= length;
    if (length < PACKET)
        zlp = false;
    usb_port_control_send(from, length);
}

void usb_answer(const struct setup *setup, const void *data, unsigned length)
{
    sending = data;
    left = length < setup->length ? length : setup->length;
    zlp = left < setup->length;         /* if the last packet is a whole one */
    in_data_stage = true;
    send_packet();
}

void usb_control_sent(void)
{
    if (in_data_stage) {
        if (left || zlp) {
            send_packet();
        } else {
            in_data_stage = false;
            usb_port_control_end();
        }
    } else if (new_address) {
        usb_port_set_address(new_address);
        new_address = 0;
    }
}

static unsigned make_string(const char *text)
{
    unsigned length = 2;
    for (; *text && length + 2 <= PACKET; text++) {
        buffer[length++] = *text;
        buffer[length++] = 0;
    }
    buffer[0] = length;
    buffer[1] = 3;
    return length;
}

static bool descriptor(const struct setup *setup)
{
    unsigned index = setup->value & 0xFF;
    switch (setup->value >> 8) {
    case 1:
        usb_answer(setup, device, sizeof device);
        return true;
    case 2:
        usb_answer(setup, configuration, sizeof configuration);
        return index == 0;
    case 3:
        if (index == 0)
            usb_answer(setup, languages, sizeof languages);
        else if (index <= sizeof strings / sizeof *strings)
            usb_answer(setup, buffer, make_string(strings[index - 1]));
        else
            return false;
        return true;
    default:
        return false;
    }
}

static bool standard(const struct setup *setup)
{
    switch (setup->request) {
    case GET_STATUS:
        buffer[0] = buffer[1] = 0;
        usb_answer(setup, buffer, 2);
        return true;
    case SET_ADDRESS:
        new_address = setup->value & 0x7F;
        usb_port_control_accept();
        return true;
    case GET_DESCRIPTOR:
        return descriptor(setup);
    case GET_CONFIGURATION:
        usb_answer(setup, &configured, 1);
        return true;
    case SET_CONFIGURATION:
        if (setup->value > 1)
            return false;
        configured = setup->value;
        if (configured) {
            usb_port_configure();
            usb_configured();
        }
        usb_port_control_accept();
        return true;
    case GET_INTERFACE:
        buffer[0] = 0;
        usb_answer(setup, buffer, 1);
        return true;
    case SET_INTERFACE:
        usb_port_control_accept();
        return setup->value == 0;
    default:
        return false;
    }
}

static bool serial_port(const struct setup *setup)
{
    switch (setup->request) {
    case SET_LINE_CODING:
        if (setup->length != sizeof line_coding)
            return false;
        usb_port_control_receive();
        return true;
    case GET_LINE_CODING:
        usb_answer(setup, line_coding, sizeof line_coding);
        return true;
    case SET_CONTROL_LINE_STATE:
        usb_port_control_accept();
        return true;
    default:
        return false;
    }
}

void usb_control_received(const uint8_t *data, unsigned length)
{
    if (length != sizeof line_coding) {
        usb_port_control_refuse();
        return;
    }
    for (unsigned i = 0; i < length; i++)
        line_coding[i] = data[i];
    uart_set_baud(data[0] | data[1] << 8 | data[2] << 16 | (uint32_t)data[3] << 24);
    usb_port_control_accept();
}

void usb_setup(const struct setup *setup)
{
    bool understood = false;
    in_data_stage = false;
    new_address = 0;
    switch (setup->type & 0x7F) {
    case 0x00: case 0x01: case 0x02:
        understood = standard(setup);
        break;
    case 0x21:
        understood = serial_port(setup);
        break;
    case 0x40:
        understood = usb_vendor_request(setup);
        break;
    }
    if (!understood)
        usb_port_control_refuse();
}

void usb_reset(void)
{
    configured = 0;
    new_address = 0;
    in_data_stage = false;
}
