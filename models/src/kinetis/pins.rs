//! The chip's pins: what it does to each net, and what it sees there.
//!
//! Ports A to E have up to 32 pins each; a pin's number is 32 times its port plus its number there. PCR\[MUX\] decides
//! who has a pin: nobody (analogue), the GPIO registers, or one of its alternate functions. The rest of the board does
//! what it does from outside. The level is what comes of both.
//!
//! Two of the pins may be a probe's end of an SWD wire. What the chip does to them goes there at once and not through
//! the board's nets, and SWDIO is read from there.

use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{Drive, Edge, I2cSignal, Level, PinId, SerialFrame, Signal};

use super::capacitor::Capacitor;
use crate::parts::PinObserver;
use crate::parts::analog::{AnalogPart, ChipPins, SUPPLY_UV};
use crate::parts::swd_pins::{SHARED_RESET, SwdPins};

/// Ports of the family's largest chip.
pub const PORTS: usize = 5;

/// PCR\[MUX\] of a GPIO.
pub const MUX_GPIO: u32 = 1;

const PS: u32 = 1;
const PE: u32 = 1 << 1;

/// The pin that the manual calls `name` (`PTC5`).
#[must_use]
pub fn by_name(name: &str) -> Option<PinId> {
    let rest = name.strip_prefix("PT")?;
    let port = rest.bytes().next().filter(|letter| (b'A'..=b'E').contains(letter))? - b'A';
    let digits = &rest[1..];
    let number: u16 = digits.parse().ok().filter(|number| *number < 32)?;
    // No sign, no leading zero.
    (digits == number.to_string()).then(|| PinId(u16::from(port) * 32 + number))
}

/// The bits of a mask, lowest first.
pub fn bits(mut mask: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (mask != 0).then(|| mask.trailing_zeros())?;
        mask &= mask - 1;
        Some(bit)
    })
}

/// What alternate function number n puts on the pins of a port.
#[derive(Clone, Copy, Default, Debug)]
struct Alternate {
    driven: u32,
    high: u32,
}

/// One port.
#[derive(Debug)]
pub(super) struct PortPins {
    /// Pins that the package has.
    pub(super) fitted: u32,
    /// PCR without ISF.
    pub(super) pcr: [u32; 32],
    pub(super) pdor: u32,
    pub(super) pddr: u32,
    /// ISFR.
    pub(super) isf: u32,
    /// Pins whose MUX is GPIO, and those whose MUX is not 0.
    gpio: u32,
    pub(super) digital: u32,
    /// Pins whose level somebody on the chip minds: those with an interrupt or an alternate function.
    minded: u32,
    alternates: [Alternate; 8],
    drives: [Drive; 32],
    outside: [Drive; 32],
    pub(super) levels: u32,
    exported: u32,
    changed: u32,
}

impl PortPins {
    fn new(fitted: u32) -> PortPins {
        PortPins {
            fitted,
            pcr: [0; 32],
            pdor: 0,
            pddr: 0,
            isf: 0,
            gpio: 0,
            digital: 0,
            minded: 0,
            alternates: [Alternate::default(); 8],
            drives: [Drive::Released; 32],
            outside: [Drive::Released; 32],
            levels: 0,
            exported: u32::MAX,
            changed: 0,
        }
    }

    fn mux(&self, bit: u32) -> u32 {
        self.pcr[bit as usize & 31] >> 8 & 7
    }

    fn drive_of(&self, bit: u32) -> Drive {
        let (pcr, mask) = (self.pcr[bit as usize & 31], 1 << bit);
        let mux = self.mux(bit);
        let (driven, high) = match mux {
            0 => return Drive::Released,
            MUX_GPIO => (self.pddr & mask != 0, self.pdor & mask != 0),
            _ => {
                let alternate = &self.alternates[mux as usize];
                (alternate.driven & mask != 0, alternate.high & mask != 0)
            }
        };
        match (driven, high) {
            (true, true) => Drive::High,
            (true, false) => Drive::Low,
            _ if pcr & PE == 0 => Drive::Released,
            _ if pcr & PS == 0 => Drive::PullDown,
            _ => Drive::PullUp,
        }
    }
}

/// A probe's wires on two pins.
#[derive(Debug)]
struct Probe {
    wires: SwdPins,
    swclk: (usize, u32),
    swdio: (usize, u32),
    /// When what the wires do becomes a reset of the target.
    reset_due: Time,
}

/// All pins of the chip.
pub struct Pins {
    pub(super) ports: [PortPins; PORTS],
    probe: Option<Probe>,
    edges: Vec<Edge>,
    /// Who watches, and which pins of each port.
    observers: Vec<([u32; PORTS], Box<dyn PinObserver>)>,
    /// Microvolts that somebody holds against pins from outside.
    held: Vec<(PinId, u32)>,
    capacitors: Vec<Capacitor>,
    parts: Vec<Box<dyn AnalogPart>>,
    /// The supply, in microvolts.
    vdd: u32,
    /// Characters on nets, so that a pin that is read shows their bits.
    characters: Vec<(PinId, Time, SerialFrame)>,
}

impl ChipPins for Pins {
    fn drive(&self, pin: u8) -> Drive {
        place(PinId(pin.into())).map_or(Drive::Released, |(port, bit)| self.ports[port].drives[bit as usize])
    }
}

impl std::fmt::Debug for Pins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pins").field("levels", &self.ports.each_ref().map(|port| port.levels)).finish_non_exhaustive()
    }
}

fn place(pin: PinId) -> Option<(usize, u32)> {
    let port = usize::from(pin.0 / 32);
    (port < PORTS).then(|| (port, u32::from(pin.0 % 32)))
}

fn number(port: usize, bit: u32) -> PinId {
    PinId(port as u16 * 32 + bit as u16)
}

impl Pins {
    /// Pins that have not been reset yet; `fitted` has a mask for each port.
    #[must_use]
    pub fn new(fitted: [u32; PORTS]) -> Pins {
        Pins {
            ports: fitted.map(PortPins::new),
            probe: None,
            edges: Vec::with_capacity(16),
            observers: Vec::new(),
            held: Vec::new(),
            capacitors: Vec::new(),
            parts: Vec::new(),
            vdd: SUPPLY_UV,
            characters: Vec::with_capacity(8),
        }
    }

    /// Connects a probe's end of an SWD wire. False if there are no such pins.
    pub fn attach_probe(&mut self, wires: SwdPins, swclk: PinId, swdio: PinId) -> bool {
        let (Some(swclk), Some(swdio)) = (place(swclk), place(swdio)) else { return false };
        self.probe = Some(Probe { wires, swclk, swdio, reset_due: Time::NEVER });
        true
    }

    /// The probe's wires.
    pub fn probe(&mut self) -> Option<&mut SwdPins> {
        self.probe.as_mut().map(|probe| &mut probe.wires)
    }

    /// When the probe's wires have been low for so long that they reset the target.
    #[inline]
    #[must_use]
    pub fn reset_due(&self) -> Time {
        self.probe.as_ref().map_or(Time::NEVER, |probe| probe.reset_due)
    }

    /// Resets the target, if that is due by `now`. Whether it was.
    pub fn reset_target(&mut self, now: Time) -> bool {
        let Some(probe) = self.probe.as_mut().filter(|probe| probe.reset_due <= now) else { return false };
        probe.reset_due = Time::NEVER;
        probe.wires.reset_pin(now, true);
        true
    }

    /// Adds somebody who watches pins.
    pub fn observe(&mut self, observer: Box<dyn PinObserver>) {
        let watched = |port| (0..32).fold(0, |mask, bit| mask | u32::from(observer.watches(number(port, bit))) << bit);
        self.observers.push((std::array::from_fn(watched), observer));
    }

    /// Those who watch `pin`.
    fn watching(&mut self, pin: PinId) -> impl Iterator<Item = &mut Box<dyn PinObserver>> {
        let place = place(pin);
        let watches = move |pins: &[u32; PORTS]| place.is_some_and(|(port, bit)| pins[port] >> bit & 1 == 1);
        self.observers.iter_mut().filter(move |(pins, _)| watches(pins)).map(|(_, observer)| observer)
    }

    /// Which pins (a mask for each port) are wired to another chip: only their edges leave. At first all.
    pub fn export(&mut self, pins: [u32; PORTS]) {
        for (port, mask) in self.ports.iter_mut().zip(pins) {
            port.exported = mask;
        }
    }

    /// Adds a part that makes voltages on pins.
    pub fn add_part(&mut self, part: Box<dyn AnalogPart>) {
        self.parts.push(part);
    }

    /// What the chip is supplied with, in microvolts.
    #[must_use]
    pub fn vdd(&self) -> u32 {
        self.vdd
    }

    /// The supply changes.
    pub fn set_vdd(&mut self, microvolts: u32) {
        self.vdd = microvolts;
    }

    /// Connects a capacitor to ground to a pin.
    pub fn add_capacitor(&mut self, capacitor: Capacitor) {
        self.capacitors.push(capacitor);
    }

    /// Somebody holds so many microvolts against `pin`, or nothing any more.
    pub fn hold(&mut self, pin: PinId, microvolts: Option<u32>) {
        self.held.retain(|(other, _)| *other != pin);
        self.held.extend(microvolts.map(|microvolts| (pin, microvolts)));
    }

    /// The voltage on `pin` in microvolts; `None` if nobody makes one.
    #[must_use]
    pub fn voltage(&self, now: Time, pin: PinId) -> Option<u32> {
        if let Some((_, microvolts)) = self.held.iter().find(|(other, _)| *other == pin) {
            return Some(*microvolts);
        }
        if let Some(capacitor) = self.capacitors.iter().find(|capacitor| capacitor.pin == pin) {
            return Some(capacitor.voltage(now));
        }
        let made =
            u8::try_from(pin.0).ok().and_then(|pin| self.parts.iter().find_map(|part| part.voltage(self, pin, now)));
        if made.is_some() {
            return made;
        }
        let (port, bit) = place(pin)?;
        let port = &self.ports[port];
        match Level::resolve([port.drives[bit as usize], port.outside[bit as usize]]) {
            Level::High => Some(self.vdd),
            Level::Low => Some(0),
            Level::Unknown => None,
        }
    }

    /// An alternate function that has `pin` pulses it too fast to follow: `high` of each `period` it is high.
    pub fn pulse(&mut self, now: Time, pin: PinId, period: Span, high: Span) {
        for observer in self.watching(pin) {
            observer.pulses(now, pin, period, high);
        }
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

    /// Whether levels that somebody minds changed since [`Pins::take_changed`].
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.ports.iter().any(|port| port.changed != 0)
    }

    /// The pins of `port` whose level changed since the last call.
    pub fn take_changed(&mut self, port: usize) -> u32 {
        std::mem::take(&mut self.ports[port].changed)
    }

    /// PCR\[MUX\] of `pin`; 0 if there is no such pin.
    #[must_use]
    pub fn mux(&self, pin: PinId) -> u32 {
        place(pin).map_or(0, |(port, bit)| self.ports[port].mux(bit))
    }

    /// The level on `pin`'s net.
    #[must_use]
    pub fn level(&self, pin: PinId) -> bool {
        place(pin).is_some_and(|(port, bit)| self.ports[port].levels >> bit & 1 == 1)
    }

    /// Whether something holds `pin` low; its own pull-up, which it has during reset, is no match for that.
    #[must_use]
    pub fn is_held_low(&self, pin: PinId) -> bool {
        place(pin)
            .is_some_and(|(port, bit)| matches!(self.ports[port].outside[bit as usize], Drive::Low | Drive::PullDown))
    }

    /// What the input buffers of `port` give; analogue pins read 0.
    #[inline]
    pub fn inputs(&mut self, now: impl FnOnce() -> Time, port: usize) -> u32 {
        let mut word = self.ports[port].levels;
        if let Some(probe) = &mut self.probe
            && probe.swdio.0 == port
        {
            let bit = 1 << probe.swdio.1;
            word = if probe.wires.level() { word | bit } else { word & !bit };
        }
        if !self.characters.is_empty() {
            let now = now();
            self.characters.retain(|(_, start, frame)| now < *start + frame.duration());
            for (pin, start, frame) in &self.characters {
                if usize::from(pin.0 / 32) == port && now >= *start && !frame.level_at(now.since(*start)) {
                    word &= !(1 << (pin.0 % 32));
                }
            }
        }
        word & self.ports[port].digital
    }

    /// Whether levels change only by events.
    #[must_use]
    pub fn steady(&self) -> bool {
        self.characters.is_empty()
    }

    /// Alternate function `mux` of `pin` puts this level on it, or nothing any more.
    pub fn offer(&mut self, now: Time, pin: PinId, mux: u32, level: Option<bool>) {
        let Some((port, bit)) = place(pin) else { return };
        let Some(alternate) = self.ports[port].alternates.get_mut(mux as usize) else { return };
        let mask = 1 << bit;
        alternate.driven = alternate.driven & !mask | if level.is_some() { mask } else { 0 };
        alternate.high = alternate.high & !mask | if level == Some(true) { mask } else { 0 };
        self.update(now, port, mask);
    }

    /// An alternate function that has `pin` and holds it high sends a character.
    pub fn send(&mut self, now: Time, pin: PinId, frame: SerialFrame) {
        self.put(Edge { at: now, pin, signal: Signal::Serial(frame) });
    }

    /// A peripheral does a step of a transfer on the I2C bus whose SDA is `pin`.
    pub fn send_i2c(&mut self, now: Time, pin: PinId, step: I2cSignal) {
        self.put(Edge { at: now, pin, signal: Signal::I2c(step) });
    }

    /// The rest of the net of `pin` changes.
    pub fn outside(&mut self, pin: PinId, drive: Drive) {
        if let Some((port, bit)) = place(pin) {
            self.ports[port].outside[bit as usize] = drive;
            self.relevel(port, bit);
        }
    }

    /// A character begins on the net of `pin`.
    pub fn outside_serial(&mut self, pin: PinId, start: Time, frame: SerialFrame) {
        self.characters.retain(|(other, ..)| *other != pin);
        self.characters.push((pin, start, frame));
    }

    /// PCR of the pins in `mask` was changed.
    pub(super) fn configured(&mut self, now: Time, port: usize, mask: u32) {
        let pins = &mut self.ports[port];
        for bit in bits(mask) {
            let (mux, minds, bit) = (pins.mux(bit), pins.pcr[bit as usize] >> 16 & 0xF != 0, 1 << bit);
            pins.minded = pins.minded & !bit | if minds || mux > MUX_GPIO { bit } else { 0 };
            pins.gpio = pins.gpio & !bit | if mux == MUX_GPIO { bit } else { 0 };
            pins.digital = pins.digital & !bit | if mux != 0 { bit } else { 0 };
        }
        self.update(now, port, mask);
    }

    /// The pins of `port` whose nets notice a change of the GPIO registers by `changed`.
    #[inline]
    pub(super) fn noticed(&self, port: usize, changed: u32) -> u32 {
        changed & self.ports[port].gpio
    }

    /// Looks at what the chip does to the nets of the pins in `mask`.
    pub(super) fn update(&mut self, now: Time, port: usize, mask: u32) {
        for bit in bits(mask) {
            let pins = &mut self.ports[port];
            let drive = pins.drive_of(bit);
            if std::mem::replace(&mut pins.drives[bit as usize], drive) == drive {
                continue;
            }
            self.relevel(port, bit);
            for capacitor in self.capacitors.iter_mut().filter(|capacitor| capacitor.pin == number(port, bit)) {
                capacitor.drive(now, drive, self.vdd);
            }
            if let Some(probe) = &mut self.probe
                && (probe.swclk == (port, bit) || probe.swdio == (port, bit))
            {
                let drive = |(port, bit): (usize, u32)| self.ports[port].drives[bit as usize];
                probe.wires.drive(|| now, drive(probe.swclk), drive(probe.swdio));
                if !probe.wires.may_reset() {
                    probe.reset_due = Time::NEVER;
                    probe.wires.release_shared_reset(now);
                } else if probe.reset_due == Time::NEVER {
                    probe.reset_due = now + SHARED_RESET;
                }
            } else {
                self.put(Edge { at: now, pin: number(port, bit), signal: Signal::Drive(drive) });
            }
        }
    }

    fn relevel(&mut self, port: usize, bit: u32) {
        let pins = &mut self.ports[port];
        let level = Level::resolve([pins.drives[bit as usize], pins.outside[bit as usize]]).bit();
        let mask = 1 << bit;
        if (pins.levels & mask != 0) != level {
            pins.levels ^= mask;
            pins.changed |= mask & pins.minded;
        }
    }

    fn put(&mut self, edge: Edge) {
        for observer in self.watching(edge.pin) {
            observer.edge(&edge);
        }
        if place(edge.pin).is_some_and(|(port, bit)| self.ports[port].exported >> bit & 1 == 1) {
            self.edges.push(edge);
        }
    }

    /// The characters on the nets are over: the chip lost its power.
    pub fn power_cycle(&mut self) {
        self.characters.clear();
        self.edges.clear();
        if let Some(probe) = &mut self.probe {
            probe.reset_due = Time::NEVER;
            probe.wires.power_cycle();
        }
    }

    /// For how long the longest character that is on a net now still lasts.
    #[must_use]
    pub fn busy_for(&self, now: Time) -> Span {
        let ends = self.characters.iter().map(|(_, start, frame)| (*start + frame.duration()).since(now));
        ends.max().unwrap_or(Span::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_called_as_in_the_manual() {
        assert_eq!([by_name("PTA0"), by_name("PTC5"), by_name("PTE31")], [0, 69, 159].map(|pin| Some(PinId(pin))));
        for wrong in ["PTF0", "PTA32", "PTA", "PTC05", "PTC+5", "C5", "PTä1", ""] {
            assert_eq!(by_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_pin_is_driven_by_whoever_the_mux_says() {
        let mut pins = Pins::new([u32::MAX; PORTS]);
        let pin = by_name("PTC4").expect("a pin");
        let drive = |pins: &Pins| pins.ports[2].drives[4];
        pins.offer(Time::ZERO, pin, 3, Some(true));
        assert_eq!(drive(&pins), Drive::Released, "analogue");
        pins.ports[2].pcr[4] = 3 << 8;
        pins.configured(Time::ZERO, 2, 1 << 4);
        assert_eq!(drive(&pins), Drive::High);
        pins.ports[2].pcr[4] = 1 << 8 | PE | PS;
        pins.configured(Time::ZERO, 2, 1 << 4);
        assert_eq!(drive(&pins), Drive::PullUp);
        pins.ports[2].pddr = 1 << 4;
        pins.update(Time::ZERO, 2, 1 << 4);
        assert_eq!(drive(&pins), Drive::Low);
    }

    #[test]
    fn a_character_on_a_pin_is_read_bit_by_bit_and_an_analogue_pin_reads_0() {
        let mut pins = Pins::new([u32::MAX; PORTS]);
        let pin = by_name("PTC3").expect("a pin");
        pins.outside(pin, Drive::PullUp);
        assert_eq!(pins.inputs(|| Time::ZERO, 2), 0);
        pins.ports[2].pcr[3] = 3 << 8;
        pins.configured(Time::ZERO, 2, 1 << 3);
        pins.outside_serial(pin, Time(1_000), SerialFrame { bit: Span(100), bits: 0b10, count: 2 });
        let read = [999, 1_000, 1_100, 1_200].map(|at| pins.inputs(|| Time(at), 2) >> 3);
        assert_eq!(read, [1, 0, 1, 1]);
        assert!(pins.steady(), "the character is over");
    }
}
