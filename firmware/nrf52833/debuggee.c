/* Something to debug: calls two deep, a counter to watch. It uses no peripherals. */
#include <stdint.h>

volatile uint32_t rounds, watched;

__attribute__((noinline))
static uint32_t deeper(uint32_t n)
{
    watched = n;
    return n + 1;
}

__attribute__((noinline))
static uint32_t deep(uint32_t n)
{
    uint32_t result = deeper(n * 2);
    return result + 1;
}

int main(void)
{
    for (uint32_t n = 1;; n++)
        rounds = deep(n);
}
