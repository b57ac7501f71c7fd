//! The chip's pins: what it does to each net, and what it sees there.
//!
//! A pin is driven by the GPIO registers unless a peripheral (GPIOTE in task mode, UART, …) has taken it. What the
//! rest of the board does arrives from outside. The level is what comes of both.
//!
//! Some pins have more to them than levels: parts (see [`AnalogPart`]) give them voltages, and make a pin that held its
//! net low and lets it go rise only after a while.

use twinboard_sim::time::Span;
use twinboard_sim::wire::{Drive, Edge, I2cSignal, Level, PinId, SerialFrame, Signal};

use super::hfclk::HfClk;
use super::peripheral::CYCLE_PS;
use crate::parts::PinObserver;
use crate::parts::analog::{AnalogPart, ChipPins, SUPPLY_UV};
use crate::parts::swd_pins::SwdPins;

const PULL_DOWN: u32 = 1;
const PULL_UP: u32 = 3;

/// PIN_CNF of a pin: DIR\[0\], INPUT\[1\], PULL\[3:2\], DRIVE\[10:8\], SENSE\[17:16\].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PinCnf(pub u32);

impl Default for PinCnf {
    fn default() -> PinCnf {
        PinCnf(0x2)
    }
}

impl PinCnf {
    /// DIR: the pin is an output.
    #[must_use]
    pub fn output(self) -> bool {
        self.0 & 1 == 1
    }

    /// INPUT = Connect: the input buffer is on.
    #[must_use]
    pub fn input(self) -> bool {
        self.0 & 2 == 0
    }

    /// The level that SENSE waits for.
    #[must_use]
    pub fn sense(self) -> Option<bool> {
        match self.0 >> 16 & 3 {
            2 => Some(true),
            3 => Some(false),
            _ => None,
        }
    }

    /// What a pull resistor does, and what an input does to its net.
    #[must_use]
    pub fn pull(self) -> Drive {
        match self.0 >> 2 & 3 {
            PULL_DOWN => Drive::PullDown,
            PULL_UP => Drive::PullUp,
            _ => Drive::Released,
        }
    }

    /// What an output of value `high` does: DRIVE has a disconnected 0 (4, 5) or 1 (6, 7) for wired logic.
    #[must_use]
    pub fn drive(self, high: bool) -> Drive {
        match (self.0 >> 8 & 7, high) {
            (4 | 5, false) | (6 | 7, true) => self.pull(),
            (_, true) => Drive::High,
            (_, false) => Drive::Low,
        }
    }
}

/// What is with the charge on a net that nobody drives.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Charge {
    /// Nobody minds: the net is what drivers and pulls make of it.
    #[default]
    None,
    /// It was held low and let go, and rises.
    Rising,
    /// It has risen.
    Risen,
}

/// Who has the pin.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Owner {
    /// The GPIO registers.
    #[default]
    Gpio,
    /// A peripheral that listens: the pin is an input whatever DIR says.
    Listener,
    /// A peripheral that puts this value on it.
    Driver(bool),
}

#[derive(Clone, Copy, Default, Debug)]
struct Pin {
    cnf: PinCnf,
    out: bool,
    owner: Owner,
    drive: Drive,
    outside: Drive,
    /// What a part does that sits on the chip's own pin (a sensor's interrupt line).
    part: Drive,
    /// Microvolts that somebody holds against the pin from outside.
    held: Option<u32>,
    charge: Charge,
    /// The last character that began on the net, and when, in the chip's own picoseconds.
    serial: Option<(u64, SerialFrame)>,
}

/// All pins of the chip, numbered through its ports: P0.00 is 0, P1.00 is 32.
pub struct Pins {
    /// The chip's time, as the rest of the board sees it.
    pub hfclk: HfClk,
    pins: Vec<Pin>,
    levels: u64,
    changed: u64,
    /// Pins with a connected input buffer, and pins with a SENSE.
    connected: u64,
    sensing: u64,
    /// Until then (a cycle) a character may be on some net, so that levels change by themselves.
    serial_until: u64,
    exported: u64,
    edges: Vec<Edge>,
    /// Who watches, and which pins.
    observers: Vec<(u64, Box<dyn PinObserver>)>,
    /// Pins whose signals somebody wants to know of: another chip, or an observer.
    told: u64,
    parts: Vec<Box<dyn AnalogPart>>,
    /// Pins that rise, and when they have.
    rising: Vec<(u64, u8)>,
    probe: Option<Probe>,
    /// The pins of the probe's wire, as a mask.
    probe_pins: u64,
    /// Microvolts at VDD and at VDDH.
    vdd: u32,
    vddh: u32,
}

/// Two pins that are a probe's end of an SWD wire.
#[derive(Debug)]
struct Probe {
    wire: SwdPins,
    swclk: u8,
    swdio: u8,
}

impl ChipPins for Pins {
    fn drive(&self, pin: u8) -> Drive {
        self.pins.get(usize::from(pin)).map_or(Drive::Released, |p| p.drive)
    }
}

impl std::fmt::Debug for Pins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pins").field("levels", &self.levels).finish_non_exhaustive()
    }
}

impl Pins {
    /// `count` pins (at most 64) at their reset values.
    #[must_use]
    pub fn new(count: usize) -> Pins {
        Pins {
            hfclk: HfClk::default(),
            pins: vec![Pin::default(); count.min(64)],
            levels: 0,
            changed: 0,
            connected: 0,
            sensing: 0,
            serial_until: 0,
            exported: u64::MAX,
            edges: Vec::with_capacity(16),
            observers: Vec::new(),
            told: u64::MAX,
            parts: Vec::new(),
            rising: Vec::with_capacity(8),
            probe: None,
            probe_pins: 0,
            vdd: SUPPLY_UV,
            vddh: SUPPLY_UV,
        }
    }

    /// Adds somebody who watches pins.
    pub fn observe(&mut self, observer: Box<dyn PinObserver>) {
        let watched = (0..64).fold(0, |mask, pin| mask | u64::from(observer.watches(PinId(pin))) << pin);
        self.observers.push((watched, observer));
        self.told |= watched;
    }

    /// Adds a part that makes voltages on pins.
    pub fn add_part(&mut self, part: Box<dyn AnalogPart>) {
        self.parts.push(part);
    }

    /// What is at VDD, in microvolts.
    #[must_use]
    pub fn vdd(&self) -> u32 {
        self.vdd
    }

    /// The supply at VDD changes.
    pub fn set_vdd(&mut self, microvolts: u32) {
        self.vdd = microvolts;
    }

    /// What is at VDDH, in microvolts.
    #[must_use]
    pub fn vddh(&self) -> u32 {
        self.vddh
    }

    /// The supply at VDDH changes.
    pub fn set_vddh(&mut self, microvolts: u32) {
        self.vddh = microvolts;
    }

    /// Makes two pins the probe's end of an SWD wire, which nothing else is on.
    pub fn attach_probe(&mut self, wire: SwdPins, swclk: u8, swdio: u8) {
        if usize::from(swclk.max(swdio)) < self.pins.len() {
            self.probe_pins = 1 << swclk | 1 << swdio;
            self.probe = Some(Probe { wire, swclk, swdio });
            self.drive_probe(0);
        }
    }

    /// Chip and target lost their supply and have it back.
    pub fn power_cycle_probe(&mut self) {
        if let Some(probe) = &mut self.probe {
            probe.wire.power_cycle();
        }
    }

    /// What the chip does to the probe's wire changed: the target may answer at once.
    fn drive_probe(&mut self, now: u64) {
        let Some(probe) = &mut self.probe else { return };
        let drive = |pin: u8| self.pins[usize::from(pin)].drive;
        probe.wire.drive(|| self.hfclk.time(now), drive(probe.swclk), drive(probe.swdio));
        let levels =
            u64::from(drive(probe.swclk) == Drive::High) << probe.swclk | u64::from(probe.wire.level()) << probe.swdio;
        // A bang of bits is not to wake everybody who looks at pins, unless the program asked for it.
        self.changed |= (self.levels ^ levels) & self.probe_pins & self.sensing;
        self.levels = self.levels & !self.probe_pins | levels;
    }

    /// Which pins are wired to another chip: only their edges leave through [`Pins::edges`]. At first all.
    pub fn export(&mut self, pins: u64) {
        self.exported = pins;
        self.told = self.observers.iter().fold(pins, |told, (watched, _)| told | watched);
    }

    /// The edges that have not been delivered yet.
    pub fn edges(&mut self) -> &mut Vec<Edge> {
        &mut self.edges
    }

    /// Whether there are edges that have not been delivered yet.
    #[must_use]
    pub fn has_edges(&self) -> bool {
        !self.edges.is_empty()
    }

    /// The pins whose level changed since the last call.
    pub fn take_changed(&mut self) -> u64 {
        std::mem::take(&mut self.changed)
    }

    /// PIN_CNF of `pin`.
    #[must_use]
    pub fn cnf(&self, pin: u8) -> PinCnf {
        self.pins.get(usize::from(pin)).map_or(PinCnf::default(), |p| p.cnf)
    }

    /// Sets PIN_CNF of `pin`.
    pub fn set_cnf(&mut self, now: u64, pin: u8, cnf: PinCnf) {
        if let Some(p) = self.pins.get_mut(usize::from(pin)) {
            p.cnf = cnf;
            let bit = 1 << pin;
            self.connected = self.connected & !bit | if cnf.input() { bit } else { 0 };
            self.sensing = self.sensing & !bit | if cnf.sense().is_some() { bit } else { 0 };
            self.update(now, pin);
        }
    }

    /// Sets the GPIO output value of `pin`.
    pub fn set_out(&mut self, now: u64, pin: u8, high: bool) {
        if let Some(p) = self.pins.get_mut(usize::from(pin)) {
            p.out = high;
            self.update(now, pin);
        }
    }

    /// A peripheral takes `pin` as an output and puts `high` on it, or changes what it puts there.
    pub fn take(&mut self, now: u64, pin: u8, high: bool) {
        if let Some(p) = self.pins.get_mut(usize::from(pin)) {
            p.owner = Owner::Driver(high);
            self.update(now, pin);
        }
    }

    /// The value of a pin that a peripheral has taken.
    #[must_use]
    pub fn taken(&self, pin: u8) -> Option<bool> {
        match self.pins.get(usize::from(pin))?.owner {
            Owner::Driver(high) => Some(high),
            Owner::Gpio | Owner::Listener => None,
        }
    }

    /// A peripheral takes `pin` as an input.
    pub fn listen(&mut self, now: u64, pin: u8) {
        if let Some(p) = self.pins.get_mut(usize::from(pin)) {
            p.owner = Owner::Listener;
            self.update(now, pin);
        }
    }

    /// A peripheral that has taken `pin` pulses it too fast to follow: `high` of each `period` (cycles) it is high.
    pub fn pulse(&mut self, now: u64, pin: u8, period: u64, high: u64) {
        let (at, period, high) = (self.hfclk.time(now), self.hfclk.span(period), self.hfclk.span(high));
        for (_, observer) in self.observers.iter_mut().filter(|(watched, _)| watched >> pin & 1 == 1) {
            observer.pulses(at, PinId(pin.into()), period, high);
        }
    }

    /// A peripheral gives `pin` back to the GPIO registers.
    pub fn release(&mut self, now: u64, pin: u8) {
        if let Some(p) = self.pins.get_mut(usize::from(pin)) {
            p.owner = Owner::Gpio;
            self.update(now, pin);
        }
    }

    /// A peripheral sends a character on `pin`, which it has taken and holds high. Its bits have the chip's own length.
    pub fn send(&mut self, now: u64, pin: u8, frame: SerialFrame) {
        self.put(now, pin, Signal::Serial(self.hfclk.sent(frame)));
    }

    /// A peripheral does a step of a transfer on the I2C bus whose SDA is `pin`.
    pub fn send_i2c(&mut self, now: u64, pin: u8, step: I2cSignal) {
        self.put(now, pin, Signal::I2c(step));
    }

    /// Somebody holds so many microvolts against `pin`, or nothing any more.
    pub fn hold(&mut self, pin: u8, microvolts: Option<u32>) {
        if let Some(p) = self.pins.get_mut(usize::from(pin)) {
            p.held = microvolts;
        }
    }

    /// The voltage on `pin` in microvolts; `None` if nobody makes one.
    #[must_use]
    pub fn voltage(&self, now: u64, pin: u8) -> Option<u32> {
        let p = self.pins.get(usize::from(pin))?;
        match p.drive {
            Drive::High => return Some(self.vdd),
            Drive::Low => return Some(0),
            Drive::Released | Drive::PullUp | Drive::PullDown => {}
        }
        let at = self.hfclk.time(now);
        let part = || self.parts.iter().find_map(|part| part.voltage(self, pin, at));
        p.held.or_else(part).or_else(|| match Level::resolve([p.drive, p.outside, p.part]) {
            Level::High => Some(self.vdd),
            Level::Low => Some(0),
            Level::Unknown => None,
        })
    }

    /// When a pin that was let go has risen.
    #[must_use]
    pub fn next_rise(&self) -> u64 {
        self.rising.iter().map(|rise| rise.0).min().unwrap_or(u64::MAX)
    }

    /// Lets rise what has risen by `now`.
    pub fn rise(&mut self, now: u64) {
        while let Some(index) = self.rising.iter().position(|rise| rise.0 <= now) {
            let (_, pin) = self.rising.swap_remove(index);
            if let Some(p) = self.pins.get_mut(usize::from(pin)) {
                p.charge = Charge::Risen;
                self.relevel(pin);
            }
        }
    }

    /// The rest of the net of `pin` changes.
    pub fn outside(&mut self, pin: u8, drive: Drive) {
        if let Some(p) = self.pins.get_mut(usize::from(pin)) {
            p.outside = drive;
            self.relevel(pin);
        }
    }

    /// A part that sits on `pin` changes what it does there.
    pub fn part(&mut self, pin: u8, drive: Drive) {
        if let Some(p) = self.pins.get_mut(usize::from(pin)) {
            p.part = drive;
            self.relevel(pin);
        }
    }

    /// A character begins on the net of `pin`; times are the chip's own.
    pub fn outside_serial(&mut self, pin: u8, start_ps: u64, frame: SerialFrame) {
        if let Some(p) = self.pins.get_mut(usize::from(pin)) {
            p.serial = Some((start_ps, frame));
            self.serial_until = self.serial_until.max((start_ps + frame.duration().0) / CYCLE_PS + 1);
        }
    }

    /// The level on `pin`'s net (true = high), whether or not the input buffer is on.
    #[must_use]
    pub fn level(&self, now: u64, pin: u8) -> bool {
        let Some(p) = self.pins.get(usize::from(pin)) else { return false };
        match p.serial {
            Some((start, frame)) if now * CYCLE_PS < start + frame.duration().0 => {
                frame.level_at(Span((now * CYCLE_PS).saturating_sub(start)))
            }
            _ => self.levels >> pin & 1 == 1,
        }
    }

    /// What the input buffer of `pin` gives: 0 while it is disconnected.
    #[must_use]
    pub fn input(&self, now: u64, pin: u8) -> bool {
        self.cnf(pin).input() && self.level(now, pin)
    }

    /// What the input buffers of all pins give.
    #[must_use]
    pub fn inputs(&self, now: u64) -> u64 {
        if self.steady(now) {
            return self.levels & self.connected;
        }
        (0..self.pins.len() as u8).fold(0, |word, pin| word | u64::from(self.input(now, pin)) << pin)
    }

    /// Whether levels change only by events.
    #[must_use]
    pub fn steady(&self, now: u64) -> bool {
        now >= self.serial_until
    }

    /// The pins that have a SENSE.
    #[must_use]
    pub fn sensing(&self) -> u64 {
        self.sensing
    }

    /// Whether [`Pins::take_changed`] has anything to give.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.changed != 0
    }

    /// Reset values for everything that is the chip's; the rest of the board stays as it is.
    pub fn reset(&mut self, now: u64) {
        for pin in 0..self.pins.len() {
            self.pins[pin].owner = Owner::Gpio;
            self.pins[pin].out = false;
            self.set_cnf(now, pin as u8, PinCnf::default());
        }
    }

    fn update(&mut self, now: u64, pin: u8) {
        let p = &mut self.pins[usize::from(pin)];
        let drive = match p.owner {
            Owner::Driver(high) => p.cnf.drive(high),
            Owner::Gpio if p.cnf.output() => p.cnf.drive(p.out),
            Owner::Gpio | Owner::Listener => p.cnf.pull(),
        };
        if drive != p.drive {
            let before = std::mem::replace(&mut p.drive, drive);
            if self.probe_pins >> pin & 1 == 1 {
                self.drive_probe(now);
                self.put(now, pin, Signal::Drive(drive));
                return;
            }
            if !self.parts.is_empty() {
                self.charge(now, pin, before);
            }
            self.relevel(pin);
            self.put(now, pin, Signal::Drive(drive));
        }
    }

    /// The chip did `before` to the net of `pin` and does something else now: a net that was low may rise by itself.
    fn charge(&mut self, now: u64, pin: u8, before: Drive) {
        let drive = self.drive(pin);
        let let_go = before == Drive::Low && matches!(drive, Drive::Released | Drive::PullUp);
        let at = self.hfclk.time(now);
        let rise = if let_go { self.parts.iter().find_map(|part| part.rise(self, pin, at)) } else { None };
        self.rising.retain(|rising| rising.1 != pin);
        let p = &mut self.pins[usize::from(pin)];
        if let Some(span) = rise {
            p.charge = Charge::Rising;
            self.rising.push((now + self.hfclk.cycles(span), pin));
        } else {
            p.charge = Charge::None;
        }
    }

    fn relevel(&mut self, pin: u8) {
        let p = &self.pins[usize::from(pin)];
        let resolved = Level::resolve([p.drive, p.outside, p.part]);
        let forced = [p.outside, p.part].iter().any(|drive| matches!(drive, Drive::Low | Drive::High));
        let level = match p.charge {
            Charge::Rising if !forced => false,
            Charge::Risen if !forced => true,
            _ => resolved.bit(),
        };
        let bit = 1 << pin;
        if (self.levels & bit != 0) != level {
            self.levels ^= bit;
            self.changed |= bit;
        }
    }

    #[inline]
    fn put(&mut self, now: u64, pin: u8, signal: Signal) {
        if self.told >> (pin & 63) & 1 == 1 {
            self.tell(now, pin & 63, signal);
        }
    }

    fn tell(&mut self, now: u64, pin: u8, signal: Signal) {
        let edge = Edge { at: self.hfclk.time(now), pin: PinId(pin.into()), signal };
        for (_, observer) in self.observers.iter_mut().filter(|(watched, _)| watched >> pin & 1 == 1) {
            observer.edge(&edge);
        }
        if self.exported >> pin & 1 == 1 {
            self.edges.push(edge);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use twinboard_sim::debug::{SwdRequest, SwdTiming, SwdTransfer, SwdWire};
    use twinboard_sim::time::Time;

    use super::*;

    #[test]
    fn an_open_drain_output_lets_its_pull_up_make_the_high_level() {
        let cnf = PinCnf(1 | 3 << 2 | 6 << 8);
        assert_eq!((cnf.drive(true), cnf.drive(false)), (Drive::PullUp, Drive::Low));
    }

    #[test]
    fn a_peripheral_that_takes_a_pin_overrides_out_until_it_gives_it_back() {
        let mut pins = Pins::new(48);
        pins.set_cnf(0, 3, PinCnf(1));
        pins.take(10, 3, true);
        pins.set_out(20, 3, false);
        assert!(pins.level(20, 3));
        pins.release(30, 3);
        assert!(!pins.level(30, 3));
        let seen: Vec<_> = pins.edges().iter().map(|e| (e.at.0 / CYCLE_PS, e.signal)).collect();
        assert_eq!(
            seen,
            [(0, Signal::Drive(Drive::Low)), (10, Signal::Drive(Drive::High)), (30, Signal::Drive(Drive::Low))]
        );
    }

    #[test]
    fn a_button_that_pulls_low_wins_against_the_internal_pull_up() {
        let mut pins = Pins::new(48);
        pins.set_cnf(0, 14, PinCnf(3 << 2));
        assert!(pins.input(0, 14));
        pins.outside(14, Drive::Low);
        assert!(!pins.input(1, 14));
        assert_eq!(pins.take_changed(), 1 << 14);
    }

    /// A target that holds the data line low whenever the probe lets go; counts rising edges of the clock.
    #[derive(Clone, Default)]
    struct LowTarget(Arc<AtomicU32>);

    impl SwdWire for LowTarget {
        fn clock(&mut self, _: Time, swdio: Drive) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed);
            self.level(swdio)
        }
        fn transfer(&mut self, _: Time, _: &SwdTiming, _: SwdRequest, _: u32) -> (SwdTransfer, Span) {
            unreachable!("pins do not make transfers")
        }
        fn reset_pin(&mut self, _: Time, _: bool) {}
        fn level(&mut self, swdio: Drive) -> bool {
            swdio == Drive::High
        }
    }

    #[test]
    fn the_probes_pins_clock_the_wire_and_read_it_back() {
        let (mut pins, target) = (Pins::new(32), LowTarget::default());
        pins.attach_probe(SwdPins::new(Box::new(target.clone())), 1, 0);
        pins.set_cnf(0, 1, PinCnf(1));
        pins.set_cnf(0, 0, PinCnf(1));
        pins.set_out(1, 0, true);
        for at in 2..6 {
            pins.set_out(2 * at, 1, true);
            pins.set_out(2 * at + 1, 1, false);
        }
        assert_eq!(target.0.load(Ordering::Relaxed), 4);
        assert_eq!(pins.inputs(20), 0b01, "what the probe itself drives");
        pins.set_cnf(21, 0, PinCnf(0));
        assert_eq!(pins.inputs(22), 0, "what the target drives");
        assert!(!pins.has_changed(), "nobody asked to be woken");
        pins.set_cnf(23, 0, PinCnf(1 | 2 << 16));
        pins.take_changed();
        pins.set_out(24, 0, false);
        pins.set_out(25, 0, true);
        assert_eq!(pins.take_changed(), 1, "a pin with SENSE");
    }
}
