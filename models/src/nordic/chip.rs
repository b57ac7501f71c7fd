//! The whole chip: core, memories, peripherals and debug side, through time, resets and System OFF.

use twinboard_sim::activity::Stretch;
use twinboard_sim::bus::{BusFault, Size};
use twinboard_sim::chip::Chip;
use twinboard_sim::cpu::arm::{Cause, Core, ResetKind, State};
use twinboard_sim::cpu::memory::{Kind, Memory, RegionId};
use twinboard_sim::cpu::{Cpu, Stop};
use twinboard_sim::debug::DebugTarget;
use twinboard_sim::fault::SharedFault;
use twinboard_sim::report::{Incident, Report};
use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::UsbPort;
use twinboard_sim::wire::{Edge, Level, PinId};

use super::ctrl_ap::{CTRL_AP, Command, CtrlAp, Status};
use super::ficr::{self, FICR, FICR_SIZE};
use super::nvmc::FlashActivity;
use super::peripheral::{NEVER, Request, Reset, us};
use super::rng::Noise;
use super::soc::Soc;
use super::table::{ChipTable, Options, Series};
use crate::fault::firmware_core::FirmwareCore;
use crate::fault::firmware_image::ImageFaults;
use crate::fault::flash::SharedFlashFaults;
use crate::fault::i2c::I2cFaults;
use crate::image::Start;
use crate::parts::PinObserver;
use crate::parts::air::{Reception, Transmission};
use crate::parts::analog::AnalogPart;
use crate::parts::i2c::I2cBus;
use crate::parts::swd_pins::SwdPins;

const RAM: u32 = 0x2000_0000;

/// A core that locks up is held in reset for so long; a blank chip restarts a thousand times a second.
const LOCKUP_RESET: u64 = us(1_000);

/// Where a core goes whose vectors are erased.
const ERASED_VECTOR: u32 = 0xFFFF_FFFE;

/// Why the core does not run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stopped {
    /// It runs (or sleeps, or is halted: its own business).
    No,
    /// CTRL-AP.RESET holds the chip.
    Held,
    /// nRESET holds the chip.
    HeldByPin,
    /// A reset takes until this cycle.
    Starting(u64),
    /// CTRL-AP.ERASEALL is at work.
    Erasing,
    /// System OFF.
    Off,
    /// A fault holds the core until this cycle, and nothing else.
    Stalled(u64),
}

/// A chip of the family; which one, its table says.
///
/// Pins are numbered through the ports: P0.00 is 0, P1.00 is 32.
pub struct Nrf5 {
    pub(super) core: Core,
    pub(super) soc: Soc,
    ctrl_ap: CtrlAp,
    noise: Noise,
    flash: RegionId,
    uicr: RegionId,
    ram: RegionId,
    pub(super) stopped: Stopped,
    /// The core was halted when its peripherals were last told.
    halted: bool,
    /// A debugger has powered the debug side up ("debug interface mode").
    debugged: bool,
    /// The pin that shows VBUS, as [`Nrf5::wire_vbus_absent`] says.
    pub(super) vbus_absent: Option<u8>,
    start: Start,
    /// What can be wrong with its firmware, if it is an interface chip.
    pub(super) image_faults: Option<ImageFaults>,
}

impl Nrf5 {
    /// A chip of the kind `table` at power-on.
    #[must_use]
    pub fn new(table: &'static ChipTable, options: &Options) -> Nrf5 {
        let mut memory = Memory::default();
        let flash = memory.add(Kind::Flash, 0, table.flash.size, 0xFF);
        let uicr = memory.add(Kind::Flash, table.flash.uicr, table.flash.uicr_size, 0xFF);
        memory.add(Kind::Flash, FICR, FICR_SIZE, 0xFF);
        let ram = memory.add(Kind::Ram, RAM, table.ram, 0);
        if let Some(code_ram) = table.code_ram {
            memory.alias(ram, code_ram);
        }
        for (offset, value) in ficr::words(table, options) {
            memory.write(FICR + offset, Size::Word, value);
        }
        for (address, bytes) in &options.image {
            if memory.kind(*address) == Some(Kind::Flash) {
                memory.write_bytes(*address, bytes);
            }
        }
        let mut chip = Nrf5 {
            core: Core::new((table.core)(), memory),
            soc: Soc::new(table, options),
            ctrl_ap: CtrlAp::default(),
            noise: Noise::new(options.seed),
            flash,
            uicr,
            ram,
            stopped: Stopped::No,
            halted: false,
            debugged: false,
            vbus_absent: None,
            start: options.start,
            image_faults: None,
        };
        chip.reset(Reset::PowerOn);
        chip
    }

    /// Adds somebody who watches all pins.
    pub fn observe(&mut self, observer: Box<dyn PinObserver>) {
        self.soc.pins.observe(observer);
    }

    /// Adds a part that makes voltages on pins.
    pub fn add_part(&mut self, part: Box<dyn AnalogPart>) {
        self.soc.pins.add_part(part);
    }

    /// Somebody holds so many microvolts against a pin, or nothing any more. The level that follows is told as an edge.
    pub fn hold(&mut self, pin: PinId, microvolts: Option<u32>) {
        if let Ok(pin) = u8::try_from(pin.0) {
            self.soc.pins.hold(pin, microvolts);
        }
    }

    /// Level and voltage (microvolts, if anybody makes one) at a pin.
    #[must_use]
    pub fn measure(&self, pin: PinId) -> (Level, Option<u32>) {
        let now = self.cycle();
        let Ok(pin) = u8::try_from(pin.0) else { return (Level::Unknown, None) };
        let voltage = self.soc.pins.voltage(now, pin);
        match voltage {
            Some(_) => (Level::from_bit(self.soc.pins.level(now, pin)), voltage),
            None => (Level::Unknown, None),
        }
    }

    /// Which pins (as a mask) are wired to another chip: only their edges leave through [`Chip::advance`]. At first all.
    pub fn export_pins(&mut self, pins: u64) {
        self.soc.pins.export(pins);
    }

    /// Gives two pins to the board's SWD wire, of which the chip holds the probe's end.
    pub fn attach_probe(&mut self, wire: SwdPins, swclk: PinId, swdio: PinId) {
        self.soc.pins.attach_probe(wire, swclk.0 as u8, swdio.0 as u8);
    }

    /// Connects the board's I2C bus: a TWIM on its pins reaches its devices.
    pub fn attach_i2c(&mut self, bus: I2cBus) {
        self.soc.attach_i2c(self.cycle(), bus);
        self.core.schedule(self.core.cycle());
    }

    /// What is wrong with the I2C bus that the chip is the master of.
    pub fn set_i2c_faults(&mut self, faults: I2cFaults) {
        self.soc.set_i2c_faults(faults);
    }

    /// Takes the packets that the chip's radio began to send since the last call.
    pub fn take_sent(&mut self, sent: &mut Vec<Transmission>) {
        self.soc.with_radio(|radio| sent.extend(radio.take_sent()));
    }

    /// Something arrives at the chip's antenna. Its start must not be before the chip's time by more than
    /// [`Transmission::SOONEST`].
    pub fn hear(&mut self, reception: Reception) {
        let noticed = reception.transmission.start + Transmission::SOONEST;
        let hfclk = self.soc.pins.hfclk;
        self.soc.with_radio(|radio| radio.hear(hfclk, reception));
        self.core.schedule(self.soc.clock.core_cycles(hfclk.cycle(noticed)));
    }

    /// The chip's radio begins no packet before this time, if its program does nothing before `from`.
    pub fn silent_until(&mut self, from: Time) -> Time {
        let cycle = self.soc.pins.hfclk.cycle(from).max(self.cycle());
        let silent = self.soc.with_radio(|radio| radio.silent_until(cycle));
        self.time(silent.unwrap_or(NEVER))
    }

    /// What kind of chip it is.
    #[must_use]
    pub fn table(&self) -> &'static ChipTable {
        self.soc.table
    }

    /// The contents of flash, from address 0.
    #[must_use]
    pub fn flash(&self) -> &[u8] {
        self.core.memory().region(self.flash)
    }

    /// Replaces the contents of flash, from address 0; what `contents` does not cover is erased.
    pub fn set_flash(&mut self, contents: &[u8]) {
        self.core.memory_mut().refill(self.flash, contents);
    }

    /// Lets `faults` strike at its flash.
    pub fn set_flash_faults(&mut self, faults: SharedFlashFaults) {
        self.soc.nvmc.set_faults(faults);
    }

    /// Arms a fault on its clocks.
    pub fn arm_clock(&mut self, fault: &SharedFault) {
        self.soc.power_clock.clock.arm(fault.clone());
    }

    /// From now on its clocks are fast by so many parts per million, and with them all that the chip does.
    pub fn set_clock_offset(&mut self, ppm: i32) {
        let Nrf5 { core, soc, .. } = self;
        core.with_context(|cx| {
            soc.set_clock_offset(soc.clock.cycles(cx.cycle), ppm);
            *cx.deadline = cx.cycle;
        });
    }

    /// The contents of UICR.
    #[must_use]
    pub fn uicr(&self) -> &[u8] {
        self.core.memory().region(self.uicr)
    }

    /// Whether a low level on the reset input would reset the chip now.
    #[must_use]
    pub fn has_reset_pin(&self) -> bool {
        self.soc.reset_pin_enabled()
    }

    /// Somebody pulls the reset input low, now, or lets it go.
    pub fn drive_reset_pin(&mut self, low: bool) {
        self.drive_reset(low);
    }

    /// Replaces the contents of UICR; what `contents` does not cover is erased. Most of it counts from the next reset.
    pub fn set_uicr(&mut self, contents: &[u8]) {
        self.core.memory_mut().refill(self.uicr, contents);
    }

    /// Whether the chip is powered down and waits for what wakes it.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.stopped == Stopped::Off
    }

    /// When the flash controller was at work.
    #[must_use]
    pub fn flash_activity(&self) -> &FlashActivity {
        self.soc.nvmc.activity()
    }

    /// From now on keeps when the core is idle, or does not any more.
    pub fn record_idle(&mut self, on: bool) {
        self.core.record_idle(on);
    }

    /// When the core slept or waited in a loop since the last call. Right as far back as the last change of the clock's
    /// offset.
    pub fn take_idle(&mut self) -> Vec<Stretch> {
        let (clock, hfclk) = (self.soc.clock, self.soc.pins.hfclk);
        let at = |cycle| hfclk.time(clock.cycles(cycle));
        self.core.take_idle().into_iter().map(|(from, to)| (at(from), at(to))).collect()
    }

    /// The core, for a debugger on the chip itself.
    pub fn core(&mut self) -> &mut Core {
        self.core.unpark();
        &mut self.core
    }

    /// The time, in cycles since power-on.
    fn cycle(&self) -> u64 {
        self.soc.clock.cycles(self.core.cycle())
    }

    fn time(&self, cycle: u64) -> Time {
        self.soc.pins.hfclk.time(cycle)
    }

    pub(super) fn reset(&mut self, reset: Reset) {
        let debug_too = self.soc.table.series.resets_debug(reset);
        self.core.reset(if debug_too { ResetKind::PowerOn } else { ResetKind::System });
        self.find_damage();
        if let Start::Handover(vectors) = self.start {
            self.core.hand_over(vectors);
        }
        if reset == Reset::PowerOn {
            let Nrf5 { core, noise, ram, .. } = self;
            for word in core.memory_mut().region_mut(*ram).chunks_exact_mut(4) {
                word.copy_from_slice(&noise.next().to_le_bytes());
            }
        }
        let Nrf5 { core, soc, .. } = self;
        core.with_context(|cx| soc.reset(cx, reset));
        self.stopped = Stopped::No;
    }

    /// Does what the chip itself has to do after something ran.
    fn settle(&mut self, stop: Option<Stop>) {
        let halted = self.core.state() == State::Halted;
        if halted != self.halted {
            self.halted = halted;
            let Nrf5 { core, soc, .. } = self;
            core.with_context(|cx| {
                soc.core_halted(soc.clock.cycles(cx.cycle), cx.memory, halted);
                *cx.deadline = cx.cycle;
            });
        }
        match self.soc.request.take() {
            Some(Request::Reset(reset)) => {
                if reset == Reset::Watchdog {
                    self.core.note_watchdog();
                }
                self.reset(reset);
            }
            Some(Request::SystemOff) => {
                self.stopped = Stopped::Off;
                let Nrf5 { core, soc, .. } = self;
                core.with_context(|cx| soc.with_usbd(cx, |usbd, _| usbd.power_down()));
            }
            Some(Request::ResetPin(asserted)) => self.drive_reset(asserted),
            None => match stop {
                Some(Stop::Reset) => self.reset(Reset::Soft),
                Some(Stop::LockedUp) if !self.debugged => {
                    self.reset(Reset::Lockup);
                    self.stopped = Stopped::Starting(self.cycle() + LOCKUP_RESET);
                }
                _ => {}
            },
        }
    }

    fn drive_reset(&mut self, asserted: bool) {
        if asserted && self.soc.reset_pin_enabled() {
            // The reset may take back what made the pin a reset pin; it holds the chip all the same.
            self.reset(Reset::Pin);
            self.stopped = Stopped::HeldByPin;
        } else if !asserted && self.stopped == Stopped::HeldByPin {
            self.stopped = Stopped::No;
        }
    }

    /// Runs until cycle `until` or a little beyond; ends early at an edge if `stop_at_edges`, and where the board has to
    /// know of an end of its power.
    fn run_to(&mut self, until: u64, stop_at_edges: bool) {
        while self.cycle() < until && !(stop_at_edges && (self.soc.pins.has_edges() || self.soc.nvmc.take_cut_begun()))
        {
            if self.stopped == Stopped::No {
                let core_until = self.soc.clock.core_cycles(until);
                let stop = self.core.run_or_park(&mut self.soc, core_until);
                self.settle(Some(stop));
            } else {
                self.pass(until);
            }
        }
    }

    /// Time passes for a chip whose core does not run.
    fn pass(&mut self, until: u64) {
        let next = self.next_while_stopped().min(until).max(self.cycle());
        self.core.pass_time(self.soc.clock.core_cycles(next));
        let Nrf5 { core, soc, stopped, .. } = self;
        core.with_context(|cx| if *stopped == Stopped::Off { soc.run_edges(cx) } else { soc.run_due(cx) });
        let now = self.cycle();
        match self.stopped {
            Stopped::Off if self.soc.detect(now) => self.reset(Reset::SystemOff),
            Stopped::Starting(at) | Stopped::Stalled(at) if at <= now => self.stopped = Stopped::No,
            Stopped::Erasing if self.soc.nvmc.busy_until() <= now => self.erased(),
            _ => {}
        }
        self.settle(None);
    }

    fn next_while_stopped(&self) -> u64 {
        match self.stopped {
            Stopped::Off if self.soc.detect(self.cycle()) => self.cycle(),
            Stopped::Off => self.soc.next_edge(),
            Stopped::Starting(at) | Stopped::Stalled(at) => at.min(self.soc.next_event()),
            _ => self.soc.next_event(),
        }
    }

    /// CTRL-AP.ERASEALL has erased flash and UICR; RAM goes too.
    fn erased(&mut self) {
        self.core.memory_mut().region_mut(self.ram).fill(0);
        self.soc.power_clock.erased_all();
        self.stopped = Stopped::No;
    }

    fn bring_to(&mut self, at: Time) {
        self.run_to(self.soc.pins.hfclk.cycle(at), false);
    }
}

impl std::fmt::Debug for Nrf5 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nrf5").field("now", &Chip::now(self)).finish_non_exhaustive()
    }
}

impl Chip for Nrf5 {
    fn now(&self) -> Time {
        self.time(self.cycle())
    }

    fn next_event(&self) -> Time {
        if self.soc.pins.has_edges() {
            return self.now();
        }
        let next = if self.stopped == Stopped::No {
            self.soc.clock.cycles(self.core.next_event()).min(self.soc.next_event())
        } else {
            self.next_while_stopped()
        };
        self.time(next.max(self.cycle()))
    }

    fn quiet_until(&self) -> Time {
        if self.soc.pins.has_edges() || self.stopped != Stopped::No {
            return self.next_event();
        }
        self.time(self.soc.clock.cycles(self.core.quiet_until()).min(self.soc.next_event()).max(self.cycle()))
    }

    /// The shortest serial character: ten bits at 1 Mbaud.
    fn lookahead(&self) -> Span {
        Span::us(10)
    }

    fn advance(&mut self, until: Time, out: &mut Vec<Edge>) {
        self.run_to(self.soc.pins.hfclk.cycle(until), true);
        out.append(self.soc.pins.edges());
    }

    fn receive(&mut self, edge: Edge) {
        self.soc.receive(edge);
        self.core.schedule(self.soc.clock.core_cycles(self.soc.pins.hfclk.cycle(edge.at)));
    }

    fn usb(&mut self) -> Option<&mut dyn UsbPort> {
        if self.soc.usbd().is_some() { Some(self) } else { None }
    }

    fn debug(&mut self) -> Option<&mut dyn DebugTarget> {
        Some(self)
    }

    fn with_cpu(&mut self, f: &mut dyn FnMut(&mut dyn Cpu)) -> bool {
        f(&mut self.core.attach(&mut self.soc));
        self.settle(None);
        true
    }

    fn power_cycle(&mut self, at: Time) {
        self.core.pass_time(self.soc.clock.core_cycles(self.soc.pins.hfclk.cycle(at)));
        let Nrf5 { core, soc, noise, .. } = self;
        soc.nvmc.cut_off(core.memory_mut(), || noise.next());
        self.ctrl_ap = CtrlAp::default();
        self.debugged = false;
        self.soc.debug_interface = false;
        self.soc.power_cycle_i2c(self.cycle());
        self.soc.pins.power_cycle_probe();
        self.reset(Reset::PowerOn);
    }

    fn incidents(&self) -> usize {
        self.core.incidents().len()
    }

    fn report(&self, report: &mut Report) {
        // A chip without a program locks up a thousand times a second; that is how it is delivered.
        let wild = self.core.incidents().iter().filter(|incident| incident.pc != ERASED_VECTOR);
        report.incidents.extend(wild.map(|incident| Incident {
            chip: self.soc.table.name.into(),
            what: incident.raised.to_string(),
            at: incident.pc,
            why: incident.cause.to_string(),
            from: matches!(incident.cause, Cause::Fetch | Cause::InvalidState).then_some(incident.lr),
            first: self.time(self.soc.clock.cycles(incident.cycle)),
            times: incident.times,
        }));
        self.soc.report(report);
    }
}

impl DebugTarget for Nrf5 {
    fn mem_read(&mut self, at: Time, address: u32, size: Size) -> Result<u32, BusFault> {
        self.bring_to(at);
        if !self.soc.rbpconf.lets_through(address) {
            return Ok(0);
        }
        self.core.debug_read(&mut self.soc, address, size)
    }

    fn mem_write(&mut self, at: Time, address: u32, size: Size, value: u32) -> Result<(), BusFault> {
        self.bring_to(at);
        if !self.soc.rbpconf.lets_through(address) {
            return Ok(());
        }
        let result = self.core.debug_write(&mut self.soc, address, size, value);
        self.settle(None);
        result
    }

    /// Flash that is busy answers nobody, but a second word may follow the first.
    fn mem_ready(&mut self, at: Time, address: u32) -> bool {
        self.bring_to(at);
        self.core.memory().kind(address) != Some(Kind::Flash) || self.soc.nvmc.ready_next()
    }

    fn mem_enabled(&mut self, at: Time) -> bool {
        self.bring_to(at);
        self.soc.power_clock.is_open()
    }

    fn power_request(&mut self, at: Time, debug: bool, _system: bool) {
        self.bring_to(at);
        self.debugged = debug;
        self.soc.debug_interface = debug || self.soc.debug_interface && self.soc.table.series == Series::Nrf51;
    }

    fn vendor_read(&mut self, at: Time, ap: u8, register: u8) -> u32 {
        self.bring_to(at);
        let status = Status { erasing: self.stopped == Stopped::Erasing, open: self.soc.power_clock.is_open() };
        if ap == CTRL_AP { self.ctrl_ap.read(register, status) } else { 0 }
    }

    fn vendor_write(&mut self, at: Time, ap: u8, register: u8, value: u32) {
        self.bring_to(at);
        match self.ctrl_ap.write(register, value).filter(|_| ap == CTRL_AP) {
            Some(Command::Hold) if self.stopped != Stopped::Erasing => {
                self.reset(Reset::Soft);
                self.stopped = Stopped::Held;
            }
            Some(Command::Release) if self.stopped != Stopped::Erasing => self.reset(Reset::Soft),
            Some(Command::EraseAll) => {
                let Nrf5 { core, soc, .. } = self;
                core.with_context(|cx| soc.erase_all(cx));
                self.stopped = Stopped::Erasing;
            }
            _ => {}
        }
    }

    fn reset_pin(&mut self, at: Time, asserted: bool) {
        self.bring_to(at);
        self.drive_reset(asserted);
    }

    fn brown_out(&mut self, at: Time) {
        self.bring_to(at);
        self.ctrl_ap = CtrlAp::default();
        self.debugged = false;
        self.soc.debug_interface = false;
        self.reset(Reset::PowerOn);
    }
}

#[cfg(test)]
#[path = "chip_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "wild_tests.rs"]
mod wild;
