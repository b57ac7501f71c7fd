/* What the target of a micro:bit V2 knows of its power: it asks its interface chip, and tells on the serial line.
 *
 * After its start, and whenever button A is pressed, one line with the source of power (0 none, 1 USB, 2 battery, 3 both),
 * the state of the USB connection, and the voltages of battery and input in millivolts. Each event of the interface chip
 * is a line, too. After a long press of the reset button the program does what CODAL does: it has the interface chip
 * power down. With button B held, it wants the red LED dark then.
 */
#include "link.h"
#include "nrf52833.h"
#include "uart.h"

enum { USB_INSERTED = 2, LONG_PRESS = 3, POWER_DOWN = 8 };

static void tell(const char *what, uint32_t number)
{
    uart_puts(what);
    put_number(number, 10, 1);
}

static bool pressed(unsigned pin)
{
    return !(GPIO_IN(0) >> pin & 1);
}

static void tell_power(void)
{
    bool known = read_property(POWER);
    uint32_t source = property_value(0, 1);
    known = known && read_property(USB);
    uint32_t usb = property_value(0, 1);
    known = known && read_property(VOLTAGES);
    if (!known) {
        uart_puts("failed\r\n");
        return;
    }
    tell("power ", source);
    tell(", usb ", usb);
    tell(", battery ", property_value(0, 4) / 1000);
    tell(" mV, input ", property_value(4, 4) / 1000);
    uart_puts(" mV\r\n");
}

static bool look_for_event(void);

static void power_down(void)
{
    bool told = write_property(LED_IN_SLEEP, !pressed(23)) && write_property(POWER_MODE, POWER_DOWN);
    uart_puts(told ? "good night\r\n" : "failed\r\n");
    /* Whoever asked for that has nothing more to do until the next reset, or until the cable is back. */
    while (told) {
        wait_ms(1);
        told = !look_for_event();
    }
}

static bool look_for_event(void)
{
    if (!response_ready() || !read_event())
        return false;
    uint32_t event = property_value(0, 1);
    tell("event ", event);
    uart_puts("\r\n");
    if (event == LONG_PRESS)
        power_down();
    return true;
}

int main(void)
{
    GPIO_PIN_CNF(0, 14) = PIN_CNF_INPUT_PULLUP;
    GPIO_PIN_CNF(0, 23) = PIN_CNF_INPUT_PULLUP;
    uart_init(BAUD_115200);
    link_init();
    /* An event that is the reason of this start comes within the first moments, and a command would drown it. */
    for (unsigned ms = 0; ms < 200; ms++) {
        look_for_event();
        wait_ms(1);
    }
    tell_power();
    for (bool before = false;; wait_ms(1)) {
        look_for_event();
        bool now = pressed(14);
        if (now && !before)
            tell_power();
        before = now;
    }
}
