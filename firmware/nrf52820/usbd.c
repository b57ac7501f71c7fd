/* USBD (nRF52820 product specification, chapter of that name).
 *
 * Packets go through buffers of the controller: EasyDMA carries them to and from RAM when a task says so. An OUT endpoint
 * takes its next packet as soon as the last one has been carried away, so receiving means: carry away what came. The
 * controller answers SET_ADDRESS by itself.
 */
#include "../interface/chip.h"
#include "../interface/cortex_m.h"

#define USBD 0x40027000
#define TASKS_STARTEPIN(n)   REG32(USBD + 0x004 + 4 * (n))
#define TASKS_STARTEPOUT(n)  REG32(USBD + 0x028 + 4 * (n))
#define TASKS_EP0RCVOUT      REG32(USBD + 0x04C)
#define TASKS_EP0STATUS      REG32(USBD + 0x050)
#define TASKS_EP0STALL       REG32(USBD + 0x054)
#define EVENTS_USBRESET      REG32(USBD + 0x100)
#define EVENTS_ENDEPIN(n)    REG32(USBD + 0x108 + 4 * (n))
#define EVENTS_EP0DATADONE   REG32(USBD + 0x128)
#define EVENTS_ENDEPOUT(n)   REG32(USBD + 0x130 + 4 * (n))
#define EVENTS_EP0SETUP      REG32(USBD + 0x15C)
#define EVENTS_EPDATA        REG32(USBD + 0x160)
#define INTENSET             REG32(USBD + 0x304)
#define EVENTCAUSE           REG32(USBD + 0x400)
#define EPDATASTATUS         REG32(USBD + 0x46C)
#define SETUP_BYTE(n)        REG32(USBD + 0x480 + 4 * (n))  /* BMREQUESTTYPE, … WLENGTHH */
#define SIZE_EPOUT(n)        REG32(USBD + 0x4A0 + 4 * (n))
#define ENABLE               REG32(USBD + 0x500)
#define USBPULLUP            REG32(USBD + 0x504)
#define DTOGGLE              REG32(USBD + 0x50C)
#define EPINEN               REG32(USBD + 0x510)
#define EPOUTEN              REG32(USBD + 0x514)
#define EPIN_PTR(n)          REG32(USBD + 0x600 + 0x14 * (n))
#define EPIN_MAXCNT(n)       REG32(USBD + 0x604 + 0x14 * (n))
#define EPOUT_PTR(n)         REG32(USBD + 0x700 + 0x14 * (n))
#define EPOUT_MAXCNT(n)      REG32(USBD + 0x704 + 0x14 * (n))

enum { INT_USBRESET = 1 << 0, INT_EP0DATADONE = 1 << 10, INT_EP0SETUP = 1 << 23, INT_EPDATA = 1 << 24 };
enum { CAUSE_READY = 1 << 11, DTOGGLE_IN = 1 << 7, DTOGGLE_DATA0 = 1 << 8, SET_ADDRESS = 5 };

/* POWER: the supply of the USB controller. */
#define USBREGSTATUS REG32(0x40000438)
#define OUTPUTRDY (1 << 1)

/* Anomaly 187: the controller starts only with these around ENABLE. */
#define ANOMALY_KEY  REG32(0x4006EC00)
#define ANOMALY_USB  REG32(0x4006ED14)

static uint8_t in[ENDPOINTS][PACKET] __attribute__((aligned(4)));
static uint8_t out[ENDPOINTS][PACKET] __attribute__((aligned(4)));
static bool wanted[ENDPOINTS], arrived[ENDPOINTS], control_out;

static void carry_in(unsigned endpoint, const void *data, unsigned length)
{
    const uint8_t *from = data;
    for (unsigned i = 0; i < length; i++)
        in[endpoint][i] = from[i];
    EPIN_PTR(endpoint) = (uint32_t)in[endpoint];
    EPIN_MAXCNT(endpoint) = length;
    EVENTS_ENDEPIN(endpoint) = 0;
    TASKS_STARTEPIN(endpoint) = 1;
    while (!EVENTS_ENDEPIN(endpoint))
        ;
}

static unsigned carry_out(unsigned endpoint)
{
    unsigned length = SIZE_EPOUT(endpoint);
    EPOUT_PTR(endpoint) = (uint32_t)out[endpoint];
    EPOUT_MAXCNT(endpoint) = length;
    EVENTS_ENDEPOUT(endpoint) = 0;
    TASKS_STARTEPOUT(endpoint) = 1;
    while (!EVENTS_ENDEPOUT(endpoint))
        ;
    return length;
}

void usb_port_send(unsigned endpoint, const void *data, unsigned length) { carry_in(endpoint, data, length); }

static void deliver(unsigned endpoint)
{
    if (wanted[endpoint] && arrived[endpoint]) {
        wanted[endpoint] = arrived[endpoint] = false;
        unsigned length = carry_out(endpoint);
        usb_received(endpoint, out[endpoint], length);
    }
}

void usb_port_receive(unsigned endpoint)
{
    wanted[endpoint] = true;
    deliver(endpoint);
}

void usb_port_control_send(const void *data, unsigned length) { carry_in(0, data, length); }
void usb_port_control_accept(void) { TASKS_EP0STATUS = 1; }
void usb_port_control_end(void) { TASKS_EP0STATUS = 1; }
void usb_port_control_refuse(void) { TASKS_EP0STALL = 1; }
void usb_port_set_address(uint8_t address) { (void)address; }

void usb_port_control_receive(void)
{
    control_out = true;
    TASKS_EP0RCVOUT = 1;
}

void usb_port_configure(void)
{
    for (unsigned endpoint = ECHO; endpoint < ENDPOINTS; endpoint++) {
        wanted[endpoint] = arrived[endpoint] = false;
        DTOGGLE = endpoint;
        DTOGGLE = endpoint | DTOGGLE_DATA0;
        DTOGGLE = endpoint | DTOGGLE_IN;
        DTOGGLE = endpoint | DTOGGLE_IN | DTOGGLE_DATA0;
    }
    EPINEN = 1 | 1 << ECHO | 1 << NOTIFY | 1 << SERIAL;
    EPOUTEN = 1 | 1 << ECHO | 1 << SERIAL;
    SIZE_EPOUT(ECHO) = 0;               /* they take packets from now on */
    SIZE_EPOUT(SERIAL) = 0;
}

static void setup_received(void)
{
    uint8_t b[8];
    for (unsigned i = 0; i < 8; i++)
        b[i] = SETUP_BYTE(i);
    struct setup setup = { b[0], b[1], b[2] | b[3] << 8, b[4] | b[5] << 8, b[6] | b[7] << 8 };
    control_out = false;
    if (setup.type != 0 || setup.request != SET_ADDRESS)
        usb_setup(&setup);
}

void usb_irq(void)
{
    if (EVENTS_USBRESET) {
        EVENTS_USBRESET = 0;
        EPINEN = EPOUTEN = 1;
        control_out = false;
        usb_reset();
    }
    if (EVENTS_EP0DATADONE) {
        EVENTS_EP0DATADONE = 0;
        if (control_out) {
            control_out = false;
            unsigned length = carry_out(0);
            usb_control_received(out[0], length);
        } else {
            usb_control_sent();
        }
    }
    if (EVENTS_EPDATA) {
        EVENTS_EPDATA = 0;
        uint32_t status = EPDATASTATUS;
        EPDATASTATUS = status;
        for (unsigned endpoint = ECHO; endpoint < ENDPOINTS; endpoint++) {
            if (status >> endpoint & 1)
                usb_sent(endpoint);
            if (status >> (16 + endpoint) & 1) {
                arrived[endpoint] = true;
                deliver(endpoint);
            }
        }
    }
    if (EVENTS_EP0SETUP) {
        EVENTS_EP0SETUP = 0;
        setup_received();
    }
}

static void anomaly_187(uint32_t value)
{
    ANOMALY_KEY = 0x9375;
    ANOMALY_USB = value;
    ANOMALY_KEY = 0x9375;
}

void usb_port_attach(void)
{
    EVENTCAUSE = CAUSE_READY;
    anomaly_187(3);
    ENABLE = 1;
    while (!(EVENTCAUSE & CAUSE_READY))
        ;
    anomaly_187(0);
    EVENTCAUSE = CAUSE_READY;
    while (!(USBREGSTATUS & OUTPUTRDY))
        ;
    INTENSET = INT_USBRESET | INT_EP0DATADONE | INT_EP0SETUP | INT_EPDATA;
    irq_enable(USB_IRQ);
    USBPULLUP = 1;
}
