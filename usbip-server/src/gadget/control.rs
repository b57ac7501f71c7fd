//! Endpoint 0 of a gadget: the three stages of a control transfer and the standard requests (USB 2.0 §9.4).

use twinboard_sim::usb::{Handshake, InReply, MAX_PACKET};

use super::Descriptors;
use crate::descriptor::{CONFIGURATION, DEVICE, STRING};

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Idle,
    /// Sending: the answer, and how much of it has gone.
    DataIn(Vec<u8>, usize),
    /// Receiving: the request, and what has come.
    DataOut([u8; 8], Vec<u8>),
    StatusIn([u8; 8], Vec<u8>),
    Stalled,
}

/// What a request without data to the host asks the gadget to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Request {
    Nothing,
    Configured,
    InterfaceSet,
    Halt(u8, bool),
    /// Not a standard request that we know.
    Refused,
}

/// See the module's description.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) address: u8,
    pub(super) configuration: u8,
    descriptors: Descriptors,
    stage: Stage,
    toggle: bool,
}

impl Control {
    pub(super) fn new(descriptors: Descriptors) -> Control {
        Control { address: 0, configuration: 0, descriptors, stage: Stage::Idle, toggle: true }
    }

    pub(super) fn reset(&mut self) {
        (self.address, self.configuration, self.stage) = (0, 0, Stage::Idle);
    }

    /// bMaxPacketSize0.
    fn max_packet(&self) -> usize {
        self.descriptors.device.get(7).map_or(MAX_PACKET, |&size| usize::from(size).clamp(8, MAX_PACKET))
    }

    pub(super) fn setup(
        &mut self,
        setup: [u8; 8],
        halted: impl Fn(u8) -> bool,
        other: impl FnOnce([u8; 8]) -> Option<Vec<u8>>,
    ) {
        self.toggle = true;
        let length = usize::from(u16::from_le_bytes([setup[6], setup[7]]));
        self.stage = match (setup[0] & 0x80 != 0, length) {
            (true, 1..) => match self.answer(setup, halted).or_else(|| other(setup)) {
                Some(mut answer) => {
                    answer.truncate(length);
                    // A packet of no bytes tells the end of an answer that is shorter than asked for.
                    Stage::DataIn(answer, 0)
                }
                None => Stage::Stalled,
            },
            (false, 1..) => Stage::DataOut(setup, Vec::new()),
            _ => Stage::StatusIn(setup, Vec::new()),
        };
    }

    fn answer(&self, setup: [u8; 8], halted: impl Fn(u8) -> bool) -> Option<Vec<u8>> {
        Some(match setup {
            [0x80, 0x06, _, DEVICE, ..] => self.descriptors.device.clone(),
            [0x80, 0x06, 0, CONFIGURATION, ..] => self.descriptors.configuration.clone(),
            [0x80, 0x06, 0, STRING, ..] => vec![4, STRING, 0x09, 0x04],
            [0x80, 0x06, index, STRING, ..] => {
                let text = self.descriptors.strings.get(usize::from(index).checked_sub(1)?)?;
                let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
                [&[(2 + units.len()) as u8, STRING][..], &units].concat()
            }
            [0x80, 0x08, ..] => vec![self.configuration],
            [0x81, 0x0a, ..] => vec![0],
            [0x80 | 0x81, 0x00, ..] => vec![0, 0],
            [0x82, 0x00, _, _, endpoint, ..] => vec![u8::from(halted(endpoint)), 0],
            _ => return None,
        })
    }

    /// What `setup`, come to its status stage, means. Takes on a new address or configuration.
    pub(super) fn request(&mut self, setup: [u8; 8], length: usize) -> Request {
        match setup {
            [0x00, 0x05, address, ..] => {
                self.address = address & 0x7f;
                Request::Nothing
            }
            [0x00, 0x09, value, ..] if value == 0 || Some(&value) == self.descriptors.configuration.get(5) => {
                self.configuration = value;
                Request::Configured
            }
            [0x01, 0x0b, 0, ..] if length == 0 => Request::InterfaceSet,
            [0x02, 0x01, 0, 0, endpoint, ..] => Request::Halt(endpoint, false),
            [0x02, 0x03, 0, 0, endpoint, ..] => Request::Halt(endpoint, true),
            _ => Request::Refused,
        }
    }

    pub(super) fn out(&mut self, data: &[u8]) -> Handshake {
        match std::mem::take(&mut self.stage) {
            Stage::DataOut(setup, mut received) => {
                received.extend_from_slice(data);
                let length = usize::from(u16::from_le_bytes([setup[6], setup[7]]));
                self.stage = if received.len() >= length || data.len() < self.max_packet() {
                    Stage::StatusIn(setup, received)
                } else {
                    Stage::DataOut(setup, received)
                };
                Handshake::Ack
            }
            // The status stage of a read.
            Stage::DataIn(..) if data.is_empty() => Handshake::Ack,
            _ => {
                self.stage = Stage::Stalled;
                Handshake::Stall
            }
        }
    }

    /// The request whose status stage is asked for, if it is one in this direction.
    pub(super) fn status_in(&mut self) -> Option<([u8; 8], Vec<u8>)> {
        match std::mem::take(&mut self.stage) {
            Stage::StatusIn(setup, data) => Some((setup, data)),
            other => {
                self.stage = other;
                None
            }
        }
    }

    pub(super) fn status_sent(&mut self, refused: bool) -> InReply {
        self.stage = if refused { Stage::Stalled } else { Stage::Idle };
        if refused { InReply::Stall } else { InReply::Data { len: 0, toggle: true } }
    }

    pub(super) fn r#in(&mut self, buffer: &mut [u8; MAX_PACKET]) -> InReply {
        let max_packet = self.max_packet();
        let Stage::DataIn(answer, sent) = &mut self.stage else { return InReply::Stall };
        let rest = &answer[*sent..];
        let len = rest.len().min(max_packet);
        buffer[..len].copy_from_slice(&rest[..len]);
        *sent += len;
        let toggle = self.toggle;
        self.toggle = !toggle;
        InReply::Data { len, toggle }
    }
}
