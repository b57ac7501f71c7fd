//! The chip's USB socket: the controller's tokens, and the supply that comes with the cable.

use twinboard_sim::time::Time;
use twinboard_sim::usb::{Handshake, InReply, MAX_PACKET, UsbPort};
use twinboard_sim::wire::{Drive, PinId};

use super::chip::{Nrf5, Stopped};
use super::peripheral::Reset;
use super::usbd::Usbd;
use crate::parts::supply::VBUS_UV;

impl Nrf5 {
    /// A pin that the board holds high without VBUS and low with it.
    pub fn wire_vbus_absent(&mut self, pin: PinId) {
        self.vbus_absent = u8::try_from(pin.0).ok();
        self.show_vbus(self.soc.power_clock.power.vbus());
    }

    /// The chip is supplied with so many microvolts from now on; VDDH has VBUS where there is one.
    pub fn set_supply(&mut self, microvolts: u32) {
        self.soc.pins.set_vdd(microvolts);
        if !self.soc.power_clock.power.vbus() {
            self.soc.pins.set_vddh(microvolts);
        }
    }

    fn show_vbus(&mut self, present: bool) {
        let Some(pin) = self.vbus_absent else { return };
        let Nrf5 { core, soc, .. } = self;
        core.with_context(|cx| {
            soc.pins.part(pin, if present { Drive::Low } else { Drive::High });
            soc.pins_changed(cx);
        });
    }

    /// Runs `f` on the controller, at a cycle, and lets the chip notice what came of it.
    fn with_usbd<T>(&mut self, f: impl FnOnce(&mut Usbd, u64) -> T) -> Option<T> {
        let Nrf5 { core, soc, .. } = self;
        core.with_context(|cx| soc.with_usbd(cx, f))
    }
}

impl UsbPort for Nrf5 {
    fn attached(&self) -> bool {
        self.soc.usbd().is_some_and(Usbd::attached)
    }

    fn bus_reset(&mut self, _: Time) {
        self.with_usbd(|usbd, _| usbd.bus_reset());
    }

    fn vbus(&mut self, _: Time, present: bool) {
        if self.soc.power_clock.power.vbus() == present {
            return;
        }
        let Nrf5 { core, soc, .. } = self;
        core.with_context(|cx| soc.vbus(cx, present));
        let vdd = soc.pins.vdd();
        soc.pins.set_vddh(if present { VBUS_UV } else { vdd });
        self.show_vbus(present);
        self.with_usbd(|usbd, now| usbd.vbus(now, present));
        if present && self.stopped == Stopped::Off {
            self.reset(Reset::Vbus);
        }
    }

    fn suspend(&mut self, _: Time, suspended: bool) {
        self.with_usbd(|usbd, _| usbd.suspend(suspended));
    }

    fn sof(&mut self, _: Time, frame: u16) {
        self.with_usbd(|usbd, _| usbd.sof(frame));
    }

    fn setup(&mut self, _: Time, address: u8, ep: u8, data: [u8; 8]) -> Handshake {
        self.with_usbd(|usbd, _| usbd.setup(address, ep, data)).unwrap_or(Handshake::Timeout)
    }

    fn out(&mut self, _: Time, address: u8, ep: u8, toggle: bool, data: &[u8]) -> Handshake {
        self.with_usbd(|usbd, now| usbd.out(now, address, ep, toggle, data)).unwrap_or(Handshake::Timeout)
    }

    fn r#in(&mut self, _: Time, address: u8, ep: u8, buffer: &mut [u8; MAX_PACKET]) -> InReply {
        self.with_usbd(|usbd, now| usbd.r#in(now, address, ep, buffer)).unwrap_or(InReply::Timeout)
    }

    fn attention(&self) -> u64 {
        self.soc.usbd().map_or(0, Usbd::attention)
    }
}
