//! What all of Nordic's peripherals have in common: tasks, events, shorts, interrupts, and the chip around them.
//!
//! A peripheral occupies a page of 4 KB. Its registers are laid out alike everywhere:
//!
//! | offset | what |
//! |---|---|
//! | 0x000–0x07C | TASKS: writing 1 triggers, reading gives 0 |
//! | 0x100–0x17C | EVENTS: set by hardware, cleared by writing 0; event *n* is at 0x100 + 4*n* and bit *n* of INTEN |
//! | 0x200 | SHORTS: event → task inside the peripheral |
//! | 0x300, 0x304, 0x308 | INTEN, INTENSET, INTENCLR |
//! | 0x400– | status, configuration and data |
//!
//! The interrupt line of a peripheral is a level: the OR over EVENTS and INTEN. An event is never raised inside the
//! write that triggers the task: drivers trigger, then clear the event, then wait for it.
//!
//! Tasks and events can be joined without the CPU by the PPI; a peripheral only notes which of its events went up, and
//! whoever owns it carries them on.

use twinboard_sim::cpu::memory::Memory;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{I2cSignal, SerialFrame};

use super::clock::LfClk;
use super::pins::Pins;
use super::radio::Radio;
use super::usbd::Usbd;
use crate::parts::i2c::I2cBus;

/// Cycles (of 1/64 MHz, the family's unit of time) in one cycle of PCLK16M, the clock that tasks, events and the PPI work with.
pub const PCLK16M: u64 = 4;
/// Length of a cycle in picoseconds (64 MHz), as the chip itself takes it; what it is outside, `HfClk` says.
pub const CYCLE_PS: u64 = 15_625;
/// "Nothing is scheduled", as a cycle.
pub const NEVER: u64 = u64::MAX;

/// Cycles in `us` microseconds.
#[must_use]
pub const fn us(us: u64) -> u64 {
    us * 64
}

/// Offset of the first event register.
pub const EVENTS: u32 = 0x100;
/// Offset of SHORTS.
pub const SHORTS: u32 = 0x200;
const INTEN: u32 = 0x300;
const INTENSET: u32 = 0x304;
const INTENCLR: u32 = 0x308;

/// Why the chip is reset (POWER.RESETREAS and the PS chapter "Reset behaviour").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    /// Power-on or brown-out: everything.
    PowerOn,
    /// nRESET: also the debug components, the watchdog and the retained registers.
    Pin,
    /// The watchdog bit; what a pin reset resets.
    Watchdog,
    /// AIRCR.SYSRESETREQ or CTRL-AP.RESET: debug, watchdog and retained registers stay.
    Soft,
    /// The core locked up; what a soft reset resets.
    Lockup,
    /// DETECT woke the chip from System OFF: all but the retained registers.
    SystemOff,
    /// VBUS woke the chip from System OFF; what [`Reset::SystemOff`] resets.
    Vbus,
}

impl Reset {
    /// Whether the watchdog is stopped by this reset.
    #[must_use]
    pub fn stops_watchdog(self) -> bool {
        !matches!(self, Reset::Soft | Reset::Lockup)
    }
}

/// What a peripheral asks of the chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// Reset the chip.
    Reset(Reset),
    /// POWER.SYSTEMOFF was written.
    SystemOff,
    /// The nRESET pin went low (true) or high.
    ResetPin(bool),
}

/// What a peripheral sees of the chip while something happens to it.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The time of what happens, in cycles since power-on.
    pub now: u64,
    /// The memories that EasyDMA reaches.
    pub memory: &'a mut Memory,
    /// The pins.
    pub pins: &'a mut Pins,
    /// The 32.768 kHz clock.
    pub lfclk: &'a mut LfClk,
    /// The board's I2C bus.
    pub i2c: &'a mut I2cBus,
    /// What is asked of the chip; the first one counts.
    pub request: &'a mut Option<Request>,
}

impl Cx<'_> {
    /// The time of what happens, as the rest of the board knows it.
    #[must_use]
    pub fn time(&self) -> Time {
        self.pins.hfclk.time(self.now)
    }

    /// How many cycles it takes until `span` is over.
    #[must_use]
    pub fn cycles(&self, span: Span) -> u64 {
        self.pins.hfclk.cycles(span)
    }

    /// Asks for something that happens after this instruction.
    pub fn ask(&mut self, request: Request) {
        self.request.get_or_insert(request);
    }
}

/// A register machine behind one page of the peripheral bus.
///
/// `None` means "no such register": the owner counts the access and reads it as 0. The owner handles EVENTS and INTEN
/// itself through [`Peripheral::events`].
pub trait Peripheral: Send {
    /// A read of a register from SHORTS on.
    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32>;

    /// A write to a register from SHORTS on.
    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()>;

    /// A task is triggered, by the CPU or by the PPI. `offset` is the task's register.
    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()>;

    /// The events and interrupt enables.
    fn events(&mut self) -> &mut Events;

    /// Back to the reset values, as far as this reset goes.
    fn reset(&mut self, cx: &mut Cx<'_>, reset: Reset);

    /// The cycle at which the peripheral next does something that others could notice.
    fn next(&self, _lfclk: &LfClk) -> u64 {
        NEVER
    }

    /// Does what is due at `cx.now`.
    fn run(&mut self, _cx: &mut Cx<'_>) {}

    /// Brings what is computed only on demand to `cx.now`; called before every access.
    fn sync(&mut self, _cx: &mut Cx<'_>) {}

    /// Event `n` is read and was not set: whoever reads may be waiting for it.
    fn polled(&mut self, _n: u32) {}

    /// Whether the value of this register cannot change before [`Peripheral::next`], nor by being read.
    fn steady(&self, _offset: u32) -> bool {
        true
    }

    /// Whether a write to this register is dropped, whatever is written, until something else happens to this peripheral.
    fn drops_writes(&self, _offset: u32) -> bool {
        false
    }

    /// Whether the task at `offset` would do nothing, until something else happens to this peripheral.
    fn ignores(&self, _offset: u32) -> bool {
        false
    }

    /// The cycle at which event `n` last happened (0: never), for peripherals that keep account of it: their events need not be
    /// scheduled while only ignored tasks follow from them.
    fn last_raised(&self, _n: u32) -> Option<u64> {
        None
    }

    /// The core was halted by its debugger, or goes on.
    fn core_halted(&mut self, _cx: &mut Cx<'_>, _halted: bool) {}

    /// The levels of the pins in `changed` changed.
    fn levels_changed(&mut self, _cx: &mut Cx<'_>, _changed: u64) {}

    /// The radio, if it is one.
    fn radio(&mut self) -> Option<&mut Radio> {
        None
    }

    /// The USB device controller, if it is one.
    fn usbd(&mut self) -> Option<&mut Usbd> {
        None
    }

    /// The same to look at.
    fn usbd_ref(&self) -> Option<&Usbd> {
        None
    }

    /// A character starts on the net of `pin`, `start_ps` of the chip's own picoseconds after power-on.
    fn serial(&mut self, _cx: &mut Cx<'_>, _pin: u8, _start_ps: u64, _frame: SerialFrame) {}

    /// Another chip does a step of a transfer on the I2C bus whose SDA is `pin`.
    fn i2c(&mut self, _cx: &mut Cx<'_>, _pin: u8, _step: I2cSignal) {}
}

/// EVENTS, INTEN, INTENSET and INTENCLR of one peripheral.
#[derive(Clone, Debug, Default)]
pub struct Events {
    implemented: u32,
    flags: u32,
    inten: u32,
    wired: u32,
    raised: u32,
}

impl Events {
    /// A peripheral that has the events in the mask `implemented`.
    #[must_use]
    pub fn new(implemented: u32) -> Events {
        Events { implemented, ..Events::default() }
    }

    /// Everything cleared; what the PPI listens to stays.
    pub fn reset(&mut self) {
        *self = Events { wired: self.wired, ..Events::new(self.implemented) };
    }

    /// Event `n` happens.
    pub fn raise(&mut self, n: u32) {
        self.raise_all(1 << n);
    }

    /// All events of `mask` happen.
    pub fn raise_all(&mut self, mask: u32) {
        self.flags |= mask;
        self.raised |= mask & self.wired;
    }

    /// Whether event `n` is set.
    #[cfg(test)]
    pub fn is_set(&self, n: u32) -> bool {
        self.flags >> n & 1 == 1
    }

    /// INTEN.
    #[must_use]
    pub fn inten(&self) -> u32 {
        self.inten
    }

    /// The events that somebody would notice if they happened now: the PPI, or the CPU by a new interrupt.
    #[must_use]
    pub fn observed(&self) -> u32 {
        self.wired | self.inten & !self.flags
    }

    /// The level of the interrupt line.
    #[must_use]
    pub fn irq(&self) -> bool {
        self.flags & self.inten != 0
    }

    /// Which events are inputs of an enabled PPI channel.
    pub fn set_wired(&mut self, wired: u32) {
        self.wired = wired;
    }

    /// The events for the PPI that were raised since the last call.
    pub fn take_raised(&mut self) -> u32 {
        std::mem::take(&mut self.raised)
    }

    /// Reads EVENTS and INTEN registers; `None` for any other offset and for events that do not exist.
    #[must_use]
    pub fn read(&self, offset: u32) -> Option<u32> {
        match offset {
            INTEN | INTENSET | INTENCLR => Some(self.inten),
            _ => self.number(offset).map(|n| self.flags >> n & 1),
        }
    }

    /// Writes EVENTS and INTEN registers, as [`Events::read`] reads them.
    pub fn write(&mut self, offset: u32, value: u32) -> Option<()> {
        match offset {
            INTEN => self.inten = value & self.implemented,
            INTENSET => self.inten |= value & self.implemented,
            INTENCLR => self.inten &= !value,
            _ => {
                let bit = 1 << self.number(offset)?;
                if value & 1 == 0 { self.flags &= !bit } else { self.flags |= bit }
            }
        }
        Some(())
    }

    /// The number of the event at `offset`, if there is one.
    #[must_use]
    pub fn number(&self, offset: u32) -> Option<u32> {
        let n = offset.checked_sub(EVENTS)? / 4;
        (n < 32 && self.implemented >> n & 1 == 1).then_some(n)
    }
}

/// An array of registers `stride` bytes apart: the index of the one at `offset`, if `offset` is one of `count`.
#[must_use]
pub fn index(offset: u32, base: u32, stride: u32, count: u32) -> Option<usize> {
    let n = offset.checked_sub(base)? / stride;
    ((offset - base).is_multiple_of(stride) && n < count).then_some(n as usize)
}

/// A pin selection register (PSEL): PIN\[4:0\], PORT\[5\], CONNECT\[31\] (0 = connected).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Psel(pub u32);

impl Default for Psel {
    fn default() -> Psel {
        Psel(u32::MAX)
    }
}

impl Psel {
    /// The pin, numbered through both ports, if one is connected.
    #[must_use]
    pub fn pin(self) -> Option<u8> {
        (self.0 >> 31 == 0).then_some((self.0 & 0x3F) as u8)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use twinboard_sim::cpu::memory::Kind;

    /// Surroundings for the test of one peripheral.
    pub struct Bench {
        pub now: u64,
        pub memory: Memory,
        pub pins: Pins,
        pub lfclk: LfClk,
        pub i2c: I2cBus,
        pub request: Option<Request>,
    }

    impl Default for Bench {
        fn default() -> Bench {
            let mut memory = Memory::default();
            memory.add(Kind::Flash, 0, 0x8_0000, 0xFF);
            memory.add(Kind::Ram, 0x2000_0000, 0x1000, 0);
            Bench {
                now: 0,
                memory,
                pins: Pins::new(48),
                lfclk: LfClk::default(),
                i2c: I2cBus::default(),
                request: None,
            }
        }
    }

    impl Bench {
        pub fn cx(&mut self) -> Cx<'_> {
            Cx {
                now: self.now,
                memory: &mut self.memory,
                pins: &mut self.pins,
                lfclk: &mut self.lfclk,
                i2c: &mut self.i2c,
                request: &mut self.request,
            }
        }

        /// Lets the peripheral run until `until`, event by event.
        pub fn run_to(&mut self, device: &mut dyn Peripheral, until: u64) {
            loop {
                let next = device.next(&self.lfclk);
                if next > until {
                    break;
                }
                self.now = self.now.max(next);
                device.run(&mut self.cx());
            }
            self.now = until;
            device.sync(&mut self.cx());
        }

        /// The cycle at which event `n` goes up, if it does so before `limit`.
        pub fn wait(&mut self, device: &mut dyn Peripheral, n: u32, limit: u64) -> Option<u64> {
            while !device.events().is_set(n) {
                device.polled(n);
                let next = device.next(&self.lfclk);
                if next > limit {
                    return None;
                }
                self.run_to(device, next);
            }
            Some(self.now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interrupt_line_is_the_or_over_events_and_inten() {
        let mut events = Events::new(0b1011);
        events.raise(0);
        assert!(!events.irq());
        events.write(INTENSET, 0b1);
        assert!(events.irq());
        events.write(EVENTS, 0);
        assert!(!events.irq());
        events.write(EVENTS, 1);
        assert!(events.irq(), "software may set an event");
        events.write(INTENCLR, 0b1);
        assert!(!events.irq());
        assert_eq!(events.read(EVENTS), Some(1));
    }

    #[test]
    fn intenset_and_intenclr_both_read_the_mask_and_only_existing_events_are_kept() {
        let mut events = Events::new(0b1011);
        events.write(INTENSET, u32::MAX);
        assert_eq!((events.read(INTENSET), events.read(INTENCLR)), (Some(0b1011), Some(0b1011)));
        assert_eq!(events.read(EVENTS + 8), None, "event 2 does not exist");
    }

    #[test]
    fn only_events_that_the_ppi_listens_to_are_handed_on() {
        let mut events = Events::new(0b11);
        events.set_wired(0b10);
        events.raise_all(0b11);
        assert_eq!((events.take_raised(), events.take_raised()), (0b10, 0));
    }

    #[test]
    fn a_pin_selection_names_a_pin_only_while_connect_is_0() {
        assert_eq!(Psel(0x28).pin(), Some(40), "P1.08");
        assert_eq!((Psel::default().pin(), Psel(0x8000_0006).pin()), (None, None));
    }
}
