//! The boot loader in the KL27Z's ROM (KL27 sub-family reference manual, chapter "Kinetis ROM Bootloader").
//!
//! A chip that is empty, whose BOOTCFG0 pin is held low at reset, or whose options say so, does not start its flash but
//! this program, which writes flash for a host. On the micro:bit V2.00 the pin is the test point TP1, and a person who
//! grounds it can bring a board back to life whatever its flash holds.
//!
//! The ROM's code is its maker's, so what runs here is a model of what it does, on the real chip's flash and RAM
//! ([`chip::RomChip`]): a HID device ([`hid`]) whose reports carry frames ([`frame`]) with command packets ([`packet`])
//! and their data ([`loader`]). [`boot`] has the rules of when it runs, [`config`] what an image can tell it.

pub mod boot;
pub mod chip;
pub mod config;
pub mod frame;
pub mod hid;
pub mod loader;
pub mod packet;
pub mod property;
pub mod status;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use twinboard_sim::task::TaskClock;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::UsbPort;

use crate::native::endpoints::{CAPACITY, UsbDevice};
use chip::RomChip;
use config::{Bca, peripheral};
use hid::{Heard, Hid};
use loader::{Leave, Loader};

/// From reset to the pull-up on D+: clocks, and the look into flash.
const START_UP: Span = Span::ms(10);

/// How the boot loader ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The chip is reset.
    Reset,
    /// A program gets the core: the image in flash, whose host never came, or what an Execute command named.
    Start {
        /// PC.
        address: u32,
        /// R0.
        argument: u32,
        /// SP.
        stack: u32,
    },
    /// A function gets the core; [`Rom::returned`] says that it is back.
    Call {
        /// PC.
        address: u32,
        /// R0.
        argument: u32,
    },
}

/// Tag of the Call command, whose answer waits for the function.
const CALL: u8 = 0x0A;

/// The boot loader at work.
#[derive(Debug)]
pub struct Rom {
    now: Time,
    hid: Hid,
    loader: Loader,
    enabled: u8,
    /// When the pull-up is switched on.
    attach_at: Time,
    /// When nobody has come and the image in flash is started.
    gives_up_at: Time,
    report: [u8; CAPACITY],
}

impl Rom {
    /// The boot loader, entered at `at` because of `mode` (RCM_MR.BOOTROM).
    #[must_use]
    pub fn new(at: Time, mode: u8, chip: &dyn RomChip) -> Rom {
        let bca: Bca = boot::bca(chip);
        let listens = bca.enabled & peripheral::USB_HID != 0;
        // The controller tells its task of every event; this program looks for itself.
        let usb = UsbDevice::new(TaskClock::default());
        Rom {
            now: at,
            hid: Hid::new(usb, &bca),
            loader: Loader::default(),
            enabled: bca.enabled,
            attach_at: if listens { at + START_UP } else { Time::NEVER },
            gives_up_at: boot::gives_up_at(chip, at, mode),
            report: [0; CAPACITY],
        }
    }

    /// When the boot loader does something by itself.
    #[must_use]
    pub fn next_event(&self) -> Time {
        let busy = self.loader.busy_until();
        let attends = busy.is_none() && (self.hid.has_work() || self.sends() || self.leaves());
        if attends { self.now } else { busy.unwrap_or(self.attach_at.min(self.gives_up_at)) }
    }

    fn sends(&self) -> bool {
        self.loader.has_frame() && self.hid.in_free()
    }

    fn leaves(&self) -> bool {
        !self.loader.ready() && !self.loader.has_frame() && self.loader.busy_until().is_none() && self.hid.in_free()
    }

    /// Runs until `until`, or until the boot loader is left, at the time that comes back with it.
    pub fn advance(&mut self, until: Time, chip: &mut dyn RomChip) -> Option<(Time, End)> {
        loop {
            let next = self.next_event();
            if next > until {
                self.now = self.now.max(until);
                return None;
            }
            self.now = self.now.max(next);
            if let Some(end) = self.step(chip) {
                return Some((self.now, end));
            }
        }
    }

    fn step(&mut self, chip: &mut dyn RomChip) -> Option<End> {
        if self.loader.busy_until().is_some() {
            self.loader.resume(chip);
        } else if self.hid.has_work() {
            match self.hid.poll(&mut self.report) {
                Heard::Report(length) => self.loader.frame(self.now, &self.report[..length], chip),
                Heard::Reset => self.loader.reset(),
                // A host that talks to it is what it waited for: the other peripherals are not heard any more.
                Heard::Configured => (self.gives_up_at, self.enabled) = (Time::NEVER, peripheral::USB_HID),
                Heard::Other => {}
            }
        } else if self.sends() {
            if let Some(frame) = self.loader.next_frame(chip) {
                self.hid.send(frame.bytes());
            }
        } else if self.leaves() {
            return self.loader.take_leave().map(|leave| match leave {
                Leave::Reset => End::Reset,
                Leave::Execute { address, argument, stack } => End::Start { address, argument, stack },
                Leave::Call { address, argument } => End::Call { address, argument },
            });
        } else if self.attach_at <= self.now {
            self.attach_at = Time::NEVER;
            self.hid.attach(true);
        } else {
            self.gives_up_at = Time::NEVER;
            let application = boot::application(chip)?;
            return Some(End::Start { address: application.entry, argument: 0, stack: application.stack });
        }
        None
    }

    /// The function of a Call command has returned, at `at`.
    pub fn returned(&mut self, at: Time) {
        self.now = self.now.max(at);
        self.loader.returned(CALL);
    }

    /// There is traffic on the pins of another peripheral ([`peripheral`]). The first one that is heard is the one that
    /// the boot loader listens to, and if it is this one, it goes from the USB.
    pub fn traffic(&mut self, source: u8) {
        if self.enabled & source != 0 && self.enabled != source {
            self.enabled = source;
            (self.attach_at, self.gives_up_at) = (Time::NEVER, Time::NEVER);
            self.hid.attach(false);
        }
    }

    /// The boot loader's end of the cable.
    pub fn usb(&mut self) -> &mut dyn UsbPort {
        self.hid.usb()
    }

    /// As [`UsbPort::attached`].
    #[must_use]
    pub fn attached(&self) -> bool {
        self.hid.attached()
    }

    /// As [`UsbPort::attention`].
    #[must_use]
    pub fn attention(&self) -> u64 {
        self.hid.attention()
    }

    /// How many frames made no sense.
    #[must_use]
    pub fn garbled(&self) -> u64 {
        self.loader.garbled()
    }
}
