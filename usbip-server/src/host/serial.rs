//! A serial port of the CDC abstract control model, the host's side (USB CDC PSTN 1.20), in the way of Linux's
//! `cdc-acm`: sixteen reads are always in flight, so that the device can send whenever it has something.

use std::collections::VecDeque;

use twinboard_sim::machine::Machine;
use twinboard_sim::time::Span;

use super::{Host, UsbError, endpoint};
use crate::descriptor::{Records, TransferType};
use crate::vhc::{Completion, Status, Urb, UrbId};

/// Reads in flight, and the length of each.
const READS: usize = 16;
const READ_LENGTH: usize = 128;
/// The most that one URB carries to the device.
const WRITE_LENGTH: usize = 1280;

/// CS_INTERFACE, and the union descriptor's subtype.
const CS_INTERFACE: u8 = 0x24;
const UNION: u8 = 0x06;

/// SET_LINE_CODING's parameters: 8 data bits, no parity, 1 stop bit unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineCoding {
    /// dwDTERate, bits per second.
    pub baud: u32,
    /// bCharFormat: 0 one stop bit, 1 one and a half, 2 two.
    pub stop_bits: u8,
    /// bParityType: 0 none, 1 odd, 2 even, 3 mark, 4 space.
    pub parity: u8,
    /// bDataBits.
    pub data_bits: u8,
}

impl LineCoding {
    /// 8N1 at `baud`.
    #[must_use]
    pub fn new(baud: u32) -> LineCoding {
        LineCoding { baud, stop_bits: 0, parity: 0, data_bits: 8 }
    }

    fn to_bytes(self) -> [u8; 7] {
        let [a, b, c, d] = self.baud.to_le_bytes();
        [a, b, c, d, self.stop_bits, self.parity, self.data_bits]
    }
}

/// What goes on in the background while a port is open. It lives in the host, beside whatever driver is in use.
#[derive(Debug)]
pub(super) struct Reader {
    control: u8,
    data_out: u8,
    in_flight: Vec<UrbId>,
    received: VecDeque<u8>,
}

impl Reader {
    pub(super) fn received(&mut self) -> &mut VecDeque<u8> {
        &mut self.received
    }

    pub(super) fn data_out(&self) -> u8 {
        self.data_out
    }

    pub(super) fn owns(&self, id: UrbId) -> bool {
        self.in_flight.contains(&id)
    }

    pub(super) fn submitted(&mut self, id: UrbId) {
        self.in_flight.push(id);
    }

    /// Takes a read that has ended, and gives back the next, unless the device is gone or the endpoint is halted.
    pub(super) fn take(&mut self, completion: Completion) -> Option<Urb> {
        self.in_flight.retain(|&id| id != completion.urb.id);
        self.received.extend(&completion.urb.buffer);
        (completion.status == Status::Done).then_some(completion.urb)
    }
}

/// An open serial port.
#[derive(Debug)]
pub struct Serial<'h, M> {
    host: &'h mut Host<M>,
}

impl<M: Machine> Host<M> {
    /// Opens the serial port, or takes it up again if it is open: sets DTR and RTS, and reads from then on, also while
    /// other drivers are used.
    ///
    /// # Errors
    /// [`UsbError`] if there is none, or it does not take the control lines.
    pub fn serial(&mut self) -> Result<Serial<'_, M>, UsbError> {
        self.device()?;
        if self.serial.is_none() {
            let control = self.interface(|i| (i.class, i.sub_class) == (0x02, 0x02), "serial port")?;
            let (number, data) = (control.number, data_interface(&control.class_descriptors));
            let data = self.interface(|i| i.class == 0x0a && data.is_none_or(|n| n == i.number), "serial data")?;
            let data_in = endpoint(data, TransferType::Bulk, true)?.address;
            let data_out = endpoint(data, TransferType::Bulk, false)?.address;
            let (in_flight, received) = (Vec::new(), VecDeque::new());
            let mut reader = Reader { control: number, data_out, in_flight, received };
            for _ in 0..READS {
                reader.submitted(self.submit(Urb::read(0, data_in, READ_LENGTH)));
            }
            self.serial = Some(reader);
            Serial { host: self }.set_control_lines(true, true)?;
        }
        Ok(Serial { host: self })
    }
}

impl<M: Machine> Serial<'_, M> {
    /// SET_LINE_CODING.
    ///
    /// # Errors
    /// [`UsbError`] if the device refuses it.
    pub fn set_line_coding(&mut self, coding: LineCoding) -> Result<(), UsbError> {
        let interface = self.reader()?.control;
        self.host.control_out([0x21, 0x20, 0, 0, interface, 0, 0, 0], &coding.to_bytes())
    }

    /// GET_LINE_CODING.
    ///
    /// # Errors
    /// [`UsbError`] if the device refuses it or answers too little.
    pub fn line_coding(&mut self) -> Result<LineCoding, UsbError> {
        let interface = self.reader()?.control;
        match self.host.control_in([0xa1, 0x21, 0, 0, interface, 0, 7, 0])?[..] {
            [a, b, c, d, stop_bits, parity, data_bits] => {
                Ok(LineCoding { baud: u32::from_le_bytes([a, b, c, d]), stop_bits, parity, data_bits })
            }
            _ => Err(UsbError::Missing("line coding of seven bytes")),
        }
    }

    /// SET_CONTROL_LINE_STATE.
    ///
    /// # Errors
    /// [`UsbError`] if the device refuses it.
    pub fn set_control_lines(&mut self, dtr: bool, rts: bool) -> Result<(), UsbError> {
        let interface = self.reader()?.control;
        self.host.control_out([0x21, 0x22, u8::from(dtr) | u8::from(rts) << 1, 0, interface, 0, 0, 0], &[])
    }

    /// A break of `length`: SEND_BREAK with 0xFFFF, later with 0, as `tcsendbreak` does.
    ///
    /// # Errors
    /// [`UsbError`] if the device refuses it.
    pub fn send_break(&mut self, length: Span) -> Result<(), UsbError> {
        let interface = self.reader()?.control;
        self.host.control_out([0x21, 0x23, 0xff, 0xff, interface, 0, 0, 0], &[])?;
        self.host.sleep(length);
        self.host.control_out([0x21, 0x23, 0, 0, interface, 0, 0, 0], &[])
    }

    /// Sends `data`.
    ///
    /// # Errors
    /// [`UsbError::Timeout`] if a piece of it (1280 bytes) is not taken within `within`.
    pub fn write(&mut self, data: &[u8], within: Span) -> Result<(), UsbError> {
        let endpoint = self.reader()?.data_out;
        data.chunks(WRITE_LENGTH).try_for_each(|piece| self.host.write(endpoint, piece, within))
    }

    /// What has arrived by now.
    ///
    /// # Errors
    /// [`UsbError::NotEnumerated`] if the port is gone and nothing is left.
    pub fn read(&mut self) -> Result<Vec<u8>, UsbError> {
        self.host.collect();
        Ok(self.reader()?.received.drain(..).collect())
    }

    /// What arrives within `span`, with what has arrived by now.
    ///
    /// # Errors
    /// [`UsbError::NotEnumerated`] if the port is gone.
    pub fn read_for(&mut self, span: Span) -> Result<Vec<u8>, UsbError> {
        self.host.sleep(span);
        self.read()
    }

    /// Everything up to the end of `pattern`, at the longest for `within`. What comes behind stays to be read. If the
    /// pattern does not come, the answer is what came instead.
    ///
    /// # Errors
    /// [`UsbError::NotEnumerated`] if the port is gone.
    pub fn read_until(&mut self, pattern: &[u8], within: Span) -> Result<Vec<u8>, UsbError> {
        let until = self.host.now() + within;
        loop {
            self.host.collect();
            let present = self.host.is_present();
            let now = self.host.now();
            let received = self.reader()?.received.make_contiguous();
            let found = received.windows(pattern.len().max(1)).position(|window| window == pattern);
            let end = found.map(|at| at + pattern.len());
            if end.is_some() || now >= until || !present {
                let end = end.unwrap_or(received.len());
                return Ok(self.reader()?.received.drain(..end).collect());
            }
            self.host.turn(until);
        }
    }

    /// Closes the port: nothing is read any more. DTR and RTS stay as they are, as without `HUPCL`.
    pub fn close(self) {
        if let Some(reader) = self.host.serial.take() {
            for id in reader.in_flight {
                self.host.cancel(id);
            }
        }
    }

    fn reader(&mut self) -> Result<&mut Reader, UsbError> {
        self.host.serial.as_mut().ok_or(UsbError::NotEnumerated)
    }
}

/// bSubordinateInterface0 of the union functional descriptor.
fn data_interface(class_descriptors: &[u8]) -> Option<u8> {
    Records(class_descriptors).find(|r| r.get(1..3) == Some(&[CS_INTERFACE, UNION]))?.get(4).copied()
}
