//! The peripheral bus as the core and a debugger access it.

use twinboard_sim::bus::{BusFault, Size};
use twinboard_sim::cpu::{IrqLines, Mmio, MmioContext};
use twinboard_sim::report::Access;

use super::ficr::{FICR, FICR_SIZE};
use super::nvmc::{ERASEPAGE, ERASEPCR0};
use super::peripheral::{EVENTS, Reset};
use super::soc::{APB, EVENTS_END, GPIO, NVMC, PAGE, PAGES, POWER, Soc};

/// End of the task registers of a page.
const TASKS_END: u32 = 0x080;
const INTEN: u32 = 0x300;
const INTENCLR: u32 = 0x308;

fn is_event_register(offset: u32) -> bool {
    matches!(offset, EVENTS..EVENTS_END | INTEN..=INTENCLR)
}

impl Soc {
    /// A read of a whole register; `None` if there is none at `address`.
    fn read_word(&mut self, cx: &mut MmioContext<'_>, address: u32) -> Option<u32> {
        let now = self.clock.cycles(cx.cycle);
        if address & !(PAGE - 1) == GPIO {
            *cx.steady = self.pins.steady(now);
            return self.gpio.read(&self.pins, now, address - GPIO);
        }
        let slot = self.page(address)?;
        let offset = address & (PAGE - 1);
        if let (POWER, Some(on)) = (offset, self.places[slot].power) {
            return Some(on.into());
        }
        let (device, mut inner) = self.slot(slot, now, cx.memory);
        device.sync(&mut inner);
        *cx.steady = device.steady(offset);
        if offset < TASKS_END {
            return Some(0);
        }
        if !is_event_register(offset) {
            let value = device.read(&mut inner, offset);
            if !*cx.steady {
                self.settle(slot, now, cx.memory, cx.irq);
            }
            return value;
        }
        let events = device.events();
        let value = events.read(offset);
        if let (Some(n), Some(0), false) = (events.number(offset), value, cx.debugger) {
            device.polled(n);
            self.settle(slot, now, cx.memory, cx.irq);
        }
        value
    }

    /// A write of a whole register; `None` if there is none at `address`.
    fn write_word(&mut self, cx: &mut MmioContext<'_>, address: u32, value: u32) -> Option<()> {
        let now = self.clock.cycles(cx.cycle);
        let slot = self.page(address)?;
        let offset = address & (PAGE - 1);
        if let (POWER, Some(on)) = (offset, &mut self.places[slot].power) {
            if std::mem::replace(on, value & 1 == 1) && value & 1 == 0 {
                let (device, mut inner) = self.slot(slot, now, cx.memory);
                device.reset(&mut inner, Reset::Soft);
                self.settle(slot, now, cx.memory, cx.irq);
            }
            return Some(());
        }
        let (device, mut inner) = self.slot(slot, now, cx.memory);
        if device.drops_writes(offset) {
            *cx.steady = true;
            return Some(());
        }
        device.sync(&mut inner);
        let known = if is_event_register(offset) {
            device.events().write(offset, value)
        } else if offset >= TASKS_END {
            device.write(&mut inner, offset, value)
        } else if value & 1 == 1 {
            device.task(&mut inner, offset)
        } else {
            Some(())
        };
        self.settle(slot, now, cx.memory, cx.irq);
        if slot == NVMC {
            self.flash_waits(cx);
        }
        known
    }

    /// A write to the GPIO block. Firmware bangs bits through it, so it goes past the general way.
    #[inline]
    fn write_gpio(&mut self, cx: &mut MmioContext<'_>, now: u64, register: u32, value: u32) {
        let offset = register - GPIO;
        match self.gpio.write(&mut self.pins, now, offset, value) {
            Some(true) => self.pins_settle(now, cx.memory, cx.irq),
            Some(false) => {}
            None => self.count_write(register, value),
        }
        if self.pins.has_changed() {
            self.pins_settle(now, cx.memory, cx.irq);
        }
        self.earliest = self.earliest.min(self.pins.next_rise());
        self.hand_over(cx);
    }

    /// A write that no model covers.
    #[cold]
    fn count_write(&mut self, register: u32, value: u32) {
        match self.undocumented(register) {
            Some(kept) => *kept = value,
            None => self.count(register, Access::Write),
        }
    }

    /// After a write: what the core has to know of.
    #[inline]
    fn hand_over(&self, cx: &mut MmioContext<'_>) {
        *cx.yield_now |= self.pins.has_edges();
        *cx.reset |= self.request.is_some();
        *cx.deadline = (*cx.deadline).min(self.clock.core_cycles(self.earliest));
    }

    /// A store to flash, UICR or FICR; false is a bus error.
    fn store_to_flash(&mut self, cx: &mut MmioContext<'_>, address: u32, size: Size, value: u32) -> bool {
        let (flash, now) = (&self.table.flash, self.clock.cycles(cx.cycle));
        if address < flash.size && self.protects(address) {
            return false;
        }
        if address < flash.size || address.wrapping_sub(flash.uicr) < flash.uicr_size {
            let stored = self.nvmc.store(now, address, size, value);
            self.settle(NVMC, now, cx.memory, cx.irq);
            self.flash_waits(cx);
            return stored;
        }
        // FICR is read-only: writes are ignored.
        address.wrapping_sub(FICR) < FICR_SIZE
    }

    /// The flash is busy: whoever fetches or loads from it waits, and so does a writer whose word finds the buffer full.
    fn flash_waits(&self, cx: &mut MmioContext<'_>) {
        *cx.flash_busy_until = self.clock.core_cycles(self.nvmc.busy_until());
        *cx.yield_now |= self.nvmc.cut_begun();
        if !cx.debugger {
            *cx.stall += self.clock.core_cycles(self.nvmc.accepted_at()).saturating_sub(cx.cycle);
        }
    }

    /// Whether flash at `address` is protected from the program.
    fn protects(&self, address: u32) -> bool {
        self.power_clock.protects(address, self.debug_interface) || self.nvmc.protects(address)
    }

    /// Whether a write to this register would erase a page that is protected from the program.
    fn erases_protected(&self, register: u32, value: u32) -> bool {
        self.page(register) == Some(NVMC)
            && matches!(register & (PAGE - 1), ERASEPAGE | ERASEPCR0)
            && self.protects(value)
    }

    /// A register that has no documented meaning and keeps what is written.
    fn undocumented(&mut self, address: u32) -> Option<&mut u32> {
        self.undocumented.iter_mut().find(|word| word.0 == address).map(|word| &mut word.1)
    }
}

/// Whether something on the bus answers at `address`, be it with 0.
fn answers(address: u32) -> bool {
    address.wrapping_sub(APB) < PAGES as u32 * PAGE || address & !(PAGE - 1) == GPIO
}

impl Soc {
    /// Does everything that is due now, for a core that does not run.
    pub fn run_due(&mut self, cx: &mut MmioContext<'_>) {
        self.run_until(self.clock.cycles(cx.cycle), cx.memory, cx.irq);
        *cx.deadline = self.clock.core_cycles(self.earliest);
    }

    /// Only what comes from outside is seen: the chip is in System OFF.
    pub fn run_edges(&mut self, cx: &mut MmioContext<'_>) {
        self.edges_until(self.clock.cycles(cx.cycle), cx.memory, cx.irq);
    }

    /// Starts CTRL-AP.ERASEALL.
    pub fn erase_all(&mut self, cx: &mut MmioContext<'_>) {
        let now = self.clock.cycles(cx.cycle);
        self.nvmc.erase_all(now);
        self.settle(NVMC, now, cx.memory, cx.irq);
        self.flash_waits(cx);
    }

    /// Resets everything that `reset` reaches, except the core and the memories.
    pub fn reset(&mut self, cx: &mut MmioContext<'_>, reset: Reset) {
        self.reset_peripherals(self.clock.cycles(cx.cycle), cx.memory, reset);
        *cx.irq = IrqLines::default();
        *cx.deadline = self.clock.core_cycles(self.earliest);
        *cx.flash_busy_until = 0;
    }
}

impl Mmio for Soc {
    fn read(&mut self, cx: &mut MmioContext<'_>, address: u32, size: Size) -> Result<u32, BusFault> {
        let now = self.clock.cycles(cx.cycle);
        if now >= self.earliest {
            self.run_until(now, cx.memory, cx.irq);
        }
        let register = address & !3;
        let word = match self.read_word(cx, register) {
            Some(word) => word,
            None if !answers(address) => return Err(BusFault { address }),
            None => match self.undocumented(register) {
                Some(word) => *word,
                None => {
                    self.count(register, Access::Read);
                    0
                }
            },
        };
        *cx.deadline = (*cx.deadline).min(self.clock.core_cycles(self.earliest));
        Ok((word >> (8 * (address & 3))) & (u32::MAX >> (32 - 8 * size.bytes())))
    }

    fn write(&mut self, cx: &mut MmioContext<'_>, address: u32, size: Size, value: u32) -> Result<(), BusFault> {
        let now = self.clock.cycles(cx.cycle);
        if now >= self.earliest {
            self.run_until(now, cx.memory, cx.irq);
        }
        let (register, word) = (address & !3, value << (8 * (address & 3)));
        if address & !(PAGE - 1) == GPIO {
            self.write_gpio(cx, now, register, word);
            return Ok(());
        }
        if answers(address) {
            if self.erases_protected(register, word) {
                return Err(BusFault { address });
            }
            if self.write_word(cx, register, word).is_none() {
                self.count_write(register, word);
            }
            if self.pins.has_changed() {
                self.pins_settle(now, cx.memory, cx.irq);
            }
            self.hand_over(cx);
            return Ok(());
        }
        if !self.store_to_flash(cx, address, size, value) {
            return Err(BusFault { address });
        }
        *cx.deadline = (*cx.deadline).min(self.clock.core_cycles(self.earliest));
        Ok(())
    }

    fn event(&mut self, cx: &mut MmioContext<'_>) {
        self.run_until(self.clock.cycles(cx.cycle), cx.memory, cx.irq);
        *cx.yield_now |= self.pins.has_edges();
        *cx.reset |= self.request.is_some();
        *cx.deadline = self.clock.core_cycles(self.earliest);
    }
}
