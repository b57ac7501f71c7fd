//! The page with id 0: CLOCK, POWER and APPROTECT (MPU on the nRF51) share its registers, one INTEN and one interrupt.

use super::approtect::ApProtect;
use super::clock::{self, Clock, Crystals, LfClk};
use super::mpu::Mpu;
use super::peripheral::{Cx, Events, Peripheral, Reset};
use super::power::{self, Power};
use super::table::Series;

/// The register machines of the page.
#[derive(Debug)]
pub struct PowerClock {
    /// Reset reasons and retained registers.
    pub power: Power,
    /// The oscillators.
    pub clock: Clock,
    /// Protection from debuggers, or of flash.
    pub guard: Guard,
    events: Events,
}

/// What shares the page with CLOCK and POWER.
#[derive(Debug)]
pub enum Guard {
    /// nRF52: the access port protection.
    ApProtect(ApProtect),
    /// nRF51: the memory protection unit.
    Mpu(Mpu),
}

impl Guard {
    fn read(&self, offset: u32) -> Option<u32> {
        match self {
            Guard::ApProtect(approtect) => approtect.read(offset),
            Guard::Mpu(mpu) => mpu.read(offset),
        }
    }

    fn write(&mut self, offset: u32, value: u32) -> Option<()> {
        match self {
            Guard::ApProtect(approtect) => approtect.write(offset, value),
            Guard::Mpu(mpu) => mpu.write(offset, value),
        }
    }
}

impl PowerClock {
    /// The page of a chip of `series` with these crystals; `hardened` is the kind of its access port protection.
    #[must_use]
    pub fn new(series: Series, crystals: Crystals, hardened: bool) -> PowerClock {
        PowerClock {
            power: Power::new(series),
            clock: Clock::new(series, crystals),
            guard: match series {
                Series::Nrf51 => Guard::Mpu(Mpu::default()),
                Series::Nrf52 => Guard::ApProtect(ApProtect::new(hardened)),
            },
            events: Events::new(clock::event_mask(series) | power::event_mask(series)),
        }
    }

    /// Whether the memory access port is usable.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match &self.guard {
            Guard::ApProtect(approtect) => approtect.is_open(),
            Guard::Mpu(_) => true,
        }
    }

    /// VBUS comes or goes.
    pub fn vbus(&mut self, now: u64, present: bool) {
        let events = self.power.set_vbus(now, present);
        self.events.raise_all(events);
    }

    /// CTRL-AP.ERASEALL has finished.
    pub fn erased_all(&mut self) {
        if let Guard::ApProtect(approtect) = &mut self.guard {
            approtect.erased_all();
        }
    }

    /// A reset samples UICR.APPROTECT.
    pub fn sample_approtect(&mut self, reset: Reset, uicr_approtect: u32) {
        if let Guard::ApProtect(approtect) = &mut self.guard {
            approtect.reset(reset, uicr_approtect);
        }
    }

    /// Whether the program's writes to flash at `address` are refused. `debugged`: the chip is in debug interface mode.
    #[must_use]
    pub fn protects(&self, address: u32, debugged: bool) -> bool {
        matches!(&self.guard, Guard::Mpu(mpu) if mpu.protects(address, debugged))
    }
}

impl Peripheral for PowerClock {
    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        self.clock.read(offset).or_else(|| self.power.read(offset)).or_else(|| self.guard.read(offset))
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        self.clock
            .write(offset, value)
            .or_else(|| self.power.write(cx, offset, value))
            .or_else(|| self.guard.write(offset, value))
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
        if let Guard::Mpu(mpu) = &mut self.guard {
            *mpu = Mpu::default();
        }
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.clock.next().min(self.power.next())
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        let events = self.clock.run(cx) | self.power.run(cx.now);
        self.events.raise_all(events);
    }
}
