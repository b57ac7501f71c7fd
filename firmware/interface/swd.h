#ifndef SWD_H
#define SWD_H

#include <stdbool.h>
#include <stdint.h>

/* False if the target does not answer. */
bool swd_read_dpidr(uint32_t *dpidr);

#endif
