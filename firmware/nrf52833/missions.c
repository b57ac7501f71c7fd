/* What a debugger is asked to look at, one mission each: programs that are interrupted, that sleep, crash, lock up, talk to
 * the debugger. The debugger writes the number of a mission; until then, and after one that ends, the program waits
 * in idle().
 *
 * The program uses nothing but the core and the flash controller, so that it also runs on the nRF51822. That one's core
 * has no SysTick, no MPU and no faults but HardFault: the missions that need them are the nRF52833's.
 */
#include <stdint.h>

#define REG(address)    (*(volatile uint32_t *)(address))

#define SYST_CSR        REG(0xE000E010)
#define SYST_RVR        REG(0xE000E014)
#define SYST_CVR        REG(0xE000E018)
#define SYST_RUNNING    0x7             /* processor clock, interrupt, enable */
#define SHCSR           REG(0xE000ED24)
#define SHCSR_FAULTS    (7 << 16)       /* UsageFault, BusFault, MemManage have handlers of their own */
#define CCR             REG(0xE000ED14)
#define CCR_DIV_0_TRP   (1 << 4)
#define MPU_CTRL        REG(0xE000ED94)
#define MPU_RNR         REG(0xE000ED98)
#define MPU_RBAR        REG(0xE000ED9C)
#define MPU_RASR        REG(0xE000EDA0)

#define NVMC_READY      REG(0x4001E400)
#define NVMC_CONFIG     REG(0x4001E504)
#define NVMC_ERASEPAGE  REG(0x4001E508)
#define NVMC_READ       0
#define NVMC_ERASE      2

#define TICK_CYCLES     2000
#define NOWHERE         0x68000000      /* no memory, no peripheral */
#define SCRATCH_PAGE    0x10000

enum mission {
    IDLE,
    COUNT,              /* counts for ever */
    COUNT_AND_TICK,     /* the same, interrupted by SysTick */
    COUNT_IN_RAM,       /* code in RAM counts */
    SLEEP,              /* WFI, woken by SysTick */
    SLEEP_FOR_EVER,     /* WFI, woken by nothing */
    WAIT_FOR_EVENT,     /* WFE, woken by nothing */
    LOAD_FROM_NOWHERE,  /* BusFault */
    STORE_TO_GUARDED,   /* MemManage: the MPU forbids it */
    DIVIDE_BY_ZERO,     /* UsageFault */
    ESCALATE,           /* a BusFault without a handler: HardFault */
    LOCK_UP,            /* a fault in HardFault */
    ERASE_A_PAGE,       /* the core stands still for 85 ms */
    CALL_THE_DEBUGGER,  /* semihosting: SYS_WRITE0, then SYS_EXIT */
};

volatile enum mission mission;
volatile uint32_t counter, ticks, woken, faults, erased;
volatile uint32_t guarded[8] __attribute__((aligned(32)));

/* The bits of a fault stay to be looked at; the handler waits for the debugger. */
__attribute__((noinline, used))
void crashed(void)
{
    for (;;)
        faults++;
}

void systick(void)
{
    ticks++;
}

void hard_fault(void)
{
    if (mission == LOCK_UP)
        (void)REG(NOWHERE);
    crashed();
}

void mem_manage(void)
{
    crashed();
}

void bus_fault(void)
{
    crashed();
}

void usage_fault(void)
{
    crashed();
}

__attribute__((noinline))
static void idle(void)
{
    while (mission == IDLE)
        ;
}

__attribute__((noinline))
static void count(void)
{
    for (;;)
        counter++;
}

__attribute__((noinline, section(".ramcode"), long_call))
static void count_in_ram(void)
{
    for (;;)
        counter++;
}

static void start_ticking(void)
{
    SYST_RVR = TICK_CYCLES - 1;
    SYST_CVR = 0;
    SYST_CSR = SYST_RUNNING;
}

__attribute__((noinline))
static void sleep(void)
{
    for (;;) {
        __asm volatile ("wfi" ::: "memory");
        woken++;
    }
}

__attribute__((noinline))
static void wait_for_event(void)
{
    for (;;) {
        __asm volatile ("wfe" ::: "memory");
        woken++;
    }
}

__attribute__((noinline))
static uint32_t load(uint32_t address)
{
    return REG(address);
}

/* Region 0 of the MPU: `guarded` is read-only; everything else is as without MPU for privileged code. */
static void guard(void)
{
    MPU_RNR = 0;
    MPU_RBAR = (uint32_t)guarded;
    MPU_RASR = 6 << 24 | 4 << 1 | 1;    /* AP: read-only; 2^(4+1) bytes; enabled */
    MPU_CTRL = 5;                       /* default map behind it, on */
    __asm volatile ("dsb; isb" ::: "memory");
}

__attribute__((noinline))
static void store_to_guarded(void)
{
    guarded[1] = 1;
}

__attribute__((noinline))
static uint32_t divide(uint32_t a, uint32_t b)
{
    return a / b;
}

static void erase_a_page(void)
{
    NVMC_CONFIG = NVMC_ERASE;
    NVMC_ERASEPAGE = SCRATCH_PAGE;
    while (!NVMC_READY)
        ;
    NVMC_CONFIG = NVMC_READ;
    erased++;
}

static uint32_t semihosting(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile ("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void call_the_debugger(void)
{
    semihosting(0x04, "the target says hello\n");               /* SYS_WRITE0 */
    semihosting(0x18, (const void *)0x20026);                   /* SYS_EXIT, ADP_Stopped_ApplicationExit */
}

int main(void)
{
    for (;;) {
        idle();
        switch (mission) {
        case COUNT_AND_TICK:
            start_ticking();
            /* fall through */
        case COUNT:
            count();
            break;
        case COUNT_IN_RAM:
            count_in_ram();
            break;
        case SLEEP:
            start_ticking();
            /* fall through */
        case SLEEP_FOR_EVER:
            sleep();
            break;
        case WAIT_FOR_EVENT:
            wait_for_event();
            break;
        case LOAD_FROM_NOWHERE:
            SHCSR = SHCSR_FAULTS;
            counter = load(NOWHERE);
            break;
        case STORE_TO_GUARDED:
            SHCSR = SHCSR_FAULTS;
            guard();
            store_to_guarded();
            break;
        case DIVIDE_BY_ZERO:
            SHCSR = SHCSR_FAULTS;
            CCR |= CCR_DIV_0_TRP;
            counter = divide(1, counter * 0);
            break;
        case ESCALATE:
        case LOCK_UP:
            counter = load(NOWHERE);
            break;
        case ERASE_A_PAGE:
            erase_a_page();
            break;
        case CALL_THE_DEBUGGER:
            call_the_debugger();
            break;
        default:
            break;
        }
        mission = IDLE;
    }
}
