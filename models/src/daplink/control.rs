//! Endpoint 0: which part of the firmware answers which request.

use super::cdc::LineCoding;
use super::dap::queue::DapFunction;
use super::descriptors::{Descriptors, HID_REPORT, MS_OS_VENDOR_CODE, WEBUSB_VENDOR_CODE, endpoint};
use super::firmware::Firmware;
use super::msc::Msc;
use super::shared::TargetFlash;
use crate::native::chapter9::{Change, DescriptorSource};
use crate::native::endpoints::{CAPACITY, Setup};

/// bmRequestType bits 6:5 and 4:0, the direction left out.
const STANDARD: u8 = 0x00;
const CLASS_INTERFACE: u8 = 0x21;
const VENDOR_DEVICE: u8 = 0x40;

/// Mass Storage Bulk-Only 1.0 §3.
const BULK_ONLY_RESET: u8 = 0xff;
const GET_MAX_LUN: u8 = 0xfe;

/// HID 1.11 §7.2.
const GET_REPORT: u8 = 0x01;
const GET_IDLE: u8 = 0x02;
const GET_PROTOCOL: u8 = 0x03;
const SET_REPORT: u8 = 0x09;
const SET_IDLE: u8 = 0x0a;
const SET_PROTOCOL: u8 = 0x0b;
/// High byte of wValue: the report's type.
const INPUT: u8 = 1;
const OUTPUT: u8 = 2;
const FEATURE: u8 = 3;

/// PSTN120 §6.3.
const SET_LINE_CODING: u8 = 0x20;
const GET_LINE_CODING: u8 = 0x21;
const SET_CONTROL_LINE_STATE: u8 = 0x22;
const SEND_BREAK: u8 = 0x23;

/// wIndex of the vendor requests.
const MS_OS_DESCRIPTOR_SET: u16 = 7;
const WEBUSB_GET_URL: u16 = 2;

/// What the requests of chapter 9 read.
struct Identity<'a>(&'a Descriptors, &'a Msc);

impl DescriptorSource for Identity<'_> {
    fn descriptor(&self, kind: u8, index: u8, interface: Option<u16>) -> Option<&[u8]> {
        let d = self.0;
        match (interface, kind) {
            (None, 0x01) => Some(&d.device),
            (None, 0x02) if index == 0 => Some(&d.configuration),
            (None, 0x03) => d.strings.get(usize::from(index)).map(Vec::as_slice),
            (None, 0x0f) if !d.bos.is_empty() => Some(&d.bos),
            (Some(number), 0x21) if d.interfaces.is_hid(number) => Some(d.hid()),
            (Some(number), 0x22) if d.interfaces.is_hid(number) => Some(&HID_REPORT),
            _ => None,
        }
    }

    fn endpoints(&self) -> &[u8] {
        &self.0.endpoints
    }

    fn interfaces(&self) -> u8 {
        self.0.interfaces.count
    }

    fn stays_halted(&self, address: u8) -> bool {
        address & 0x0f == endpoint::MSC && self.1.stays_halted()
    }
}

impl<F: TargetFlash> Firmware<F> {
    /// A request, or the data of one, has come.
    pub(super) async fn control(&mut self) {
        if let Some(setup) = self.core.usb.take_setup() {
            self.awaiting_data = None;
            self.setup(setup).await;
        }
        let mut data = [0; CAPACITY];
        if let Some(length) = self.core.usb.take_control_data(&mut data)
            && let Some(setup) = self.awaiting_data.take()
        {
            self.control_data(setup, &data[..length]).await;
        }
    }

    async fn setup(&mut self, setup: Setup) {
        match setup.request_type & 0x7f {
            kind if kind & 0x60 == STANDARD => {
                let identity = Identity(&self.descriptors, &self.msc);
                let change = self.standard.request(&setup, &self.core.usb, &identity);
                if let Change::Configured(configured) = change {
                    self.configured(configured);
                }
            }
            CLASS_INTERFACE => {
                let interfaces = self.descriptors.interfaces;
                if interfaces.is_hid(setup.index) {
                    self.hid_request(setup);
                } else if interfaces.is_msc(setup.index) {
                    self.msc_request(setup);
                } else if interfaces.is_cdc(setup.index) {
                    self.cdc_request(setup).await;
                } else {
                    self.core.usb.control_refuse();
                }
            }
            VENDOR_DEVICE if setup.is_in() => {
                let answer = match (setup.request, setup.index) {
                    (MS_OS_VENDOR_CODE, MS_OS_DESCRIPTOR_SET) => {
                        Some(self.descriptors.ms_os.as_slice()).filter(|set| !set.is_empty())
                    }
                    (WEBUSB_VENDOR_CODE, WEBUSB_GET_URL) => self.descriptors.webusb_url(setup.value as u8),
                    _ => None,
                };
                match answer {
                    Some(data) => self.core.usb.control_send(data),
                    None => self.core.usb.control_refuse(),
                }
            }
            _ => self.core.usb.control_refuse(),
        }
    }

    fn msc_request(&mut self, setup: Setup) {
        match (setup.request, setup.value, setup.length) {
            (BULK_ONLY_RESET, 0, 0) => {
                self.msc.reset(&self.core.usb);
                self.core.usb.control_accept();
            }
            (GET_MAX_LUN, 0, 1) => self.core.usb.control_send(&[0]),
            _ => self.core.usb.control_refuse(),
        }
    }

    fn hid_request(&mut self, setup: Setup) {
        let usb = &self.core.usb;
        let [_, kind] = setup.value.to_le_bytes();
        match (setup.request, kind) {
            (GET_REPORT, INPUT) => usb.control_send(&self.hid.get_report()),
            (GET_REPORT, FEATURE) => usb.control_send(&[self.feature]),
            (SET_REPORT, OUTPUT | FEATURE) if setup.length > 0 => {
                self.awaiting_data = Some(setup);
                usb.control_receive();
            }
            (GET_IDLE, _) => usb.control_send(&[self.idle_rate]),
            (SET_IDLE, rate) => {
                self.idle_rate = rate;
                usb.control_accept();
            }
            (GET_PROTOCOL, _) => usb.control_send(&[0]),
            (SET_PROTOCOL, _) => usb.control_accept(),
            _ => usb.control_refuse(),
        }
    }

    async fn cdc_request(&mut self, setup: Setup) {
        match setup.request {
            SET_LINE_CODING if setup.length > 0 => {
                self.awaiting_data = Some(setup);
                self.core.usb.control_receive();
            }
            GET_LINE_CODING => self.core.usb.control_send(&self.cdc.line_coding().to_bytes()),
            SET_CONTROL_LINE_STATE => {
                self.cdc.set_control_line_state(&mut self.core, setup.value);
                self.core.usb.control_accept();
            }
            SEND_BREAK => {
                self.cdc.send_break(&mut self.core, setup.value).await;
                self.core.usb.control_accept();
            }
            _ => self.core.usb.control_refuse(),
        }
    }

    /// The data of an OUT request is complete.
    async fn control_data(&mut self, setup: Setup, data: &[u8]) {
        let accepted = if self.descriptors.interfaces.is_cdc(setup.index) {
            LineCoding::parse(data).is_some_and(|coding| self.cdc.set_line_coding(&mut self.core, coding))
        } else {
            if setup.value.to_le_bytes()[1] == FEATURE {
                self.feature = data.first().copied().unwrap_or_default();
            } else if !DapFunction::is_abort(data) {
                self.hid_command(data).await;
            }
            true
        };
        if accepted {
            self.core.usb.control_accept();
        } else {
            self.core.usb.control_refuse();
        }
    }
}
