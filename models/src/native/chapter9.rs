//! The standard requests of USB 2.0 chapter 9, as every full-speed device with one configuration answers them.

use super::endpoints::{Setup, UsbDevice};

const GET_STATUS: u8 = 0;
const CLEAR_FEATURE: u8 = 1;
const SET_FEATURE: u8 = 3;
const SET_ADDRESS: u8 = 5;
const GET_DESCRIPTOR: u8 = 6;
const GET_CONFIGURATION: u8 = 8;
const SET_CONFIGURATION: u8 = 9;
const GET_INTERFACE: u8 = 10;
const SET_INTERFACE: u8 = 11;

const DEVICE: u8 = 0;
const INTERFACE: u8 = 1;
const ENDPOINT: u8 = 2;

const ENDPOINT_HALT: u16 = 0;
const DEVICE_REMOTE_WAKEUP: u16 = 1;

/// What a device has to say when a standard request asks.
pub trait DescriptorSource {
    /// The descriptor of type `kind` and number `index`, of the device or (class descriptors) of `interface`.
    fn descriptor(&self, kind: u8, index: u8, interface: Option<u16>) -> Option<&[u8]>;

    /// The addresses of the configuration's endpoints.
    fn endpoints(&self) -> &[u8];

    /// bNumInterfaces.
    fn interfaces(&self) -> u8;

    /// Whether endpoint `address` must stay halted whatever the host says.
    fn stays_halted(&self, address: u8) -> bool;
}

/// What a standard request changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing the firmware needs to know.
    Nothing,
    /// The device was configured (true) or unconfigured: every endpoint starts anew.
    Configured(bool),
    /// The host cleared the halt of this endpoint.
    HaltCleared(u8),
}

/// The state that standard requests read and write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Standard {
    configuration: u8,
    remote_wakeup: bool,
}

impl Standard {
    /// A bus reset.
    pub fn reset(&mut self) {
        *self = Standard::default();
    }

    /// Whether the device is configured.
    #[must_use]
    pub fn configured(&self) -> bool {
        self.configuration != 0
    }

    /// Answers a standard request (bits 6:5 of bmRequestType are 0).
    pub fn request(&mut self, setup: &Setup, usb: &UsbDevice, source: &impl DescriptorSource) -> Change {
        match self.answer(setup, usb, source) {
            Some(change) => change,
            None => {
                usb.control_refuse();
                Change::Nothing
            }
        }
    }

    /// None: refused.
    fn answer(&mut self, setup: &Setup, usb: &UsbDevice, source: &impl DescriptorSource) -> Option<Change> {
        let recipient = setup.request_type & 0x1f;
        let endpoint = (setup.index & 0x8f) as u8;
        match (setup.request, recipient) {
            (GET_STATUS, _) => usb.control_send(&self.status(setup, usb, source)?.to_le_bytes()),
            (CLEAR_FEATURE | SET_FEATURE, DEVICE) if setup.value == DEVICE_REMOTE_WAKEUP => {
                self.remote_wakeup = setup.request == SET_FEATURE;
                usb.control_accept();
            }
            (CLEAR_FEATURE | SET_FEATURE, ENDPOINT)
                if setup.value == ENDPOINT_HALT && self.configured() && source.endpoints().contains(&endpoint) =>
            {
                usb.control_accept();
                if setup.request == SET_FEATURE {
                    usb.halt(endpoint, true);
                } else if !source.stays_halted(endpoint) {
                    usb.halt(endpoint, false);
                    return Some(Change::HaltCleared(endpoint));
                }
            }
            (SET_ADDRESS, DEVICE) => usb.control_accept_address((setup.value & 0x7f) as u8),
            (GET_DESCRIPTOR, DEVICE | INTERFACE) => {
                let [index, kind] = setup.value.to_le_bytes();
                let interface = (recipient == INTERFACE).then_some(setup.index);
                usb.control_send(source.descriptor(kind, index, interface)?);
            }
            (GET_CONFIGURATION, DEVICE) => usb.control_send(&[self.configuration]),
            (SET_CONFIGURATION, DEVICE) if setup.value & 0xff <= 1 => {
                self.configuration = (setup.value & 0xff) as u8;
                usb.configure(if self.configured() { source.endpoints() } else { &[] });
                usb.control_accept();
                return Some(Change::Configured(self.configured()));
            }
            (GET_INTERFACE, INTERFACE) if self.has_interface(setup, source) => usb.control_send(&[0]),
            // There is only setting 0.
            (SET_INTERFACE, INTERFACE) if self.has_interface(setup, source) && setup.value == 0 => usb.control_accept(),
            _ => return None,
        }
        Some(Change::Nothing)
    }

    fn has_interface(&self, setup: &Setup, source: &impl DescriptorSource) -> bool {
        self.configured() && setup.index < u16::from(source.interfaces())
    }

    fn status(&self, setup: &Setup, usb: &UsbDevice, source: &impl DescriptorSource) -> Option<u16> {
        let endpoint = (setup.index & 0x8f) as u8;
        match setup.request_type & 0x1f {
            DEVICE => Some(u16::from(self.remote_wakeup) << 1),
            INTERFACE if self.has_interface(setup, source) => Some(0),
            ENDPOINT if endpoint & 0x0f == 0 => Some(0),
            ENDPOINT if self.configured() && source.endpoints().contains(&endpoint) => {
                Some(u16::from(usb.halted(endpoint)))
            }
            _ => None,
        }
    }
}
