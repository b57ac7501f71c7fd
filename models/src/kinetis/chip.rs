//! The whole chip: core, memories and peripherals, through time and resets.

use twinboard_sim::activity::Stretch;
use twinboard_sim::bus::Size;
use twinboard_sim::chip::Chip;
use twinboard_sim::cpu::arm::{Cause, Core, Register, ResetKind, State};
use twinboard_sim::cpu::memory::{Kind, Memory, RegionId};
use twinboard_sim::cpu::{Cpu, Stop};
use twinboard_sim::fault::SharedFault;
use twinboard_sim::report::{Incident, Report};
use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::UsbPort;
use twinboard_sim::wire::{Drive, Edge, PinId, Signal};

use super::boot;
use super::capacitor::Capacitor;
use super::peripheral::{Request, Reset};
use super::pins::PORTS;
use super::rom::Rom;
use super::soc::Soc;
use super::table::{ChipTable, Options};
use super::usb0::Usb0;
use crate::fault::firmware_core::FirmwareCore;
use crate::fault::firmware_image::ImageFaults;
use crate::fault::flash::SharedFlashFaults;
use crate::image::Start;
use crate::nordic::Noise;
use crate::parts::PinObserver;
use crate::parts::analog::AnalogPart;
use crate::parts::swd_pins::SwdPins;

/// From the cause of a reset to the first instruction: the flash's controller loads its configuration meanwhile.
const RESET_TIME: Span = Span::us(300);

/// Where a core goes whose vectors are erased.
const ERASED_VECTOR: u32 = 0xFFFF_FFFE;

/// FSEC in the flash configuration field.
const FSEC: u32 = 0x40C;

const VTOR: u32 = 0xE000_ED08;
const REGISTER_SP: Register = Register(13);
const REGISTER_PC: Register = Register(15);
const REGISTER_XPSR: Register = Register(16);
const XPSR_T: u32 = 1 << 24;

/// Why the core does not run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stopped {
    /// It runs (or sleeps, or is halted: its own business).
    No,
    /// RESET_b holds the chip.
    HeldByPin,
    /// A reset takes until then.
    Starting(Time),
    /// VLLS: the LLWU watches, and nothing else.
    Off,
    /// The boot loader in ROM has the chip.
    InRom,
    /// A fault holds the core until then, and nothing else.
    Stalled(Time),
}

/// A chip of the family; which one, its table says.
///
/// Pins are numbered through the ports: PTA0 is 0, PTB0 is 32.
pub struct Kinetis {
    pub(super) core: Core,
    pub(super) soc: Soc,
    noise: Noise,
    start: Start,
    flash: RegionId,
    ram: RegionId,
    /// The pin that is low while VBUS is there.
    pub(super) vbus_absent: Option<PinId>,
    /// The core was asleep when its peripherals were last told.
    asleep: bool,
    pub(super) stopped: Stopped,
    /// The boot loader in ROM, from when it begins until it is left.
    pub(super) rom: Option<Rom>,
    /// How often the boot loader's USB port asked for attention before it was left.
    pub(super) attention_before: u64,
    /// The core stands where a bootloader in flash would have left it.
    pub(super) handed_over: bool,
    /// The core was halted when its peripherals were last told.
    halted: bool,
    /// The supply is too low to run, and high enough for the RAM.
    sagging: bool,
    /// What can be wrong with its firmware, if it is an interface chip.
    pub(super) image_faults: Option<ImageFaults>,
}

impl Kinetis {
    /// A chip of the kind `table` at power-on.
    #[must_use]
    pub fn new(table: &'static ChipTable, options: &Options) -> Kinetis {
        let mut memory = Memory::default();
        let flash = memory.add(Kind::Flash, 0, table.flash.size, 0xFF);
        let ram = memory.add(Kind::Ram, table.ram.0, table.ram.1, 0);
        if table.rom.is_some() {
            boot::add_rom(&mut memory);
        }
        for (address, bytes) in &options.image {
            if memory.kind(*address) == Some(Kind::Flash) {
                memory.write_bytes(*address, bytes);
            }
        }
        // A chip leaves its factory erased, but not secured.
        if options.image.is_empty() {
            memory.write_bytes(FSEC, &[0xFE]);
        }
        let mut chip = Kinetis {
            core: Core::new((table.core)(), memory),
            soc: Soc::new(table, options),
            noise: Noise::new(options.seed),
            start: options.start,
            flash,
            ram,
            stopped: Stopped::No,
            vbus_absent: None,
            asleep: false,
            rom: None,
            attention_before: 0,
            handed_over: false,
            halted: false,
            sagging: false,
            image_faults: None,
        };
        chip.reset(Reset::PowerOn);
        chip
    }

    /// Brings the chip to `at`; what it does to its pins meanwhile is told with the next [`Chip::advance`].
    pub(super) fn bring_to(&mut self, at: Time) {
        self.run_to(at, false);
    }

    /// The USB controller.
    pub(super) fn usb0(&self) -> Option<&Usb0> {
        self.soc.usb()
    }

    /// Does something to the USB controller and the RAM that it works on.
    pub(super) fn with_usb<T>(&mut self, act: impl FnOnce(&mut Usb0, &mut Memory) -> T) -> Option<T> {
        let Kinetis { core, soc, .. } = self;
        core.with_context(|cx| {
            let result = act(soc.usb_mut()?, cx.memory);
            soc.settle_usb(cx.cycle, cx.memory, cx.irq);
            Some(result)
        })
    }

    /// Connects a pin to a transistor that holds it low while VBUS is there, and high otherwise.
    pub fn wire_vbus_absent(&mut self, pin: PinId) {
        self.soc.pins.outside(pin, Drive::High);
        self.vbus_absent = Some(pin);
    }

    /// Connects a capacitor to ground, behind a resistor, to a pin.
    pub fn add_capacitor(&mut self, pin: PinId, time_constant: Span) {
        self.soc.pins.add_capacitor(Capacitor::new(pin, time_constant));
    }

    /// Adds a part that makes voltages on pins.
    pub fn add_part(&mut self, part: Box<dyn AnalogPart>) {
        self.soc.pins.add_part(part);
    }

    /// The chip is supplied with so many microvolts from now on.
    pub fn set_supply(&mut self, microvolts: u32) {
        self.soc.pins.set_vdd(microvolts);
    }

    /// Somebody holds so many microvolts against a pin, or nothing any more.
    pub fn hold(&mut self, pin: PinId, microvolts: Option<u32>) {
        self.soc.pins.hold(pin, microvolts);
    }

    /// Connects a probe's end of an SWD wire to two pins, whose edges then go there and nowhere else. False if the chip
    /// has no such pins.
    pub fn attach_probe(&mut self, wires: SwdPins, swclk: PinId, swdio: PinId) -> bool {
        self.soc.pins.attach_probe(wires, swclk, swdio)
    }

    /// Adds somebody who watches all pins.
    pub fn observe(&mut self, observer: Box<dyn PinObserver>) {
        self.soc.pins.observe(observer);
    }

    /// Which pins are wired to another chip: only their edges leave through [`Chip::advance`]. At first all.
    pub fn export_pins(&mut self, pins: impl IntoIterator<Item = PinId>) {
        let mut masks = [0; PORTS];
        for pin in pins {
            if let Some(mask) = masks.get_mut(usize::from(pin.0 / 32)) {
                *mask |= 1 << (pin.0 % 32);
            }
        }
        self.soc.pins.export(masks);
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

    /// Whether the chip is powered down and waits for what wakes it.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.stopped == Stopped::Off
    }

    /// Lets `faults` strike at its flash.
    pub fn set_flash_faults(&mut self, faults: SharedFlashFaults) {
        self.soc.ftfa.set_faults(faults);
    }

    /// Arms a fault on its crystal oscillator. Whether it has a crystal.
    pub fn arm_clock(&mut self, fault: &SharedFault) -> bool {
        self.soc.others.iter_mut().any(|device| device.arm_clock(fault))
    }

    /// From now on, all that its clock generator makes is faster by so many parts per million, whatever it makes it from.
    pub fn set_clock_offset(&mut self, ppm: i32) {
        let Kinetis { core, soc, .. } = self;
        core.with_context(|cx| {
            soc.set_clock_offset(ppm, cx.cycle, cx.memory);
            *cx.deadline = cx.cycle;
        });
    }

    /// Whether the supply that goes and comes only sags: then it is the low-voltage detect that resets the chip, and RAM
    /// stays.
    pub fn set_sagging(&mut self, sagging: bool) {
        self.sagging = sagging;
    }

    /// Somebody pulls RESET_b low at `at`, or lets it go.
    pub fn drive_reset_pin(&mut self, at: Time, low: bool) {
        let drive = if low { Drive::Low } else { Drive::Released };
        self.receive(Edge { at, pin: self.soc.table.reset_pin, signal: Signal::Drive(drive) });
    }

    /// From now on keeps when the core is idle, or does not any more.
    pub fn record_idle(&mut self, on: bool) {
        self.core.record_idle(on);
    }

    /// When the core slept or waited in a loop since the last call. Right as far back as the last change of the core's
    /// clock.
    pub fn take_idle(&mut self) -> Vec<Stretch> {
        let clock = &self.soc.clock;
        self.core.take_idle().into_iter().map(|(from, to)| (clock.time(from), clock.time(to))).collect()
    }

    /// The core, for a debugger on the chip itself.
    pub fn core(&mut self) -> &mut Core {
        self.core.unpark();
        &mut self.core
    }

    pub(super) fn reset(&mut self, reset: Reset) {
        self.leave_rom();
        let from = Chip::now(self);
        self.core.reset(if reset.is_of_supply() { ResetKind::PowerOn } else { ResetKind::System });
        let Kinetis { core, soc, noise, ram, .. } = self;
        // The reset ends a flash command wherever it is.
        soc.ftfa.cut_off(core.memory_mut(), || noise.next());
        if reset == Reset::PowerOn {
            for word in core.memory_mut().region_mut(*ram).chunks_exact_mut(4) {
                word.copy_from_slice(&noise.next().to_le_bytes());
            }
        }
        core.with_context(|cx| soc.reset(cx, reset));
        self.find_damage();
        self.hand_over();
        let held = self.soc.held_in_reset();
        self.stopped = if held { Stopped::HeldByPin } else { Stopped::Starting(from + RESET_TIME) };
    }

    /// Brings the core to where a bootloader would leave it, if there is none and the chip is told to do without.
    fn hand_over(&mut self) {
        self.handed_over = false;
        let Start::Handover(vectors) = self.start else { return };
        let Kinetis { core, soc, .. } = self;
        let word = |core: &Core, address: u32| core.memory().read(address, Size::Word);
        let nobody = word(core, 0) == Some(u32::MAX) && word(core, 4) == Some(u32::MAX);
        if let (true, Some(sp), Some(pc)) = (nobody, word(core, vectors), word(core, vectors + 4)) {
            // Cannot fail: the register is the core's own.
            let _ = core.debug_write(soc, VTOR, Size::Word, vectors);
            core.set_register(REGISTER_SP, sp);
            core.set_register(REGISTER_XPSR, XPSR_T);
            core.set_register(REGISTER_PC, pc & !1);
            self.handed_over = true;
        }
    }

    /// Does what the chip itself has to do after something ran.
    fn settle(&mut self, stop: Option<Stop>) {
        let halted = self.core.state() == State::Halted;
        if halted != self.halted {
            self.halted = halted;
            let now = Chip::now(self);
            let Kinetis { core, soc, .. } = self;
            core.with_context(|cx| {
                soc.core_halted(now, cx.memory, halted);
                *cx.deadline = cx.cycle;
            });
        }
        match (self.soc.request.take(), stop) {
            (Some(Request::Reset(reset)), _) => {
                if reset == Reset::Watchdog {
                    self.core.note_watchdog();
                }
                self.reset(reset);
            }
            (Some(Request::ReturnToRom), _) => self.returned_to_rom(),
            (None, Some(Stop::Reset)) => self.reset(Reset::Software),
            (None, Some(Stop::LockedUp)) => self.reset(Reset::Lockup),
            _ => {}
        }
        if self.core.state() != State::WaitingForInterrupt {
            self.asleep = false;
        } else if !std::mem::replace(&mut self.asleep, true) && self.core.sleep_deep() {
            let now = Chip::now(self);
            let Kinetis { core, soc, .. } = self;
            core.with_context(|cx| soc.sleeps_deeply(now, cx.memory));
            if self.soc.request.take_if(|request| *request == Request::PowerDown).is_some() {
                self.stopped = Stopped::Off;
            }
        }
    }

    /// Runs until time `until` or a little beyond; ends early at an edge if `stop_at_edges`, and where the board has to
    /// know of an end of its power.
    fn run_to(&mut self, until: Time, stop_at_edges: bool) {
        while Chip::now(self) < until
            && !(stop_at_edges && (self.soc.pins.has_edges() || self.soc.ftfa.take_cut_begun()))
        {
            if self.stopped == Stopped::No {
                let cycle = self.soc.clock.cycle_at(until);
                let stop = self.core.run_or_park(&mut self.soc, cycle);
                self.settle(Some(stop));
            } else {
                self.pass(until);
            }
        }
    }

    /// Time passes for a chip whose core does not run.
    fn pass(&mut self, until: Time) {
        let next = self.next_while_stopped().min(until);
        self.core.pass_time(self.soc.clock.cycle_at(next));
        let Kinetis { core, soc, .. } = self;
        core.with_context(|cx| soc.run_due(cx));
        match self.stopped {
            Stopped::Starting(at) if at <= Chip::now(self) => self.begin(),
            Stopped::InRom => self.run_rom(),
            Stopped::Stalled(until) if until <= Chip::now(self) => self.stopped = Stopped::No,
            Stopped::HeldByPin if !self.soc.held_in_reset() => {
                self.stopped = Stopped::Starting(Chip::now(self) + RESET_TIME);
            }
            _ => {}
        }
        self.settle(None);
    }

    fn next_while_stopped(&self) -> Time {
        match self.stopped {
            Stopped::Starting(at) | Stopped::Stalled(at) => at.min(self.soc.next_event()),
            Stopped::InRom => {
                let rom = self.rom.as_ref().map_or(Time::NEVER, Rom::next_event);
                rom.max(self.now()).min(self.soc.next_event())
            }
            _ => self.soc.next_event(),
        }
    }
}

impl std::fmt::Debug for Kinetis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kinetis").field("chip", &self.soc.table.name).field("now", &Chip::now(self)).finish()
    }
}

impl Chip for Kinetis {
    fn now(&self) -> Time {
        self.soc.clock.time(self.core.cycle())
    }

    fn next_event(&self) -> Time {
        let now = self.now();
        if self.soc.pins.has_edges() {
            return now;
        }
        let next = if self.stopped == Stopped::No {
            match self.core.next_event() {
                u64::MAX => Time::NEVER,
                cycle => self.soc.clock.time(cycle),
            }
            .min(self.soc.next_event())
        } else {
            self.next_while_stopped()
        };
        next.max(now)
    }

    fn quiet_until(&self) -> Time {
        if self.soc.pins.has_edges() || self.stopped != Stopped::No {
            return self.next_event();
        }
        let next = match self.core.quiet_until() {
            u64::MAX => Time::NEVER,
            cycle => self.soc.clock.time(cycle),
        };
        next.min(self.soc.next_event()).max(self.now())
    }

    /// The shortest serial character: ten bits at 1 Mbaud.
    fn lookahead(&self) -> Span {
        Span::us(10)
    }

    fn advance(&mut self, until: Time, out: &mut Vec<Edge>) {
        self.run_to(until, true);
        out.append(self.soc.pins.edges());
    }

    fn receive(&mut self, edge: Edge) {
        self.rom_hears(edge.pin);
        self.soc.receive(edge);
        self.core.schedule(self.soc.clock.cycle_at(edge.at));
    }

    fn usb(&mut self) -> Option<&mut dyn UsbPort> {
        self.soc.usb()?;
        Some(self)
    }

    fn with_cpu(&mut self, f: &mut dyn FnMut(&mut dyn Cpu)) -> bool {
        f(&mut self.core.attach(&mut self.soc));
        self.settle(None);
        true
    }

    fn power_cycle(&mut self, at: Time) {
        self.core.pass_time(self.soc.clock.cycle_at(at));
        self.soc.power_cycle();
        self.reset(if self.sagging { Reset::LowVoltage } else { Reset::PowerOn });
    }

    fn incidents(&self) -> usize {
        self.core.incidents().len()
    }

    fn report(&self, report: &mut Report) {
        // A chip without a program locks up again and again; that is how it is delivered.
        let wild = self.core.incidents().iter().filter(|incident| incident.pc != ERASED_VECTOR);
        report.incidents.extend(wild.map(|incident| Incident {
            chip: self.soc.table.name.into(),
            what: incident.raised.to_string(),
            at: incident.pc,
            why: incident.cause.to_string(),
            from: matches!(incident.cause, Cause::Fetch | Cause::InvalidState).then_some(incident.lr),
            first: self.soc.clock.time(incident.cycle),
            times: incident.times,
        }));
        self.soc.report(report);
    }
}

#[cfg(test)]
#[path = "chip_tests.rs"]
mod tests;
