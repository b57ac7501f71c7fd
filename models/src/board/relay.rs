//! An interface chip that begins with native firmware and goes on as the emulated chip when its bootloader starts an image.
//!
//! Both are in the same place of the board: both are wired to its nets, and one of them at a time has the pins, the USB
//! socket and the SWD wire. The emulated chip's pins are numbered behind the native one's. A host sees the device go and
//! another one come. A power cycle begins with the native bootloader again, which looks at the reset button and starts
//! what is in the flash; from there on, the flash is the emulated chip's.

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::board::SharedChip;
use twinboard_sim::chip::Chip;
use twinboard_sim::cpu::Cpu;
use twinboard_sim::debug::{SwdRequest, SwdTiming, SwdTransfer, SwdWire};
use twinboard_sim::report::Report;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::{Handshake, InReply, MAX_PACKET, UsbPort};
use twinboard_sim::wire::{Drive, Edge, PinId, Signal};

use super::powered::Model;
use crate::daplink::shared::SharedWire;
use crate::daplink::{DapLink, InterfaceFlash, pins};
use crate::fault::flash::SharedFlashFaults;
use crate::image::interface::{InterfaceChip, SETTINGS_KEY};
use crate::image::{Image, Segment};
use crate::parts::led::LedOnPin;

/// The first pin of the emulated chip.
const SHIFT: u16 = 64;

/// Makes the emulated chip with this flash, at its end of the SWD wire.
pub(super) type Successor = Box<dyn Fn(&Image, Box<dyn SwdWire>) -> Option<(Model, SharedChip)> + Send>;

/// The number by which the board knows pin `pin` of the emulated chip.
pub(super) fn shifted(pin: PinId) -> PinId {
    PinId(pin.0 + SHIFT)
}

/// See the module's documentation.
pub struct Relay {
    native: Arc<Mutex<DapLink>>,
    chip: &'static InterfaceChip,
    wire: SharedWire,
    make: Successor,
    successor: Option<(Model, SharedChip)>,
    /// The LEDs on the successor's pins.
    leds: Vec<LedOnPin>,
    /// The successor has the pins.
    active: bool,
    /// What the successor's flash has besides the interface firmware; empty if nothing is known of it.
    kept: Vec<u8>,
    /// What each of the successor's pins that are on nets saw last.
    seen: Vec<(PinId, Drive)>,
    /// There is power on the USB socket.
    vbus: bool,
    /// What the attention counts of those before add up to.
    attention: u64,
    /// What can go wrong with the chip's flash, whoever has it.
    flash_faults: Option<SharedFlashFaults>,
    /// By how many parts per million the chip's clock is fast, whoever has it.
    ppm: i32,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("chip", &self.chip.model).field("active", &self.active).finish_non_exhaustive()
    }
}

impl Relay {
    /// `native` with its end `wire` of the SWD wire, and what takes its place.
    pub(super) fn new(
        native: Arc<Mutex<DapLink>>,
        chip: &'static InterfaceChip,
        wire: SharedWire,
        make: Successor,
    ) -> Relay {
        Relay {
            native,
            chip,
            wire,
            make,
            successor: None,
            leds: Vec::new(),
            active: false,
            kept: Vec::new(),
            seen: Vec::new(),
            vbus: false,
            attention: 0,
            flash_faults: None,
            ppm: 0,
        }
    }

    /// These LEDs are on the successor's pins.
    pub(super) fn observe(&mut self, leds: Vec<LedOnPin>) {
        self.leds = leds;
    }

    /// Lets `faults` strike at the chip's flash, now and when the successor has it.
    pub(super) fn set_flash_faults(&mut self, faults: &SharedFlashFaults) {
        self.native.lock().settings().set_faults(faults.clone());
        if let Some((model, _)) = &self.successor {
            model.set_flash_faults(faults);
        }
        self.flash_faults = Some(faults.clone());
    }

    /// From `at` on, the chip's clock is fast by so many parts per million.
    pub(super) fn set_clock_offset(&mut self, at: Time, ppm: i32) {
        self.ppm = ppm;
        self.native.lock().set_clock_offset(at, ppm);
        if let Some(model) = self.successor() {
            model.set_clock_offset(at, ppm);
        }
    }

    /// The emulated chip, while it has the native one's place.
    #[must_use]
    pub fn successor(&self) -> Option<&Model> {
        self.successor.as_ref().filter(|_| self.active).map(|(model, _)| model)
    }

    /// The chip's whole flash, if the bootloader has written something into it.
    #[must_use]
    pub fn flash(&self) -> Option<Vec<u8>> {
        if let Some(model) = self.successor() {
            return model.flash();
        }
        self.native.lock().settings().with_interface(|flash| match flash {
            InterfaceFlash::Native => None,
            InterfaceFlash::Written(bytes) => Some(self.whole(bytes)),
        })
    }

    /// Puts contents into the chip's whole flash, for the next power-on.
    pub fn set_flash(&mut self, flash: &[u8]) {
        let place = self.chip.interface.start as usize..self.chip.interface.end as usize;
        let mut firmware = vec![0xff; place.len()];
        for (slot, byte) in firmware.iter_mut().zip(flash.iter().skip(place.start)) {
            *slot = *byte;
        }
        self.kept = flash.to_vec();
        self.kept.resize(self.chip.flash.len(), 0xff);
        self.native.lock().settings().set_interface(InterfaceFlash::Written(firmware));
    }

    /// Somebody pulls the chip's reset input low at `at`, or lets it go.
    pub(super) fn pull_reset(&mut self, at: Time, low: bool) {
        match self.successor() {
            Some(Model::Nrf5(chip)) => chip.lock().drive_reset_pin(low),
            Some(Model::Kinetis(chip)) => chip.lock().drive_reset_pin(at, low),
            _ => {
                let before = self.attention();
                let mut native = self.native.lock();
                native.restart(at);
                let count = native.usb().map_or(0, |port| port.attention());
                self.attention = before.wrapping_add(1).wrapping_sub(count);
            }
        }
    }

    /// The whole flash with this interface firmware.
    fn whole(&self, firmware: &[u8]) -> Vec<u8> {
        let mut flash = self.kept.clone();
        flash.resize(self.chip.flash.len(), 0xff);
        let start = self.chip.interface.start as usize;
        flash[start..start + firmware.len()].copy_from_slice(firmware);
        flash
    }

    /// The settings of the native firmware, where the successor looks for them (DAPLink `settings_rom.c`).
    fn write_settings(&self, flash: &mut [u8]) {
        let settings = self.native.lock().settings().settings();
        let flags =
            [settings.auto_reset, settings.automation_allowed, settings.overflow_detect, settings.detect_incompatible];
        let mut page = SETTINGS_KEY.to_le_bytes().to_vec();
        page.extend((page.len() as u16 + 2 + flags.len() as u16).to_le_bytes());
        page.extend(flags.map(u8::from));
        let start = self.chip.interface.end as usize;
        if let Some(place) = flash.get_mut(start..start + page.len()) {
            place.copy_from_slice(&page);
        }
    }

    /// The bootloader has started what is in the flash: from `at` on, the successor has the pins.
    fn hand_over(&mut self, at: Time, out: &mut Vec<Edge>) {
        let firmware = self.native.lock().settings().with_interface(|flash| match flash {
            InterfaceFlash::Native => Vec::new(),
            InterfaceFlash::Written(bytes) => bytes.clone(),
        });
        let mut flash = self.whole(&firmware);
        if self.kept.is_empty() {
            self.write_settings(&mut flash);
        }
        let image = Image { segments: vec![Segment { address: 0, bytes: flash }] };
        // What could be made when the board was built can be made again.
        let Some((model, chip)) = (self.make)(&image, Box::new(Borrowed(self.wire.clone()))) else { return };
        let on_nets: Vec<_> = self.seen.iter().map(|(pin, _)| PinId(pin.0 - SHIFT)).collect();
        model.export_pins(&on_nets);
        self.leds.iter().for_each(|led| model.observe(led.clone()));
        if let Some(faults) = &self.flash_faults {
            model.set_flash_faults(faults);
        }
        let before = self.attention();
        {
            let mut chip = chip.lock();
            chip.power_cycle(at);
        }
        model.set_clock_offset(at, self.ppm);
        {
            let mut chip = chip.lock();
            for (pin, drive) in &self.seen {
                chip.receive(Edge { at, pin: PinId(pin.0 - SHIFT), signal: Signal::Drive(*drive) });
            }
            if let Some(port) = chip.usb() {
                if self.vbus {
                    port.vbus(at, true);
                }
                self.attention = before.wrapping_add(1).wrapping_sub(port.attention());
            }
        }
        for pin in [pins::UART_TX, pins::LED, pins::POWER_LED] {
            out.push(Edge { at, pin, signal: Signal::Drive(Drive::Released) });
        }
        self.successor = Some((model, chip));
        self.active = true;
    }

    /// Runs `f` on whoever has the pins.
    fn with<T>(&mut self, f: impl FnOnce(&mut dyn Chip) -> T) -> T {
        match self.successor.as_ref().filter(|_| self.active) {
            Some((_, chip)) => f(&mut *chip.lock()),
            None => f(&mut *self.native.lock()),
        }
    }

    fn look<T>(&self, f: impl FnOnce(&dyn Chip) -> T) -> T {
        match self.successor.as_ref().filter(|_| self.active) {
            Some((_, chip)) => f(&*chip.lock()),
            None => f(&*self.native.lock()),
        }
    }

    /// Runs `f` on the USB socket of whoever has it; `nobody` if that has none.
    fn with_port<T>(&mut self, nobody: T, f: impl FnOnce(&mut dyn UsbPort) -> T) -> T {
        self.with(|chip| match chip.usb() {
            Some(port) => f(port),
            None => nobody,
        })
    }
}

impl Chip for Relay {
    fn now(&self) -> Time {
        self.look(|chip| chip.now())
    }

    fn next_event(&self) -> Time {
        self.look(|chip| chip.next_event())
    }

    fn lookahead(&self) -> Span {
        self.native.lock().lookahead()
    }

    fn advance(&mut self, until: Time, out: &mut Vec<Edge>) {
        if self.active {
            let before = out.len();
            self.with(|chip| chip.advance(until, out));
            for edge in &mut out[before..] {
                edge.pin = shifted(edge.pin);
            }
            return;
        }
        let mut native = self.native.lock();
        native.advance(until, out);
        if native.hands_over() {
            let at = native.now();
            drop(native);
            self.hand_over(at, out);
        }
    }

    fn receive(&mut self, edge: Edge) {
        if edge.pin.0 < SHIFT {
            if !self.active {
                self.native.lock().receive(edge);
            }
            return;
        }
        if let Signal::Drive(drive) = edge.signal {
            match self.seen.iter_mut().find(|(pin, _)| *pin == edge.pin) {
                Some((_, last)) => *last = drive,
                None => self.seen.push((edge.pin, drive)),
            }
        }
        if self.active {
            self.with(|chip| chip.receive(Edge { pin: PinId(edge.pin.0 - SHIFT), ..edge }));
        }
    }

    fn usb(&mut self) -> Option<&mut dyn UsbPort> {
        Some(self)
    }

    fn with_cpu(&mut self, f: &mut dyn FnMut(&mut dyn Cpu)) -> bool {
        self.with(|chip| chip.with_cpu(f))
    }

    fn power_cycle(&mut self, at: Time) {
        let before = self.attention();
        if let Some(flash) = self.successor().and_then(Model::flash) {
            self.set_flash(&flash);
        }
        self.active = false;
        let mut native = self.native.lock();
        native.power_cycle(at);
        let count = native.usb().map_or(0, |port| port.attention());
        self.attention = before.wrapping_add(1).wrapping_sub(count);
    }

    fn incidents(&self) -> usize {
        self.successor.as_ref().map_or(0, |(_, chip)| chip.lock().incidents())
    }

    fn report(&self, report: &mut Report) {
        if let Some((_, chip)) = &self.successor {
            chip.lock().report(report);
        }
    }
}

impl UsbPort for Relay {
    fn attached(&self) -> bool {
        match self.successor.as_ref().filter(|_| self.active) {
            Some((_, chip)) => chip.lock().usb().is_some_and(|port| port.attached()),
            None => self.native.lock().usb().is_some_and(|port| port.attached()),
        }
    }

    fn bus_reset(&mut self, at: Time) {
        self.with_port((), |port| port.bus_reset(at));
    }

    fn vbus(&mut self, at: Time, present: bool) {
        self.vbus = present;
        self.with_port((), |port| port.vbus(at, present));
    }

    fn suspend(&mut self, at: Time, suspended: bool) {
        self.with_port((), |port| port.suspend(at, suspended));
    }

    fn sof(&mut self, at: Time, frame: u16) {
        self.with_port((), |port| port.sof(at, frame));
    }

    fn setup(&mut self, at: Time, address: u8, ep: u8, data: [u8; 8]) -> Handshake {
        self.with_port(Handshake::Timeout, |port| port.setup(at, address, ep, data))
    }

    fn out(&mut self, at: Time, address: u8, ep: u8, toggle: bool, data: &[u8]) -> Handshake {
        self.with_port(Handshake::Timeout, |port| port.out(at, address, ep, toggle, data))
    }

    fn r#in(&mut self, at: Time, address: u8, ep: u8, buffer: &mut [u8; MAX_PACKET]) -> InReply {
        self.with_port(InReply::Timeout, |port| port.r#in(at, address, ep, buffer))
    }

    fn attention(&self) -> u64 {
        let count = match self.successor.as_ref().filter(|_| self.active) {
            Some((_, chip)) => chip.lock().usb().map_or(0, |port| port.attention()),
            None => self.native.lock().usb().map_or(0, |port| port.attention()),
        };
        self.attention.wrapping_add(count)
    }
}

/// The SWD wire in the hands of a chip that has it from another one.
struct Borrowed(SharedWire);

impl SwdWire for Borrowed {
    fn clock(&mut self, at: Time, swdio: Drive) -> bool {
        self.0.lock().clock(at, swdio)
    }

    fn write_bits(&mut self, at: Time, period: Span, bits: u64, count: u32) {
        self.0.lock().write_bits(at, period, bits, count);
    }

    fn transfer(&mut self, at: Time, timing: &SwdTiming, request: SwdRequest, data: u32) -> (SwdTransfer, Span) {
        self.0.lock().transfer(at, timing, request, data)
    }

    fn reset_pin(&mut self, at: Time, asserted: bool) {
        self.0.lock().reset_pin(at, asserted);
    }

    // The native firmware, which was there before, has told it of the supply.
    fn power_cycle(&mut self) {}

    fn level(&mut self, swdio: Drive) -> bool {
        self.0.lock().level(swdio)
    }
}
