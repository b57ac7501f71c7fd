//! What the controller has to know of the device's state, and learns from the transfers that go by.

use super::{PIPES, Vhc, bus, pipe_index};
use crate::descriptor::{CONFIGURATION, Configuration, DEVICE, TransferType};

use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::MAX_PACKET;

/// How long the host counts as waiting for a device that does not answer at all.
pub(super) const PATIENCE: Span = Span::secs(5);
/// bInterfaceClass of mass storage: every read belongs to a command sent before.
const CLASS_STORAGE: u8 = 0x08;
/// bInterfaceClass of a CDC data interface: what is read has nothing to do with what was written.
const CLASS_CDC_DATA: u8 = 0x0a;

impl Vhc {
    /// Keeps track of whether a read belongs to something that was sent, for [`Vhc::host_state`].
    pub(super) fn note_reply(&mut self, index: usize) {
        let Some((interface, class)) = self.pipes[index].function else { return };
        let until = self.now + PATIENCE;
        if index >= PIPES / 2 {
            self.pipes[index].reply_until = if class == CLASS_STORAGE { until } else { Time::ZERO };
            self.pipes[index].read_until = if class == CLASS_CDC_DATA { until } else { Time::ZERO };
        } else if class != CLASS_CDC_DATA {
            for pipe in &mut self.pipes[PIPES / 2..] {
                if pipe.function == Some((interface, class)) {
                    pipe.reply_until = until;
                }
            }
        }
    }

    /// Keeps the controller in step with the standard requests that change the device's state (USB 2.0 §9.4).
    pub(super) fn control_done(&mut self, setup: [u8; 8], data: &[u8]) {
        match setup {
            [0x00, 0x05, address, ..] => {
                self.address = address & 0x7f;
                self.quiet_until = self.now + bus::ADDRESS_RECOVERY;
            }
            [0x00, 0x09, value, ..] => self.configured(value),
            [0x01, 0x0b, alternate, _, interface, ..] => self.interface_set(interface, alternate),
            [0x02, 0x01, 0, 0, endpoint, ..] if endpoint & 0x0f != 0 => self.pipes[pipe_index(endpoint)].clear_halt(),
            [0x80, 0x06, _, CONFIGURATION, ..] => self.configuration_read(data),
            [0x80, 0x06, _, DEVICE, ..] => {
                if let Some(&size) = data.get(7)
                    && matches!(size, 8 | 16 | 32 | 64)
                {
                    self.pipes[0].max_packet = usize::from(size).min(MAX_PACKET);
                }
            }
            _ => {}
        }
    }

    /// A whole configuration descriptor went by: the device may have become another one with the last reset.
    pub(super) fn configuration_read(&mut self, data: &[u8]) {
        let Some(&[low, high]) = data.get(2..4) else { return };
        if data.len() < usize::from(u16::from_le_bytes([low, high])) {
            return;
        }
        if let Ok(configuration) = Configuration::parse(data) {
            self.configurations.retain(|known| known.value != configuration.value);
            self.configurations.push(configuration);
        }
    }

    pub(super) fn configured(&mut self, value: u8) {
        for pipe in self.pipes.iter_mut().filter(|pipe| pipe.number != 0) {
            pipe.clear_halt();
        }
        let Some(configuration) = self.configurations.iter().find(|c| c.value == value) else { return };
        for interface in configuration.defaults() {
            for endpoint in &interface.endpoints {
                self.pipes[pipe_index(endpoint.address)].configure(endpoint, (interface.number, interface.class));
            }
        }
        self.find_periodic();
    }

    pub(super) fn interface_set(&mut self, number: u8, alternate: u8) {
        for interface in self.configurations.iter().flat_map(|c| &c.interfaces) {
            if (interface.number, interface.alternate) == (number, alternate) {
                for endpoint in &interface.endpoints {
                    self.pipes[pipe_index(endpoint.address)].configure(endpoint, (interface.number, interface.class));
                }
            }
        }
        self.find_periodic();
    }

    pub(super) fn find_periodic(&mut self) {
        let interrupt = |&index: &usize| self.pipes[index].kind == TransferType::Interrupt;
        self.periodic = (0..PIPES).filter(interrupt).fold(0, |mask, index| mask | 1 << index);
    }
}
