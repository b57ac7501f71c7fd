//! The controller as a peripheral of the chip, and the chip's USB socket.

use twinboard_sim::bus::Size;
use twinboard_sim::chip::Chip;
use twinboard_sim::cpu::memory::Memory;
use twinboard_sim::time::Time;
use twinboard_sim::usb::{Handshake, InReply, MAX_PACKET, UsbPort};
use twinboard_sim::wire::{Drive, Edge, Signal};

use super::super::chip::Kinetis;
use super::super::peripheral::{Cx, Peripheral, Reset};
use super::super::rom::Rom;
use super::Usb0;

impl Peripheral for Usb0 {
    fn width(&self) -> Size {
        Size::Byte
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Usb0::read(self, offset).map(u32::from)
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, _: u32) -> Option<()> {
        Usb0::write(self, cx.memory, offset, value as u8)
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        Usb0::reset(self);
    }

    fn irq(&self) -> bool {
        Usb0::irq(self)
    }

    fn steady(&self, _: u32) -> bool {
        true
    }

    fn usb(&self) -> Option<&Usb0> {
        Some(self)
    }

    fn usb_mut(&mut self) -> Option<&mut Usb0> {
        Some(self)
    }
}

impl Kinetis {
    /// The host does something to the controller at `at`.
    fn host<T>(&mut self, at: Time, act: impl FnOnce(&mut Usb0, &mut Memory) -> T) -> Option<T> {
        self.bring_to(at);
        self.with_usb(act)
    }

    /// The boot loader's end of the cable, if it has the chip at `at`.
    fn in_rom(&mut self, at: Time) -> Option<&mut dyn UsbPort> {
        self.bring_to(at);
        Some(self.rom.as_mut()?.usb())
    }
}

/// While the boot loader in ROM has the chip, it is the boot loader that answers.
impl UsbPort for Kinetis {
    fn attached(&self) -> bool {
        self.rom.as_ref().map_or_else(|| self.usb0().is_some_and(Usb0::attached), Rom::attached)
    }

    fn bus_reset(&mut self, at: Time) {
        if let Some(rom) = self.in_rom(at) {
            return rom.bus_reset(at);
        }
        self.host(at, |usb, _| usb.bus_reset());
    }

    fn vbus(&mut self, at: Time, present: bool) {
        if let Some(pin) = self.vbus_absent {
            let drive = if present { Drive::Low } else { Drive::High };
            Chip::receive(self, Edge { at, pin, signal: Signal::Drive(drive) });
        }
        if let Some(rom) = self.in_rom(at) {
            return rom.vbus(at, present);
        }
        self.host(at, |usb, _| usb.vbus(present));
    }

    fn suspend(&mut self, at: Time, suspended: bool) {
        if let Some(rom) = self.in_rom(at) {
            return rom.suspend(at, suspended);
        }
        self.host(at, |usb, _| usb.suspend(suspended));
    }

    fn sof(&mut self, at: Time, frame: u16) {
        if let Some(rom) = self.in_rom(at) {
            return rom.sof(at, frame);
        }
        self.host(at, |usb, _| usb.sof(frame));
    }

    fn setup(&mut self, at: Time, address: u8, ep: u8, data: [u8; 8]) -> Handshake {
        if let Some(rom) = self.in_rom(at) {
            return rom.setup(at, address, ep, data);
        }
        self.host(at, |usb, memory| usb.setup(memory, address, ep, data)).unwrap_or(Handshake::Timeout)
    }

    fn out(&mut self, at: Time, address: u8, ep: u8, toggle: bool, data: &[u8]) -> Handshake {
        if let Some(rom) = self.in_rom(at) {
            return rom.out(at, address, ep, toggle, data);
        }
        self.host(at, |usb, memory| usb.out(memory, address, ep, toggle, data)).unwrap_or(Handshake::Timeout)
    }

    fn r#in(&mut self, at: Time, address: u8, ep: u8, buffer: &mut [u8; MAX_PACKET]) -> InReply {
        if let Some(rom) = self.in_rom(at) {
            return rom.r#in(at, address, ep, buffer);
        }
        self.host(at, |usb, memory| usb.in_token(memory, address, ep, buffer)).unwrap_or(InReply::Timeout)
    }

    fn attention(&self) -> u64 {
        let rom = self.rom.as_ref().map_or(0, Rom::attention);
        self.usb0().map_or(0, Usb0::attention) + self.attention_before + rom
    }
}
