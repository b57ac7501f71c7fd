/* FTFA (KL26 reference manual, chapter "Flash Memory Module"). While it works the flash cannot be read, so the core waits
 * in RAM. */
#include "../interface/chip.h"
#include "../interface/cortex_m.h"

#define FSTAT  REG8(0x40020000)
#define FCCOB3 REG32(0x40020004)        /* FCCOB0 to 3, the command in the highest byte */
#define FCCOB7 REG32(0x40020008)        /* FCCOB4 to 7 */
#define PLACR  REG32(0xF000300C)

enum { CCIF = 1 << 7, RDCOLERR = 1 << 6, ACCERR = 1 << 5, FPVIOL = 1 << 4 };
enum { PROGRAM_LONGWORD = 0x06, ERASE_SECTOR = 0x09 };
#define PLACR_CFCC (1 << 10)            /* clears the flash's cache */

__attribute__((section(".ramcode"), noinline, long_call))
static void launch(void)
{
    FSTAT = CCIF;
    while (!(FSTAT & CCIF))
        ;
}

static void command(uint32_t command, uint32_t address, uint32_t word)
{
    uint32_t primask;
    __asm volatile("mrs %0, primask" : "=r"(primask));
    interrupts_off();
    FSTAT = RDCOLERR | ACCERR | FPVIOL;
    FCCOB3 = command << 24 | address;
    FCCOB7 = word;
    launch();
    PLACR |= PLACR_CFCC;
    if (!primask)
        interrupts_on();
}

void flash_erase(void) { command(ERASE_SECTOR, flash_sector, 0); }
void flash_program(uint32_t address, uint32_t word) { command(PROGRAM_LONGWORD, address, word); }
