//! The boot loader on USB: a HID device whose reports are the protocol's frames.

use super::config::Bca;
use super::frame::FRAME;
use crate::native::chapter9::{Change, DescriptorSource, Standard};
use crate::native::endpoints::{CAPACITY, Setup, UsbDevice};
use twinboard_sim::usb::UsbPort;

/// Endpoint number of frames for the host.
pub const IN: u8 = 1;
/// Endpoint number of frames from the host.
pub const OUT: u8 = 2;

const ENDPOINTS: [u8; 2] = [IN | 0x80, OUT];

/// Milliseconds between two polls.
const INTERVAL: u8 = 10;

/// One report: an array of bytes behind its id.
fn report(id: u8, main: u8) -> [u8; 17] {
    [
        0x85,
        id, // Report ID
        0x19,
        0x01, // Usage Minimum (1)
        0x29,
        0x01, // Usage Maximum (1)
        0x15,
        0x00, // Logical Minimum (0)
        0x26,
        0xFF,
        0x00, // Logical Maximum (255)
        0x75,
        0x08, // Report Size (8)
        0x95,
        FRAME as u8 - 1, // Report Count
        main,
        0x02, // Input or Output (data, variable, absolute)
    ]
}

const OUTPUT_ITEM: u8 = 0x91;
const INPUT_ITEM: u8 = 0x81;

/// The report descriptor: four reports of 35 bytes, two each way.
#[must_use]
pub fn report_descriptor() -> Vec<u8> {
    let mut bytes = vec![0x06, 0x00, 0xFF, 0x09, 0x01, 0xA1, 0x01];
    bytes.extend(report(1, OUTPUT_ITEM));
    bytes.extend(report(2, OUTPUT_ITEM));
    bytes.extend(report(3, INPUT_ITEM));
    bytes.extend(report(4, INPUT_ITEM));
    bytes.push(0xC0);
    bytes
}

/// HID 1.11 §7.2.
const GET_IDLE: u8 = 0x02;
const SET_REPORT: u8 = 0x09;
const SET_IDLE: u8 = 0x0A;
const OUTPUT_REPORT: u8 = 2;

struct Descriptors {
    device: [u8; 18],
    configuration: Vec<u8>,
    report: Vec<u8>,
    strings: [Vec<u8>; 3],
}

const HID_AT: usize = 18;
const HID_LENGTH: usize = 9;

impl Descriptors {
    fn new(bca: &Bca) -> Descriptors {
        let ([vendor0, vendor1], [product0, product1]) = (bca.usb_vendor.to_le_bytes(), bca.usb_product.to_le_bytes());
        let report = report_descriptor();
        let mut configuration = vec![
            9,
            2,
            41,
            0,
            1,
            1,
            0,
            0xC0,
            50, // configuration: self-powered, 100 mA
            9,
            4,
            0,
            0,
            2,
            3,
            0,
            0,
            0, // interface: HID
            HID_LENGTH as u8,
            0x21,
            0x00,
            0x01,
            0,
            1,
            0x22,
            report.len() as u8,
            0, // HID 1.00
        ];
        for address in ENDPOINTS {
            configuration.extend([7, 5, address, 3, FRAME as u8, 0, INTERVAL]);
        }
        Descriptors {
            device: [18, 1, 0, 2, 0, 0, 0, 64, vendor0, vendor1, product0, product1, 2, 0, 1, 2, 0, 1],
            configuration,
            report,
            strings: [vec![4, 3, 0x09, 0x04], string("Freescale Semiconductor Inc."), string("Kinetis Bootloader")],
        }
    }
}

fn string(text: &str) -> Vec<u8> {
    let mut bytes = vec![0, 3];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes[0] = bytes.len() as u8;
    bytes
}

impl DescriptorSource for Descriptors {
    fn descriptor(&self, kind: u8, index: u8, interface: Option<u16>) -> Option<&[u8]> {
        match (interface, kind) {
            (None, 0x01) => Some(&self.device),
            (None, 0x02) if index == 0 => Some(&self.configuration),
            (None, 0x03) => self.strings.get(usize::from(index)).map(Vec::as_slice),
            (Some(0), 0x21) => Some(&self.configuration[HID_AT..HID_AT + HID_LENGTH]),
            (Some(0), 0x22) => Some(&self.report),
            _ => None,
        }
    }

    fn endpoints(&self) -> &[u8] {
        &ENDPOINTS
    }

    fn interfaces(&self) -> u8 {
        1
    }

    fn stays_halted(&self, _: u8) -> bool {
        false
    }
}

/// What the host did that the protocol hears of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// A report, of so many bytes.
    Report(usize),
    /// A bus reset.
    Reset,
    /// The device was configured.
    Configured,
    /// Something else.
    Other,
}

/// The device's side of the cable.
pub struct Hid {
    usb: UsbDevice,
    standard: Standard,
    descriptors: Descriptors,
    awaiting_report: bool,
    idle_rate: u8,
}

impl std::fmt::Debug for Hid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hid").field("standard", &self.standard).finish_non_exhaustive()
    }
}

impl Hid {
    /// A device that is not attached yet.
    #[must_use]
    pub fn new(usb: UsbDevice, bca: &Bca) -> Hid {
        Hid {
            usb,
            standard: Standard::default(),
            descriptors: Descriptors::new(bca),
            awaiting_report: false,
            idle_rate: 0,
        }
    }

    /// The controller.
    pub fn usb(&mut self) -> &mut UsbDevice {
        &mut self.usb
    }

    /// Whether the pull-up is on.
    #[must_use]
    pub fn attached(&self) -> bool {
        self.usb.is_attached()
    }

    /// How often the controller asked for its host's attention.
    #[must_use]
    pub fn attention(&self) -> u64 {
        self.usb.attention()
    }

    /// Switches the pull-up.
    pub fn attach(&mut self, attached: bool) {
        self.usb.attach(attached);
    }

    /// Whether the host has configured the device.
    #[must_use]
    pub fn configured(&self) -> bool {
        self.standard.configured()
    }

    /// The host did something.
    #[must_use]
    pub fn has_work(&self) -> bool {
        let work = self.usb.work();
        work.events || work.control || work.out & 1 << OUT != 0
    }

    /// A frame for the host can be taken.
    #[must_use]
    pub fn in_free(&self) -> bool {
        self.usb.in_free(IN)
    }

    /// Sends a frame.
    pub fn send(&mut self, frame: &[u8; FRAME]) {
        self.usb.send(IN, frame);
    }

    /// Does one thing that the host wants; a report goes to `report`.
    pub fn poll(&mut self, report: &mut [u8; CAPACITY]) -> Heard {
        let work = self.usb.work();
        if work.events {
            let events = self.usb.take_events();
            if events.reset {
                self.standard.reset();
                self.awaiting_report = false;
                return Heard::Reset;
            }
            return Heard::Other;
        }
        if work.control {
            return self.control(report);
        }
        match self.usb.take_out(OUT, report) {
            Some(length) => {
                self.usb.arm(OUT, FRAME);
                Heard::Report(length)
            }
            None => Heard::Other,
        }
    }

    fn control(&mut self, report: &mut [u8; CAPACITY]) -> Heard {
        if let Some(setup) = self.usb.take_setup() {
            self.awaiting_report = false;
            return self.setup(setup);
        }
        match self.usb.take_control_data(report) {
            Some(length) if self.awaiting_report => {
                self.awaiting_report = false;
                self.usb.control_accept();
                Heard::Report(length)
            }
            _ => {
                self.usb.control_refuse();
                Heard::Other
            }
        }
    }

    fn setup(&mut self, setup: Setup) -> Heard {
        const CLASS_INTERFACE: u8 = 0x21;
        if setup.request_type & 0x60 == 0 {
            let change = self.standard.request(&setup, &self.usb, &self.descriptors);
            if change == Change::Configured(true) {
                self.usb.arm(OUT, FRAME);
                return Heard::Configured;
            }
            return Heard::Other;
        }
        let for_us = setup.request_type & 0x7F == CLASS_INTERFACE && setup.index == 0 && self.configured();
        let [_, kind] = setup.value.to_le_bytes();
        match setup.request {
            SET_REPORT if for_us && kind == OUTPUT_REPORT && setup.length > 0 => {
                self.awaiting_report = true;
                self.usb.control_receive();
            }
            SET_IDLE if for_us => {
                self.idle_rate = kind;
                self.usb.control_accept();
            }
            GET_IDLE if for_us => self.usb.control_send(&[self.idle_rate]),
            _ => self.usb.control_refuse(),
        }
        Heard::Other
    }
}
