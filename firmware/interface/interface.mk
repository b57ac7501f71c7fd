# How the interface firmware is built; the chip's Makefile says CPU, CHIP, IRQS and CHIP_SOURCES. The images are committed,
# so that a plain build needs no cross compiler.
CROSS  ?= arm-none-eabi-
CFLAGS := -mcpu=$(CPU) -mthumb -Os -std=c11 -ffreestanding -fno-common -ffunction-sections -g \
          -ffile-prefix-map=$(abspath $(CURDIR)/..)=. -fno-tree-loop-distribute-patterns \
          -Wall -Wextra -Werror -DCHIP_NAME='"$(CHIP)"' $(IRQS)
SOURCES := $(addprefix ../interface/,main.c startup.c swd.c usb.c) $(CHIP_SOURCES)

all: interface.hex interface.bin

interface.elf: $(SOURCES) $(wildcard ../interface/*.[hm]* ../kinetis/*.h ../kinetis/*.ld *.h *.ld) Makefile
	$(CROSS)gcc $(CFLAGS) -nostdlib -T $(CHIP).ld -Wl,--gc-sections -o $@ $(SOURCES) -lgcc

%.hex: %.elf
	$(CROSS)objcopy -O ihex $< $@

%.bin: %.elf
	$(CROSS)objcopy -O binary $< $@

clean:
	rm -f interface.elf interface.hex interface.bin

.PHONY: all clean
.SECONDARY: interface.elf
