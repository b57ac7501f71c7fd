//! The bus as the core and a debugger access it.

use twinboard_sim::bus::{BusFault, Size};
use twinboard_sim::cpu::{Mmio, MmioContext};
use twinboard_sim::report::Access;

use super::boot::RETURNED;
use super::gpio;
use super::mcm::MCM;
use super::peripheral::{Request, Reset};
use super::port;
use super::soc::{Answers, BRIDGE, FTFA, SIM, SLOT, SLOTS, Soc};

const GPIO: u32 = 0x400F_F000;
const FGPIO: u32 = 0xF80F_F000;
/// The core's port shows its registers from its first address on, too: the KL27's headers use that.
const FGPIO_LOW: u32 = 0xF800_0000;

/// The bits of an access of `size` to an address whose lowest bits are `address`, in the word around it.
fn lanes(address: u32, size: Size) -> (u32, u32) {
    let shift = 8 * (address & 3);
    (shift, (u32::MAX >> (32 - 8 * size.bytes())) << shift)
}

fn is_gpio(page: u32) -> bool {
    page == GPIO || page == FGPIO || page == FGPIO_LOW
}

impl Soc {
    /// Who answers at `address`; an error if nobody does, or it has no clock.
    fn who(&self, address: u32) -> Result<Answers, BusFault> {
        let slot = (address.wrapping_sub(BRIDGE) / SLOT) as usize;
        match self.slots.get(slot) {
            Some((who, gate)) if *who != Answers::Nobody && gate.is_none_or(|(scgc, bit)| self.sim.open(scgc, bit)) => {
                Ok(*who)
            }
            _ => Err(BusFault { address }),
        }
    }

    /// The offset that the peripheral in `place` knows `address` by: the SIM has two slots.
    fn offset(place: usize, address: u32) -> u32 {
        let offset = address & (SLOT - 1);
        if place == SIM && (address / SLOT).is_multiple_of(2) { offset + SLOT } else { offset }
    }

    fn read_bridge(&mut self, cx: &mut MmioContext<'_>, address: u32, size: Size) -> Result<u32, BusFault> {
        let who = self.who(address)?;
        let (shift, mask) = lanes(address, size);
        let (register, whole) = (address & !3, |word: Option<u32>| word.map(|word| (word & mask) >> shift));
        let value = match who {
            Answers::Place(place) => {
                let now = self.clock.time(cx.cycle);
                let (device, mut inner) = self.place(place, now, cx.memory);
                let value = if device.width() == Size::Byte {
                    *cx.steady = true;
                    let mut value = Some(0);
                    for i in 0..size.bytes() {
                        let offset = Self::offset(place, address + i);
                        *cx.steady &= device.steady(offset);
                        let byte = device.read(&mut inner, offset);
                        value = value.zip(byte).map(|(value, byte)| value | (byte & 0xFF) << (8 * i));
                    }
                    value
                } else {
                    let offset = Self::offset(place, register);
                    *cx.steady = device.steady(offset);
                    whole(device.read(&mut inner, offset))
                };
                if !*cx.steady {
                    self.settle(place, cx.cycle, cx.memory, cx.irq);
                }
                value
            }
            Answers::Port(index) => {
                *cx.steady = true;
                whole(port::read(&self.pins, index, register & (SLOT - 1)))
            }
            Answers::Unmodelled(_) | Answers::Nobody => None,
        };
        if value.is_none() {
            self.count(address, Access::Read);
        }
        Ok(value.unwrap_or(0))
    }

    fn write_bridge(&mut self, cx: &mut MmioContext<'_>, address: u32, size: Size, value: u32) -> Result<(), BusFault> {
        let who = self.who(address)?;
        let now = self.clock.time(cx.cycle);
        let (shift, mask) = lanes(address, size);
        let (register, word) = (address & !3, value << shift & mask);
        let known = match who {
            Answers::Place(place) => {
                let (device, mut inner) = self.place(place, now, cx.memory);
                let known = if device.width() == Size::Byte {
                    let mut known = Some(());
                    for i in 0..size.bytes() {
                        let offset = Self::offset(place, address + i);
                        known = known.and(device.write(&mut inner, offset, value >> (8 * i) & 0xFF, 0xFF));
                    }
                    known
                } else {
                    device.write(&mut inner, Self::offset(place, register), word, mask)
                };
                let before = self.clock.rate();
                self.settle(place, cx.cycle, cx.memory, cx.irq);
                // Where the run ends was counted in the old cycles.
                *cx.yield_now |= self.clock.rate() != before;
                if place == FTFA {
                    *cx.flash_busy_until = self.clock.cycle_at(self.ftfa.busy_until());
                    *cx.yield_now |= self.ftfa.cut_begun();
                }
                known
            }
            Answers::Port(index) => {
                let known = port::write(&mut self.pins, now, index, register & (SLOT - 1), word, mask);
                self.port_irqs(cx.irq);
                known
            }
            Answers::Unmodelled(_) | Answers::Nobody => None,
        };
        if known.is_none() {
            self.count(address, Access::Write);
        }
        Ok(())
    }

    /// After an access: what it set off.
    fn after(&mut self, cx: &mut MmioContext<'_>) {
        if self.pins.has_changed() {
            self.pins_settle(cx.cycle, cx.memory, cx.irq);
        }
        *cx.yield_now |= self.pins.has_edges();
        *cx.reset |= self.request.is_some();
        *cx.deadline = (*cx.deadline).min(self.due_cycle);
    }

    /// Does everything that is due now.
    pub fn run_due(&mut self, cx: &mut MmioContext<'_>) {
        let before = self.clock.rate();
        self.run_until(cx.cycle, cx.memory, cx.irq);
        *cx.yield_now |= self.pins.has_edges() || self.clock.rate() != before;
        *cx.reset |= self.request.is_some();
        *cx.deadline = self.due_cycle;
    }

    /// Resets everything that `reset` reaches, except the core and the memories.
    pub fn reset(&mut self, cx: &mut MmioContext<'_>, reset: Reset) {
        self.reset_peripherals(cx.cycle, cx.memory, cx.irq, reset);
        *cx.deadline = self.due_cycle;
        *cx.flash_busy_until = 0;
    }
}

impl Mmio for Soc {
    #[inline]
    fn read(&mut self, cx: &mut MmioContext<'_>, address: u32, size: Size) -> Result<u32, BusFault> {
        if cx.cycle >= self.due_cycle {
            self.run_due(cx);
        }
        let page = address & !(SLOT - 1);
        if is_gpio(page) {
            let clock = self.clock;
            let (shift, mask) = lanes(address, size);
            let word = gpio::read(&mut self.pins, || clock.time(cx.cycle), address & (SLOT - 4));
            *cx.steady = self.pins.steady();
            if word.is_none() {
                self.count(address, Access::Read);
            }
            return Ok((word.unwrap_or(0) & mask) >> shift);
        }
        if page == MCM {
            let (shift, mask) = lanes(address, size);
            let word = self.mcm.read(address & (SLOT - 4));
            if word.is_none() {
                self.count(address, Access::Read);
            }
            return Ok((word.unwrap_or(0) & mask) >> shift);
        }
        let value = self.read_bridge(cx, address, size);
        *cx.deadline = (*cx.deadline).min(self.due_cycle);
        value
    }

    #[inline]
    fn write(&mut self, cx: &mut MmioContext<'_>, address: u32, size: Size, value: u32) -> Result<(), BusFault> {
        if cx.cycle >= self.due_cycle {
            self.run_due(cx);
        }
        let page = address & !(SLOT - 1);
        if is_gpio(page) {
            let (clock, cycle) = (self.clock, cx.cycle);
            let (shift, mask) = lanes(address, size);
            let offset = address & (SLOT - 4);
            if gpio::write(&mut self.pins, || clock.time(cycle), offset, value << shift, mask).is_none() {
                self.count(address, Access::Write);
            }
            if self.pins.reset_due() < self.earliest {
                self.hurry();
                *cx.deadline = (*cx.deadline).min(self.due_cycle);
            }
            if self.pins.has_changed() || self.pins.has_edges() {
                self.after(cx);
            }
            return Ok(());
        }
        if page == MCM {
            let (shift, mask) = lanes(address, size);
            if self.mcm.write(address & (SLOT - 4), value << shift, mask).is_none() {
                self.count(address, Access::Write);
            }
            return Ok(());
        }
        if address == RETURNED && self.table.rom.is_some() {
            self.request.get_or_insert(Request::ReturnToRom);
            *cx.reset = true;
            return Ok(());
        }
        // The flash is not written by stores.
        debug_assert!(SLOTS as u32 * SLOT <= GPIO - BRIDGE);
        self.write_bridge(cx, address, size, value)?;
        self.after(cx);
        Ok(())
    }

    fn event(&mut self, cx: &mut MmioContext<'_>) {
        if cx.memory.take_watched_store()
            && let Some(usb) = self.usb_mut()
        {
            usb.memory_changed(cx.memory);
            // The host may have been waiting.
            *cx.yield_now = true;
        }
        self.run_due(cx);
    }
}
