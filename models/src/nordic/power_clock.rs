//! The page with id 0: CLOCK, POWER and APPROTECT share its registers, one INTEN and one interrupt.

use super::approtect::ApProtect;
use super::clock::{self, Clock, Crystals, LfClk};
use super::peripheral::{Cx, Events, Peripheral, Reset};
use super::power::{self, Power};

/// The three register machines of the page.
#[derive(Debug)]
pub struct PowerClock {
    /// Reset reasons and retained registers.
    pub power: Power,
    /// The oscillators.
    pub clock: Clock,
    /// The access port protection.
    pub approtect: ApProtect,
    events: Events,
}

impl PowerClock {
    /// The page of a chip with these crystals; `hardened` is the kind of its access port protection.
    #[must_use]
    pub fn new(crystals: Crystals, hardened: bool) -> PowerClock {
        PowerClock {
            power: Power::default(),
            clock: Clock::new(crystals),
            approtect: ApProtect::new(hardened),
            events: Events::new(clock::EVENT_MASK | power::EVENT_MASK),
        }
    }
}

impl Peripheral for PowerClock {
    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        self.clock.read(offset).or_else(|| self.power.read(offset)).or_else(|| self.approtect.read(offset))
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        self.clock
            .write(offset, value)
            .or_else(|| self.power.write(cx, offset, value))
            .or_else(|| self.approtect.write(offset, value))
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        self.clock.task(cx, offset).or_else(|| self.power.task(offset))
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    /// APPROTECT and RESETREAS are the chip's to reset: they need UICR.
    fn reset(&mut self, cx: &mut Cx<'_>, reset: Reset) {
        self.events.reset();
        self.clock.reset(cx);
        self.power.reset(reset);
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.clock.next()
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        let events = self.clock.run(cx);
        self.events.raise_all(events);
    }
}
