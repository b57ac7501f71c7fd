//! One endpoint as the host sees it: its queue of transfers, its data toggle, whether it is halted; and how the
//! transfer at the head of the queue moves on by one transaction (USB 2.0 §8.5).

use std::collections::VecDeque;

use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::{Handshake, InReply, MAX_PACKET, UsbPort};

use super::bus;
use super::urb::{Status, Urb};
use crate::descriptor::{Endpoint, TransferType};

/// Unanswered tokens in a row after which the host gives up (USB 2.0 §10.2.6).
const MAX_ERRORS: u8 = 3;

/// Where a transfer stands. Bulk and interrupt transfers have only a data stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Setup([u8; 8]),
    DataIn,
    DataOut,
    StatusIn,
    StatusOut,
}

/// A URB on its way.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) urb: Urb,
    /// Submitted by the controller itself; nobody hears of its end.
    pub(super) internal: bool,
    /// When it last moved.
    pub(super) progress: Time,
    stage: Stage,
    /// OUT: bytes of the buffer that the device took.
    offset: usize,
    /// A packet of no bytes has to follow the data.
    zero_packet: bool,
}

impl Transfer {
    pub(super) fn new(mut urb: Urb, now: Time, internal: bool, max_packet: usize) -> Transfer {
        let length = urb.buffer.len();
        let stage = match urb.setup {
            Some(setup) => Stage::Setup(setup),
            None if urb.is_in() => Stage::DataIn,
            None => Stage::DataOut,
        };
        let zero_packet =
            stage == Stage::DataOut && (length == 0 || urb.zero_packet && length.is_multiple_of(max_packet));
        if urb.is_in() {
            urb.buffer.clear();
        }
        Transfer { urb, internal, progress: now, stage, offset: 0, zero_packet }
    }

    /// Bytes of the data stage that moved.
    pub(super) fn actual(&self) -> usize {
        if self.urb.is_in() { self.urb.buffer.len() } else { self.offset }
    }
}

/// What came of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It, or its retry, can follow at once.
    Moved,
    /// The device is not ready.
    Waiting,
    /// The transfer at the head of the queue has ended.
    Ended(Status),
}

/// See the module's description.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) number: u8,
    pub(super) kind: TransferType,
    pub(super) max_packet: usize,
    /// Frames between two polls of an interrupt endpoint.
    pub(super) interval: u64,
    /// The frame in which an interrupt endpoint is polled next.
    pub(super) next_poll: u64,
    /// bInterfaceNumber and bInterfaceClass of the interface it belongs to.
    pub(super) function: Option<(u8, u8)>,
    /// DATA1 is next.
    pub(super) toggle: bool,
    pub(super) halted: bool,
    /// IN: until when an answer to something sent to the same function is expected.
    pub(super) reply_until: Time,
    /// IN of a serial port: until when the host counts as reading on, so that without a URB it is behind.
    pub(super) read_until: Time,
    pub(super) queue: VecDeque<Transfer>,
    /// OUT: bytes that the device took.
    pub(super) taken: u64,
    errors: u8,
}

impl Pipe {
    pub(super) fn new(number: u8) -> Pipe {
        Pipe {
            number,
            kind: if number == 0 { TransferType::Control } else { TransferType::Bulk },
            max_packet: MAX_PACKET,
            interval: 1,
            next_poll: 0,
            function: None,
            toggle: false,
            halted: false,
            reply_until: Time::ZERO,
            read_until: Time::ZERO,
            queue: VecDeque::new(),
            taken: 0,
            errors: 0,
        }
    }

    /// Takes on what the endpoint's descriptor says, as SET_CONFIGURATION or SET_INTERFACE brings it about.
    pub(super) fn configure(&mut self, endpoint: &Endpoint, function: (u8, u8)) {
        self.kind = endpoint.transfer;
        self.max_packet = usize::from(endpoint.max_packet_size).clamp(1, MAX_PACKET);
        // Host controllers poll at powers of two: the largest that is not slower than asked for.
        self.interval = 1 << endpoint.interval.max(1).ilog2();
        self.function = Some(function);
        self.clear_halt();
    }

    /// The endpoint starts afresh with DATA0.
    pub(super) fn clear_halt(&mut self) {
        self.toggle = false;
        self.halted = false;
        self.errors = 0;
    }

    /// How long the next transaction occupies the bus before the device is asked for its answer, and in all.
    pub(super) fn next_duration(&self) -> (Span, Span) {
        let Some(transfer) = self.queue.front() else { return (Span::ZERO, Span::ZERO) };
        match transfer.stage {
            Stage::Setup(_) => (bus::out_lead(8), bus::out_lead(8) + bus::HANDSHAKE),
            Stage::DataOut => {
                let lead = bus::out_lead((transfer.urb.buffer.len() - transfer.offset).min(self.max_packet));
                (lead, lead + bus::HANDSHAKE)
            }
            Stage::StatusOut => (bus::out_lead(0), bus::out_lead(0) + bus::HANDSHAKE),
            Stage::DataIn => {
                let room = transfer.urb.length - transfer.urb.buffer.len();
                (bus::IN_LEAD, bus::IN_LEAD + bus::in_tail(room.min(self.max_packet)))
            }
            Stage::StatusIn => (bus::IN_LEAD, bus::IN_LEAD + bus::in_tail(0)),
        }
    }

    /// One transaction of the transfer at the head of the queue, and how long the bus is busy with its rest.
    pub(super) fn transact(&mut self, port: &mut dyn UsbPort, at: Time, address: u8) -> (Verdict, Span) {
        let number = self.number;
        let Some(transfer) = self.queue.front_mut() else { return (Verdict::Waiting, Span::ZERO) };
        let (verdict, tail) = match transfer.stage {
            Stage::Setup(setup) => (self.after_setup(setup, port.setup(at, address, number, setup)), bus::HANDSHAKE),
            Stage::DataOut => {
                let end = transfer.urb.buffer.len().min(transfer.offset + self.max_packet);
                let packet = &transfer.urb.buffer[transfer.offset..end];
                let sent = packet.len();
                let handshake = port.out(at, address, number, self.toggle, packet);
                (self.after_out(sent, handshake), bus::HANDSHAKE)
            }
            Stage::DataIn => {
                let mut packet = [0; MAX_PACKET];
                let reply = port.r#in(at, address, number, &mut packet);
                (self.after_in(reply, &packet), in_duration(reply))
            }
            Stage::StatusOut => (self.after_status_out(port.out(at, address, number, true, &[])), bus::HANDSHAKE),
            Stage::StatusIn => {
                let reply = port.r#in(at, address, number, &mut [0; MAX_PACKET]);
                (self.after_status_in(reply), in_duration(reply))
            }
        };
        if verdict == Verdict::Moved
            && let Some(transfer) = self.queue.front_mut()
        {
            transfer.progress = at;
        }
        (verdict, tail)
    }

    fn after_setup(&mut self, setup: [u8; 8], handshake: Handshake) -> Verdict {
        let Some(transfer) = self.queue.front_mut() else { return Verdict::Waiting };
        match handshake {
            Handshake::Ack => {
                self.errors = 0;
                self.toggle = true;
                // A request without a data stage has its status stage in the IN direction, whatever its own is.
                transfer.stage = match (setup[0] & 0x80 != 0, transfer.urb.length, transfer.urb.buffer.is_empty()) {
                    (true, 1.., _) => Stage::DataIn,
                    (false, _, false) => Stage::DataOut,
                    _ => Stage::StatusIn,
                };
                Verdict::Moved
            }
            Handshake::Stall => Verdict::Ended(Status::Stall),
            // A device may not NAK a SETUP, so that is as good as no answer.
            Handshake::Nak | Handshake::Timeout => self.missed(),
        }
    }

    fn after_out(&mut self, sent: usize, handshake: Handshake) -> Verdict {
        let Some(transfer) = self.queue.front_mut() else { return Verdict::Waiting };
        match handshake {
            Handshake::Ack => {
                self.errors = 0;
                self.toggle = !self.toggle;
                transfer.offset += sent;
                self.taken += sent as u64;
                transfer.zero_packet &= sent != 0;
                let more = transfer.offset < transfer.urb.buffer.len() || transfer.zero_packet;
                if more { Verdict::Moved } else { self.data_done(Stage::StatusIn) }
            }
            Handshake::Nak => Verdict::Waiting,
            Handshake::Stall => Verdict::Ended(Status::Stall),
            Handshake::Timeout => self.missed(),
        }
    }

    fn after_in(&mut self, reply: InReply, packet: &[u8; MAX_PACKET]) -> Verdict {
        let Some(transfer) = self.queue.front_mut() else { return Verdict::Waiting };
        match reply {
            // The same packet again: its handshake was lost. Acknowledge and drop it (USB 2.0 §8.6.4).
            InReply::Data { toggle, .. } if toggle != self.toggle => Verdict::Moved,
            InReply::Data { len, .. } => {
                self.errors = 0;
                self.toggle = !self.toggle;
                let room = transfer.urb.length - transfer.urb.buffer.len();
                match packet.get(..len) {
                    Some(data) if len <= room.min(self.max_packet) => transfer.urb.buffer.extend_from_slice(data),
                    _ => return Verdict::Ended(Status::Overflow),
                }
                let more = len == self.max_packet && len < room;
                if more { Verdict::Moved } else { self.data_done(Stage::StatusOut) }
            }
            InReply::Nak => Verdict::Waiting,
            InReply::Stall => Verdict::Ended(Status::Stall),
            InReply::Timeout => self.missed(),
        }
    }

    fn after_status_out(&mut self, handshake: Handshake) -> Verdict {
        match handshake {
            Handshake::Ack => Verdict::Ended(Status::Done),
            Handshake::Nak => Verdict::Waiting,
            Handshake::Stall => Verdict::Ended(Status::Stall),
            Handshake::Timeout => self.missed(),
        }
    }

    fn after_status_in(&mut self, reply: InReply) -> Verdict {
        match reply {
            InReply::Data { toggle: false, .. } => Verdict::Moved,
            InReply::Data { len: 0, .. } => Verdict::Ended(Status::Done),
            InReply::Data { .. } => Verdict::Ended(Status::Overflow),
            InReply::Nak => Verdict::Waiting,
            InReply::Stall => Verdict::Ended(Status::Stall),
            InReply::Timeout => self.missed(),
        }
    }

    /// The data stage is over: a control transfer has its `status` stage next, any other has ended.
    fn data_done(&mut self, status: Stage) -> Verdict {
        match self.queue.front_mut() {
            Some(transfer) if transfer.urb.setup.is_some() => {
                transfer.stage = status;
                Verdict::Moved
            }
            _ => Verdict::Ended(Status::Done),
        }
    }

    fn missed(&mut self) -> Verdict {
        self.errors += 1;
        if self.errors < MAX_ERRORS {
            return Verdict::Moved;
        }
        self.errors = 0;
        Verdict::Ended(Status::Protocol)
    }
}

fn in_duration(reply: InReply) -> Span {
    match reply {
        InReply::Data { len, .. } => bus::in_tail(len.min(MAX_PACKET)),
        InReply::Nak | InReply::Stall | InReply::Timeout => bus::HANDSHAKE,
    }
}
