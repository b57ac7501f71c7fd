/* Logs data to the interface chip's storage, so that the MICROBIT drive shows it as MY_DATA.HTM.
 *
 * First the program asks who is there: board, protocol, firmware, power and USB. If the drive has no MY_DATA.HTM yet, it
 * erases the storage and writes one: a head of text, samples in binary, which the drive is to show as hexadecimal digits
 * (the encoding window), and a tail of text. If there is one, it reads it back. It tells all of that on the serial line;
 * the display shows a tick or a cross.
 */
#include "display.h"
#include "link.h"
#include "nrf52833.h"
#include "uart.h"

enum { NAME = 1, SIZE, VISIBLE, COMMIT, FORGET, SECTORS, SECTOR_SIZE, REMOUNT, WINDOW, READ, WRITE, ERASE };

#define HEAD_SIZE       512
#define SAMPLES         1300
#define TAIL_SIZE       60
#define LOG_SIZE        (HEAD_SIZE + SAMPLES + TAIL_SIZE)

static const char head[] = "<html><title>A log</title><pre>\n";
static const char tail[] = "\n</pre></html>\n";

static uint8_t logged[LOG_SIZE];

static bool ask(const char *what, uint8_t property, uint32_t base, unsigned digits)
{
    if (!read_property(property))
        return false;
    uart_puts(what);
    put_number(property_value(0, response[2]), base, digits);
    uart_puts("\r\n");
    return true;
}

static unsigned put_be32(unsigned at, uint32_t value)
{
    for (unsigned n = 0; n < 4; n++)
        command[at + n] = (uint8_t)(value >> (24 - 8 * n));
    return at + 4;
}

static bool set_name(const char name[11])
{
    command[0] = NAME;
    for (unsigned n = 0; n < 11; n++)
        command[1 + n] = (uint8_t)name[n];
    return transact(FLASH, 12, 12);
}

static bool simple(uint8_t id)
{
    command[0] = id;
    return transact(FLASH, 1, 2);
}

static bool set_number(uint8_t id, uint32_t number)
{
    command[0] = id;
    return transact(FLASH, put_be32(1, number), 5);
}

/* Erases from sector `first` to sector `last`. */
static bool erase(uint32_t first, uint32_t last, uint32_t sector_size)
{
    put_be32(0, (uint32_t)ERASE << 24 | first * sector_size);
    put_be32(4, last * sector_size);
    return transact(FLASH, 8, 1);
}

static bool write_log(void)
{
    for (unsigned at = 0; at < LOG_SIZE; at += PIECE) {
        unsigned count = LOG_SIZE - at < PIECE ? LOG_SIZE - at : PIECE;
        put_be32(0, (uint32_t)WRITE << 24 | at);
        put_be32(4, count);
        for (unsigned n = 0; n < count; n++)
            command[8 + n] = logged[at + n];
        if (!transact(FLASH, 8 + count, 8 + count))
            return false;
        for (unsigned n = 0; n < count; n++)
            if (response[8 + n] != logged[at + n])
                return false;
    }
    return true;
}

static bool log_is_there(void)
{
    for (unsigned at = 0; at < LOG_SIZE; at += PIECE) {
        unsigned count = LOG_SIZE - at < PIECE ? LOG_SIZE - at : PIECE;
        put_be32(0, (uint32_t)READ << 24 | at);
        put_be32(4, count);
        if (!transact(FLASH, 8, 8 + count))
            return false;
        for (unsigned n = 0; n < count; n++)
            if (response[8 + n] != logged[at + n])
                return false;
    }
    return true;
}

static void make_log(void)
{
    for (unsigned n = 0; n < HEAD_SIZE; n++)
        logged[n] = n < sizeof head - 1 ? (uint8_t)head[n] : ' ';
    for (unsigned n = 0; n < SAMPLES; n++)
        logged[HEAD_SIZE + n] = (uint8_t)(n * n / 7 + n);
    for (unsigned n = 0; n < TAIL_SIZE; n++)
        logged[HEAD_SIZE + SAMPLES + n] = n < sizeof tail - 1 ? (uint8_t)tail[n] : ' ';
}

static bool run(void)
{
    if (!ask("board ", BOARD, 16, 4) || !ask("protocol ", PROTOCOL, 10, 1) || !ask("firmware ", FIRMWARE, 10, 4)
        || !ask("power ", POWER, 10, 1) || !ask("usb ", USB, 10, 1))
        return false;

    command[0] = SECTORS;
    if (!transact(FLASH, 1, 2))
        return false;
    uint32_t sectors = response[1];
    command[0] = SECTOR_SIZE;
    if (!transact(FLASH, 1, 3))
        return false;
    uint32_t sector_size = (uint32_t)response[1] << 8 | response[2];
    put_number(sectors, 10, 1);
    uart_puts(" sectors of ");
    put_number(sector_size, 10, 1);
    uart_puts("\r\n");

    command[0] = VISIBLE;
    if (!transact(FLASH, 1, 2))
        return false;
    if (response[1]) {
        if (!log_is_there())
            return false;
        uart_puts("the log is there\r\n");
        return true;
    }
    uint32_t last = (LOG_SIZE - 1) / sector_size;
    if (!erase(0, last, sector_size) || !write_log())
        return false;
    if (!set_name("MY_DATA HTM") || !set_number(SIZE, LOG_SIZE))
        return false;
    command[0] = WINDOW;
    put_be32(1, HEAD_SIZE);
    put_be32(5, HEAD_SIZE + SAMPLES);
    /* Firmware 0255 knows of no encoding window and refuses: its file shows the samples as they are. */
    if (!transact(FLASH, 9, 9))
        uart_puts("no encoding window\r\n");
    command[0] = VISIBLE;
    command[1] = 1;
    if (!transact(FLASH, 2, 2) || !simple(COMMIT) || !simple(REMOUNT))
        return false;
    uart_puts("logged\r\n");
    return true;
}

static void show(const char *const picture[5])
{
    for (unsigned row = 0; row < 5; row++)
        for (unsigned column = 0; column < 5; column++)
            display[row][column] = picture[row][column] == '#' ? 9 : 0;
}

static const char *const tick[5] = {".....", "....#", "...#.", "#.#..", ".#..."};
static const char *const cross[5] = {"#...#", ".#.#.", "..#..", ".#.#.", "#...#"};

int main(void)
{
    uart_init(BAUD_115200);
    display_init();
    make_log();
    link_init();
    bool done = run();
    if (!done)
        uart_puts("failed\r\n");
    show(done ? tick : cross);
    for (;;)
        wait_for_interrupt();
}
