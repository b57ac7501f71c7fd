#ifndef USB_H
#define USB_H

#include "chip.h"

/* Answers an IN request; `data` must stay until the host has it. */
void usb_answer(const struct setup *setup, const void *data, unsigned length);

/* The program's part: false refuses. */
bool usb_vendor_request(const struct setup *setup);
void usb_configured(void);

#endif
