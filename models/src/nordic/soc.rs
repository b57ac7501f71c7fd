//! The chip around its core: the peripheral bus, the PPI between the peripherals, and the order in which things happen.
//!
//! Everything happens at a core cycle. What is due at the same cycle happens in a fixed order: edges from outside, PPI
//! tasks, the I2C devices' interrupt lines, pins that rise slowly, then the peripherals in the order of their slots. A
//! PPI task follows its event by one cycle of PCLK16M.

use std::collections::{BTreeMap, VecDeque};

use twinboard_sim::bus::Size;
use twinboard_sim::cpu::memory::Memory;
use twinboard_sim::cpu::{IrqLines, MmioContext};
use twinboard_sim::report::{Access, Report};
use twinboard_sim::time::Time;
use twinboard_sim::wire::{Edge, Signal};

use super::clock::LfClk;
use super::gpio::Gpio;
use super::gpiote::Gpiote;
use super::nvmc::Nvmc;
use super::peripheral::{Cx, EVENTS, NEVER, PCLK16M, Peripheral, Request, Reset};
use super::pins::Pins;
use super::power_clock::PowerClock;
use super::ppi::{Ppi, bits};
use super::radio::Radio;
use super::rbpconf::{Rbpconf, UICR_RBPCONF};
use super::schedule::Schedule;
use super::table::{ChipTable, Options, PeripheralEntry, PeripheralKind, Protection, ResetPin, Series};
use super::usbd::Usbd;
use super::wiring::Wiring;
use crate::fault::i2c::I2cFaults;
use crate::parts::i2c::I2cBus;

/// First address of the peripheral bus, where the page with id 0 is.
pub(super) const APB: u32 = 0x4000_0000;
pub(super) const PAGE: u32 = 0x1000;
pub(super) const PAGES: usize = 128;
pub(super) const GPIO: u32 = 0x5000_0000;
pub(super) const EVENTS_END: u32 = 0x180;

/// Slots of the peripherals that the chip itself has dealings with; those of the table follow.
const POWER_CLOCK: usize = 0;
pub(super) const NVMC: usize = 1;
const PPI: usize = 2;
const GPIOTE: usize = 3;
const OTHERS: usize = 4;

/// POWER, which nRF51 peripherals have: 0 takes the power away, and with it what the registers hold.
pub(super) const POWER: u32 = 0xFFC;

const UICR_PSELRESET: [u32; 2] = [0x200, 0x204];
const UICR_APPROTECT: u32 = 0x208;

const ABSENT: u8 = u8::MAX;

pub(super) struct Place {
    name: &'static str,
    pub(super) id: u8,
    /// The register POWER, if there is one.
    pub(super) power: Option<bool>,
}

/// The clock of the core, which is the family's divided by a power of 2.
#[derive(Clone, Copy, Debug)]
pub struct CoreClock(u32);

impl CoreClock {
    /// The core clock of a chip.
    #[must_use]
    pub fn of(table: &ChipTable) -> CoreClock {
        CoreClock(table.core_divider)
    }

    /// The cycle at which cycle `core` of the core's begins.
    #[must_use]
    pub fn cycles(self, core: u64) -> u64 {
        core.saturating_mul(1 << self.0)
    }

    /// The first cycle of the core's that begins at `cycle` or later.
    #[must_use]
    pub fn core_cycles(self, cycle: u64) -> u64 {
        (cycle >> self.0) + u64::from(cycle & ((1 << self.0) - 1) != 0)
    }
}

/// All that is on the core's bus besides memory.
pub struct Soc {
    pub(super) table: &'static ChipTable,
    pub(super) clock: CoreClock,
    /// CLOCK, POWER and APPROTECT or MPU.
    pub power_clock: PowerClock,
    /// The flash controller.
    pub nvmc: Nvmc,
    /// The pins.
    pub pins: Pins,
    /// What a peripheral asks of the chip.
    pub request: Option<Request>,
    /// A probe has powered the debug side up ("debug interface mode"); on the nRF51 that lasts until power-off.
    pub debug_interface: bool,
    /// What a debugger may see.
    pub rbpconf: Rbpconf,
    pub(super) gpio: Gpio,
    gpiote: Gpiote,
    pub(super) ppi: Ppi,
    others: Vec<Box<dyn Peripheral>>,
    pub(super) places: Vec<Place>,
    /// Slot by page id.
    pages: [u8; PAGES],
    /// Slots that look at pins.
    watchers: Vec<usize>,
    /// Next event by slot.
    pub(super) due: Schedule,
    pub(super) wiring: Wiring,
    /// Nothing happens by itself before this cycle.
    pub(super) earliest: u64,
    lfclk: LfClk,
    /// The board's I2C bus.
    i2c: I2cBus,
    /// When the bus's interrupt line may change by itself.
    i2c_due: u64,
    reset_pin_enabled: bool,
    /// Which of the others is the USB device controller, if it is wired to a socket.
    usbd: Option<usize>,
    /// PPI channels that fire, and when; in order.
    pub(super) firing: VecDeque<(u64, u32)>,
    /// Edges from outside that have not happened yet, in order.
    incoming: VecDeque<(u64, Edge)>,
    /// Registers without a documented meaning that keep what is written: address, value.
    pub(super) undocumented: Vec<(u32, u32)>,
    unmodelled: BTreeMap<(u32, Access), u64>,
}

impl Soc {
    /// The peripherals of a chip.
    #[must_use]
    pub fn new(table: &'static ChipTable, options: &Options) -> Soc {
        let gpiote_power = (table.series == Series::Nrf51).then_some(true);
        let mut places = vec![
            Place { name: "CLOCK/POWER", id: 0x00, power: None },
            Place { name: "NVMC", id: 0x1E, power: None },
            Place { name: "PPI", id: 0x1F, power: None },
            Place { name: "GPIOTE", id: 0x06, power: gpiote_power },
        ];
        let power = |p: &PeripheralEntry| p.has_power.then_some(true);
        places.extend(table.peripherals.iter().map(|p| Place { name: p.name, id: p.id, power: power(p) }));
        let mut pages = [ABSENT; PAGES];
        for (slot, place) in places.iter().enumerate() {
            pages[usize::from(place.id)] = slot as u8;
        }
        let watching = table.peripherals.iter().zip(OTHERS..).filter(|(p, _)| p.watches_pins).map(|(_, slot)| slot);
        Soc {
            table,
            watchers: std::iter::once(GPIOTE).chain(watching).collect(),
            clock: CoreClock::of(table),
            power_clock: PowerClock::new(table.series, options.crystals, options.build.hardened()),
            nvmc: Nvmc::new(table.flash),
            pins: Pins::new(table.pins()),
            request: None,
            debug_interface: false,
            rbpconf: Rbpconf::default(),
            gpio: Gpio::new(table.ports, table.series == Series::Nrf52),
            gpiote: Gpiote::new(table.channels.gpiote),
            ppi: Ppi::new(table.series, table.channels),
            others: table.peripherals.iter().map(|p| p.kind.build(options)).collect(),
            due: Schedule::default(),
            wiring: Wiring::default(),
            earliest: NEVER,
            places,
            pages,
            lfclk: LfClk::default(),
            i2c: I2cBus::default(),
            i2c_due: NEVER,
            reset_pin_enabled: false,
            usbd: table.peripherals.iter().position(|p| matches!(p.kind, PeripheralKind::Usbd) && options.usb_socket),
            firing: VecDeque::with_capacity(16),
            incoming: VecDeque::with_capacity(16),
            undocumented: table.undocumented.iter().map(|&address| (address, 0)).collect(),
            unmodelled: BTreeMap::new(),
        }
    }

    /// Connects the board's I2C bus.
    pub fn attach_i2c(&mut self, now: u64, bus: I2cBus) {
        self.i2c = bus;
        self.i2c_settle(now);
    }

    /// What is wrong with the I2C bus.
    pub fn set_i2c_faults(&mut self, faults: I2cFaults) {
        self.i2c.faults = Some(faults);
    }

    /// The I2C devices were powered off and on.
    pub fn power_cycle_i2c(&mut self, now: u64) {
        self.i2c.devices.iter_mut().for_each(|device| device.power_cycle());
        self.i2c_settle(now);
    }

    /// A device on the I2C bus may have changed what it does to the interrupt line.
    fn i2c_settle(&mut self, now: u64) {
        if !self.i2c.lines.is_empty() {
            let time = self.pins.hfclk.time(now);
            for line in &self.i2c.lines {
                self.pins.part(line.pin, self.i2c.drive(line, time));
            }
            let next = self.i2c.next_event(time);
            self.i2c_due = if next == Time::NEVER { NEVER } else { self.pins.hfclk.cycle(next) };
            self.earliest = self.earliest.min(self.i2c_due);
        }
    }

    /// From cycle `now` on, the chip's time is fast by so many parts per million.
    pub(super) fn set_clock_offset(&mut self, now: u64, ppm: i32) {
        self.pins.hfclk.set_offset(now, ppm);
        self.nvmc.hfclk = self.pins.hfclk;
        let hfclk = self.pins.hfclk;
        for (cycle, edge) in &mut self.incoming {
            *cycle = hfclk.cycle(edge.at).max(now);
        }
        self.i2c_settle(now);
        self.earliest = self.earliest.min(self.next_edge());
    }

    /// Nothing happens by itself before this cycle.
    #[must_use]
    pub fn next_event(&self) -> u64 {
        self.earliest
    }

    /// The cycle at which the next thing happens by itself, if the first peripheral is due at `due`.
    fn first_of_all(&self, due: u64) -> u64 {
        let firing = self.firing.front().map_or(NEVER, |f| f.0);
        due.min(firing).min(self.next_edge()).min(self.i2c_due).min(self.pins.next_rise())
    }

    /// Something happens to the net of a pin; it takes effect when the chip comes to its time.
    pub fn receive(&mut self, edge: Edge) {
        let cycle = self.pins.hfclk.cycle(edge.at);
        let place = self.incoming.partition_point(|(at, _)| *at <= cycle);
        self.incoming.insert(place, (cycle, edge));
        self.earliest = self.earliest.min(cycle);
    }

    /// Runs `f` on the chip's radio, if it has one.
    pub fn with_radio<T>(&mut self, f: impl FnOnce(&mut Radio) -> T) -> Option<T> {
        let lfclk = self.lfclk;
        let slot = self.others.iter_mut().position(|device| device.radio().is_some())?;
        let device = &mut self.others[slot];
        let result = device.radio().map(f);
        let due = device.next(&lfclk);
        self.due.set(OTHERS + slot, due);
        self.earliest = self.earliest.min(due);
        result
    }

    /// The chip's USB device controller, if it has one.
    #[must_use]
    pub fn usbd(&self) -> Option<&Usbd> {
        self.others.get(self.usbd?)?.usbd_ref()
    }

    /// Runs `f` on the chip's USB device controller, if it has one, at a cycle.
    pub fn with_usbd<T>(&mut self, cx: &mut MmioContext<'_>, f: impl FnOnce(&mut Usbd, u64) -> T) -> Option<T> {
        let now = self.clock.cycles(cx.cycle);
        let index = self.usbd?;
        let result = self.others[index].usbd().map(|usbd| f(usbd, now));
        self.settle(OTHERS + index, now, cx.memory, cx.irq);
        *cx.deadline = (*cx.deadline).min(self.clock.core_cycles(self.earliest));
        result
    }

    /// VBUS comes or goes.
    pub fn vbus(&mut self, cx: &mut MmioContext<'_>, present: bool) {
        let now = self.clock.cycles(cx.cycle);
        self.power_clock.vbus(now, present);
        self.settle(POWER_CLOCK, now, cx.memory, cx.irq);
        *cx.deadline = (*cx.deadline).min(self.clock.core_cycles(self.earliest));
    }

    /// Something on the board changed what it does to pins.
    pub fn pins_changed(&mut self, cx: &mut MmioContext<'_>) {
        let now = self.clock.cycles(cx.cycle);
        if self.pins.has_changed() {
            self.pins_settle(now, cx.memory, cx.irq);
        }
        *cx.deadline = (*cx.deadline).min(self.clock.core_cycles(self.earliest));
    }

    /// Whether DETECT is up: some pin has the level that its SENSE waits for.
    #[must_use]
    pub fn detect(&self, now: u64) -> bool {
        self.gpio.detect(&self.pins, now)
    }

    /// When the next edge from outside arrives.
    #[must_use]
    pub fn next_edge(&self) -> u64 {
        self.incoming.front().map_or(NEVER, |i| i.0)
    }

    /// Whether the reset pin is one now: UICR made it one at the last reset, or no probe uses it.
    #[must_use]
    pub fn reset_pin_enabled(&self) -> bool {
        match self.table.reset_pin {
            ResetPin::Selected(_) => self.reset_pin_enabled,
            ResetPin::Swdio => !self.debug_interface || self.power_clock.power.pin_resets_in_debug(),
        }
    }

    pub(super) fn reset_peripherals(&mut self, now: u64, memory: &mut Memory, reset: Reset) {
        self.request = None;
        self.firing.clear();
        self.gpio.reset();
        self.pins.reset(now);
        for slot in 0..self.places.len() {
            let (device, mut cx) = self.slot(slot, now, memory);
            device.reset(&mut cx, reset);
        }
        for word in &mut self.undocumented {
            word.1 = 0;
        }
        let uicr = |offset| memory.read(self.table.flash.uicr + offset, Size::Word).unwrap_or(u32::MAX);
        match self.table.protection {
            Protection::ApProtect => self.power_clock.sample_approtect(reset, uicr(UICR_APPROTECT)),
            Protection::Rbpconf => self.rbpconf = Rbpconf::sample(uicr(UICR_RBPCONF)),
        }
        if let ResetPin::Selected(pin) = self.table.reset_pin {
            self.reset_pin_enabled = UICR_PSELRESET.map(uicr) == [u32::from(pin); 2];
        }
        for place in &mut self.places {
            place.power = place.power.map(|_| true);
        }
        self.pins.take_changed();
        self.rewire(now, memory);
    }

    /// The core was halted by its debugger, or goes on.
    pub fn core_halted(&mut self, now: u64, memory: &mut Memory, halted: bool) {
        for slot in 0..self.places.len() {
            let (device, mut cx) = self.slot(slot, now, memory);
            device.core_halted(&mut cx, halted);
        }
        self.refresh_all();
    }

    /// Adds what was accessed and is not modelled.
    pub fn report(&self, report: &mut Report) {
        for (&(address, access), &times) in &self.unmodelled {
            let name = match self.page(address) {
                Some(slot) => self.places[slot].name,
                None if address & 0xF000_0000 == GPIO => "GPIO",
                None => "no peripheral",
            };
            let place = format!("{} {name}+{:#05x}", self.table.name, address & (PAGE - 1));
            report.unmodelled(place, access, times);
        }
    }

    /// Counts an access that no model covers.
    pub(super) fn count(&mut self, address: u32, access: Access) {
        *self.unmodelled.entry((address, access)).or_default() += 1;
    }

    /// The slot of the peripheral whose page `address` is in.
    pub(super) fn page(&self, address: u32) -> Option<usize> {
        let slot = *self.pages.get((address.checked_sub(APB)? / PAGE) as usize)?;
        (slot != ABSENT).then_some(usize::from(slot))
    }

    /// The peripheral in `slot`, and what it sees of the chip.
    pub(super) fn slot<'a>(
        &'a mut self,
        slot: usize,
        now: u64,
        memory: &'a mut Memory,
    ) -> (&'a mut dyn Peripheral, Cx<'a>) {
        let cx = Cx {
            now,
            memory,
            pins: &mut self.pins,
            lfclk: &mut self.lfclk,
            i2c: &mut self.i2c,
            request: &mut self.request,
        };
        let device: &mut dyn Peripheral = match slot {
            POWER_CLOCK => &mut self.power_clock,
            NVMC => &mut self.nvmc,
            PPI => &mut self.ppi,
            GPIOTE => &mut self.gpiote,
            _ => &mut *self.others[slot - OTHERS],
        };
        (device, cx)
    }

    /// After anything happened to the peripheral in `slot`: its interrupt, its events for the PPI, its next event.
    pub(super) fn settle(&mut self, slot: usize, now: u64, memory: &mut Memory, irq: &mut IrqLines) {
        let lfclk = self.lfclk;
        let (device, _) = self.slot(slot, now, memory);
        let events = device.events();
        let (line, mut raised) = (events.irq(), events.take_raised());
        let due = device.next(&lfclk);
        self.due.set(slot, due);
        self.earliest = self.earliest.min(due).min(self.pins.next_rise());
        irq.set(self.places[slot].id, line);
        while raised != 0 {
            let event = APB + u32::from(self.places[slot].id) * PAGE + EVENTS + 4 * raised.trailing_zeros();
            self.fire(now + PCLK16M, self.ppi.channels(event));
            raised &= raised - 1;
        }
        match slot {
            PPI if self.ppi.take_rewired() => self.rewire(now, memory),
            // LFCLK may have started or stopped: every user of it has a new next event.
            POWER_CLOCK => self.refresh_all(),
            _ if self.heeds_otherwise(slot, now, memory) => self.rewire(now, memory),
            _ => {}
        }
    }

    fn fire(&mut self, at: u64, channels: u32) {
        if channels != 0 {
            self.earliest = self.earliest.min(at);
            match self.firing.back_mut() {
                Some((last, mask)) if *last == at => *mask |= channels,
                _ => self.firing.push_back((at, channels)),
            }
        }
    }

    pub(super) fn refresh_all(&mut self) {
        let lfclk = self.lfclk;
        self.due.set(POWER_CLOCK, self.power_clock.next(&lfclk));
        self.due.set(NVMC, self.nvmc.next(&lfclk));
        for (slot, device) in (OTHERS..).zip(&self.others) {
            self.due.set(slot, device.next(&lfclk));
        }
        self.earliest = self.first_of_all(self.due.first().0);
    }

    /// Triggers the task at `address` for the PPI.
    fn trigger(&mut self, address: u32, now: u64, memory: &mut Memory, irq: &mut IrqLines) {
        if let Some(slot) = self.page(address) {
            let (device, mut cx) = self.slot(slot, now, memory);
            device.sync(&mut cx);
            let known = device.task(&mut cx, address & (PAGE - 1));
            if known.is_none() {
                self.count(address, Access::Write);
            }
            self.settle(slot, now, memory, irq);
        }
    }

    /// Levels of pins, or what is sensed of them, may have changed: tells those who look at pins.
    pub(super) fn pins_settle(&mut self, now: u64, memory: &mut Memory, irq: &mut IrqLines) {
        let changed = self.pins.take_changed();
        self.gpio.sense(&self.pins, now, changed);
        self.gpiote.set_detect(self.gpio.detect(&self.pins, now));
        for i in 0..self.watchers.len() {
            let slot = self.watchers[i];
            let (device, mut cx) = self.slot(slot, now, memory);
            device.levels_changed(&mut cx, changed);
            self.settle(slot, now, memory, irq);
        }
    }

    fn incoming_edge(&mut self, now: u64, edge: Edge, memory: &mut Memory, irq: &mut IrqLines) {
        let pin = edge.pin.0 as u8;
        match edge.signal {
            Signal::Drive(drive) => {
                self.pins.outside(pin, drive);
                if self.reset_pin_enabled && self.table.reset_pin == ResetPin::Selected(pin) {
                    let low = !self.pins.level(now, pin);
                    self.request.get_or_insert(Request::ResetPin(low));
                }
                self.pins_settle(now, memory, irq);
            }
            Signal::Serial(frame) => {
                let (start, frame) = self.pins.hfclk.heard(now, edge.at, frame);
                self.pins.outside_serial(pin, start, frame);
                for i in 0..self.watchers.len() {
                    let slot = self.watchers[i];
                    let (device, mut cx) = self.slot(slot, now, memory);
                    device.serial(&mut cx, pin, start, frame);
                    self.settle(slot, now, memory, irq);
                }
            }
            Signal::I2c(step) => {
                for index in 0..self.table.peripherals.len() {
                    if self.table.peripherals[index].hears_i2c() {
                        let slot = OTHERS + index;
                        let (device, mut cx) = self.slot(slot, now, memory);
                        device.i2c(&mut cx, pin, step);
                        self.settle(slot, now, memory, irq);
                    }
                }
            }
        }
    }

    /// Does everything that is due at `until` or earlier, in order.
    pub(super) fn run_until(&mut self, until: u64, memory: &mut Memory, irq: &mut IrqLines) {
        loop {
            let (due, slot) = self.due.first();
            let now = self.first_of_all(due);
            if now > until {
                self.earliest = now;
                break;
            }
            if self.next_edge() <= now {
                self.edges_until(now, memory, irq);
            } else if let Some((_, channels)) = pop_due(&mut self.firing, now) {
                for channel in bits(channels) {
                    for task in self.ppi.tasks(channel) {
                        self.trigger(task, now, memory, irq);
                    }
                }
            } else if self.i2c_due <= now {
                self.i2c_settle(now);
            } else if self.pins.next_rise() <= now {
                self.pins.rise(now);
            } else {
                let (device, mut cx) = self.slot(slot, now, memory);
                device.run(&mut cx);
                self.settle(slot, now, memory, irq);
                if slot >= OTHERS && self.table.peripherals[slot - OTHERS].is_i2c_master() {
                    self.i2c_settle(now);
                }
            }
            if self.pins.has_changed() {
                self.pins_settle(now, memory, irq);
            }
        }
    }

    /// Lets the edges from outside happen that have come by `until`.
    pub(super) fn edges_until(&mut self, until: u64, memory: &mut Memory, irq: &mut IrqLines) {
        while let Some((at, edge)) = pop_due(&mut self.incoming, until) {
            self.incoming_edge(at, edge, memory, irq);
        }
    }
}

fn pop_due<T>(queue: &mut VecDeque<(u64, T)>, now: u64) -> Option<(u64, T)> {
    if queue.front()?.0 <= now { queue.pop_front() } else { None }
}

#[cfg(test)]
#[path = "soc_tests.rs"]
mod tests;
