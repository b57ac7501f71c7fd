/* USB0 in device mode (KL26 reference manual, chapter "Universal Serial Bus OTG Controller").
 *
 * Each endpoint's direction has an even and an odd buffer descriptor, which take turns: next_odd says whose turn it is.
 * One of the two is the controller's at a time. Endpoint 0 always has one for what comes next from the host.
 */
#include "../interface/chip.h"
#include "../interface/cortex_m.h"

#define BASE       0x40072000u
#define ISTAT      REG8(BASE + 0x80)
#define INTEN      REG8(BASE + 0x84)
#define ERRSTAT    REG8(BASE + 0x88)
#define STAT       REG8(BASE + 0x90)
#define CTL        REG8(BASE + 0x94)
#define ADDR       REG8(BASE + 0x98)
#define BDTPAGE1   REG8(BASE + 0x9C)
#define BDTPAGE2   REG8(BASE + 0xB0)
#define BDTPAGE3   REG8(BASE + 0xB4)
#define ENDPT(n)   REG8(BASE + 0xC0 + 4 * (n))
#define USBCTRL    REG8(BASE + 0x100)
#define CONTROL    REG8(BASE + 0x108)
#define USBTRC0    REG8(BASE + 0x10C)

enum { USBRST = 1 << 0, ERROR = 1 << 1, TOKDNE = 1 << 3, SLEEP = 1 << 4, RESUME = 1 << 5, STALL = 1 << 7 };
enum { USBENSOFEN = 1 << 0, ODDRST = 1 << 1, TXSUSPENDTOKENBUSY = 1 << 5 };
enum { EPHSHK = 1 << 0, EPSTALL = 1 << 1, EPTXEN = 1 << 2, EPRXEN = 1 << 3, EPCTLDIS = 1 << 4 };
enum { OWN = 1 << 7, DATA1 = 1 << 6, DTS = 1 << 3 };
#define PID_SETUP 0xD
#define DPPULLUPNONOTG (1 << 4)
#define USBRESET (1 << 7)
#define USBTRC0_ALWAYS (1 << 6)

struct descriptor {
    volatile uint32_t status;           /* byte count from bit 16 */
    uint8_t *volatile buffer;
};

enum { RX, TX };

static struct descriptor table[ENDPOINTS][2][2] __attribute__((aligned(512)));
static uint8_t buffers[ENDPOINTS][2][PACKET] __attribute__((aligned(4)));
static uint8_t next_odd[ENDPOINTS][2], toggle[ENDPOINTS][2];

static void hand_over(unsigned endpoint, unsigned direction, unsigned length, unsigned flags)
{
    struct descriptor *descriptor = &table[endpoint][direction][next_odd[endpoint][direction]];
    descriptor->buffer = buffers[endpoint][direction];
    descriptor->status = length << 16 | OWN | flags | (toggle[endpoint][direction] ? DATA1 : 0);
}

void usb_port_send(unsigned endpoint, const void *data, unsigned length)
{
    const uint8_t *from = data;
    for (unsigned i = 0; i < length; i++)
        buffers[endpoint][TX][i] = from[i];
    hand_over(endpoint, TX, length, DTS);
}

void usb_port_receive(unsigned endpoint)
{
    hand_over(endpoint, RX, PACKET, DTS);
}

/* A SETUP is DATA0 and what follows it is DATA1: whatever comes is taken. */
static void receive_control(void)
{
    hand_over(0, RX, PACKET, 0);
}

void usb_port_control_send(const void *data, unsigned length) { usb_port_send(0, data, length); }
void usb_port_control_accept(void) { usb_port_send(0, 0, 0); }
void usb_port_control_receive(void) {}
void usb_port_control_end(void) {}
void usb_port_control_refuse(void) { ENDPT(0) |= EPSTALL; }
void usb_port_set_address(uint8_t address) { ADDR = address; }

void usb_port_configure(void)
{
    for (unsigned endpoint = ECHO; endpoint < ENDPOINTS; endpoint++) {
        for (unsigned direction = RX; direction <= TX; direction++) {
            table[endpoint][direction][0].status = table[endpoint][direction][1].status = 0;
            toggle[endpoint][direction] = 0;
        }
        ENDPT(endpoint) = EPCTLDIS | EPHSHK | EPTXEN | (endpoint == NOTIFY ? 0 : EPRXEN);
    }
}

static void bus_reset(void)
{
    for (unsigned endpoint = 0; endpoint < ENDPOINTS; endpoint++) {
        ENDPT(endpoint) = 0;
        for (unsigned direction = RX; direction <= TX; direction++) {
            table[endpoint][direction][0].status = table[endpoint][direction][1].status = 0;
            next_odd[endpoint][direction] = toggle[endpoint][direction] = 0;
        }
    }
    CTL |= ODDRST;
    ADDR = 0;
    ERRSTAT = ISTAT = 0xFF;
    CTL = USBENSOFEN;
    ENDPT(0) = EPHSHK | EPTXEN | EPRXEN;
    receive_control();
    usb_reset();
}

static void setup_received(const uint8_t *bytes)
{
    struct setup setup = {
        bytes[0], bytes[1], bytes[2] | bytes[3] << 8, bytes[4] | bytes[5] << 8, bytes[6] | bytes[7] << 8,
    };
    /* What was to be sent for the transfer before it, nobody wants any more. */
    table[0][TX][0].status = table[0][TX][1].status = 0;
    toggle[0][TX] = 1;
    ENDPT(0) &= ~EPSTALL;
    receive_control();
    CTL = USBENSOFEN;                   /* TXSUSPENDTOKENBUSY */
    usb_setup(&setup);
}

static void token_done(uint8_t stat)
{
    unsigned endpoint = stat >> 4, direction = stat >> 3 & 1, odd = stat >> 2 & 1;
    if (endpoint >= ENDPOINTS)
        return;
    uint32_t status = table[endpoint][direction][odd].status;
    unsigned pid = status >> 2 & 0xF, length = status >> 16 & 0x3FF;
    next_odd[endpoint][direction] = !odd;
    toggle[endpoint][direction] ^= 1;
    if (direction == TX) {
        if (endpoint == 0)
            usb_control_sent();
        else
            usb_sent(endpoint);
    } else if (endpoint != 0) {
        usb_received(endpoint, buffers[endpoint][RX], length);
    } else if (pid == PID_SETUP) {
        setup_received(buffers[0][RX]);
    } else {
        if (length)
            usb_control_received(buffers[0][RX], length);
        receive_control();
    }
}

void usb_irq(void)
{
    uint8_t events = ISTAT;
    if (events & USBRST) {
        bus_reset();
        return;
    }
    while (ISTAT & TOKDNE) {
        token_done(STAT);
        ISTAT = TOKDNE;                 /* STAT goes on to the next token */
    }
    if (events & STALL) {
        ENDPT(0) &= ~EPSTALL;
        ISTAT = STALL;
    }
    ISTAT = events & (ERROR | SLEEP | RESUME);
}

void usb_port_attach(void)
{
    USBTRC0 = USBTRC0_ALWAYS | USBRESET;
    while (USBTRC0 & USBRESET)
        ;
    uint32_t at = (uint32_t)table;
    BDTPAGE1 = at >> 8;
    BDTPAGE2 = at >> 16;
    BDTPAGE3 = at >> 24;
    USBTRC0 = USBTRC0_ALWAYS;
    USBCTRL = 0;
    CTL = USBENSOFEN;
    ISTAT = 0xFF;
    INTEN = USBRST | TOKDNE | STALL;
    irq_enable(USB_IRQ);
    CONTROL = DPPULLUPNONOTG;
}
