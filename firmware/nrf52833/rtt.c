/* Talks to the debugger through memory: a control block that the debugger finds by its first 16 bytes, with a ring
 * buffer in each direction (SEGGER's "Real Time Transfer", by the layout that SEGGER documents). It counts, and echoes
 * what it gets in capitals. Built with LAST_ROUND it then asks the debugger, if there is one, to end the session.
 */
#include <stdint.h>

#define REG(address)    (*(volatile uint32_t *)(address))
#define DHCSR           REG(0xE000EDF0)
#define C_DEBUGEN       1

#define ROUND_LOOPS     50000           /* some 10 ms; the nRF51822's core has no SysTick */

/* One direction of a channel. Of the two offsets the writer moves `write`, the reader `read`. */
struct ring {
    const char *name;
    char *buffer;
    uint32_t size;
    volatile uint32_t write, read;
    uint32_t flags;                     /* 0: what does not fit is dropped */
};

static char to_debugger[1024], from_debugger[16];

/* The name is what debuggers look for in the symbols. */
struct {
    volatile char id[16];
    uint32_t up_channels, down_channels;
    struct ring up, down;
} _SEGGER_RTT = {
    .up_channels = 1,
    .down_channels = 1,
    .up = {"Terminal", to_debugger, sizeof to_debugger, 0, 0, 0},
    .down = {"Terminal", from_debugger, sizeof from_debugger, 0, 0, 0},
};

static void put(char c)
{
    struct ring *up = &_SEGGER_RTT.up;
    uint32_t next = (up->write + 1) % up->size;
    if (next != up->read) {
        up->buffer[up->write] = c;
        __asm volatile ("dmb" ::: "memory");    /* the byte first, then the offset that shows it */
        up->write = next;
    }
}

static int get(void)
{
    struct ring *down = &_SEGGER_RTT.down;
    if (down->read == down->write)
        return -1;
    char c = down->buffer[down->read];
    down->read = (down->read + 1) % down->size;
    return c;
}

static void puts_number(const char *text, uint32_t number)
{
    char digits[10];
    unsigned count = 0;
    while (*text)
        put(*text++);
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        put(digits[--count]);
    put('\n');
}

int main(void)
{
    /* Written last and backwards, so that the image in flash is not mistaken for the block. */
    static const char id[16] = "\0\0\0\0\0\0TTR REGGES";
    for (unsigned n = 0; n < sizeof id; n++)
        _SEGGER_RTT.id[n] = id[sizeof id - 1 - n];

    for (uint32_t round = 1;; round++) {
        puts_number("round ", round);
        for (int c; (c = get()) >= 0;)
            put((char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c));
#ifdef LAST_ROUND
        if (round == LAST_ROUND && DHCSR & C_DEBUGEN) {
            register uint32_t r0 __asm("r0") = 0x18;            /* SYS_EXIT */
            register uint32_t r1 __asm("r1") = 0x20026;         /* ADP_Stopped_ApplicationExit */
            __asm volatile ("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
        }
#endif
        for (volatile uint32_t n = 0; n < ROUND_LOOPS; n++)
            ;
    }
}
