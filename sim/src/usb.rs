//! The USB cable: the contract between a device's port and whoever plays the host.
//!
//! USB is a polled bus. The host sends a token (SETUP, IN or OUT) to an address and endpoint; the device answers with
//! a handshake (ACK, NAK, STALL), with data, or not at all. Data packets alternate between DATA0 and DATA1, so that a
//! lost handshake can be told from a new packet. Control transfers are a SETUP stage, an optional data stage and a
//! status stage in the other direction; all of it is built from these tokens by the host's side.
//!
//! Everything here is one transaction of at most one packet (64 bytes at full speed).

use crate::time::Time;

/// The largest packet of a full-speed bulk, interrupt or control endpoint, in bytes.
pub const MAX_PACKET: usize = 64;

/// The answer to an OUT or SETUP transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Handshake {
    /// Data taken.
    Ack,
    /// Busy; ask again.
    Nak,
    /// The endpoint is halted, or the control request is refused.
    Stall,
    /// Nobody answered: no such address or endpoint, or the packet was damaged.
    Timeout,
}

/// The answer to an IN transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum InReply {
    /// A packet of this many bytes was put into the buffer; the host acknowledges it.
    Data {
        /// Bytes in the buffer, 0 to 64.
        len: usize,
        /// DATA1 (true) or DATA0.
        toggle: bool,
    },
    /// Nothing to send yet; ask again.
    Nak,
    /// The endpoint is halted, or the control request is refused.
    Stall,
    /// Nobody answered.
    Timeout,
}

/// A device's USB socket, full speed. The host calls it at times that never go back; the board has been brought to
/// `at` before each call.
///
/// After a NAK the host need not ask again until [`UsbPort::attention`] has changed.
pub trait UsbPort: Send {
    /// Whether the device pulls D+ up, that is: shows itself on the bus.
    fn attached(&self) -> bool;

    /// The host drives a bus reset (SE0): address 0, unconfigured.
    fn bus_reset(&mut self, at: Time);

    /// VBUS comes or goes.
    fn vbus(&mut self, at: Time, present: bool);

    /// The bus falls idle for more than 3 ms (suspend) or is resumed.
    fn suspend(&mut self, at: Time, suspended: bool);

    /// Start of frame, every millisecond; `frame` is 11 bits wide.
    fn sof(&mut self, at: Time, frame: u16);

    /// SETUP token with its DATA0 packet to endpoint `ep` of `address`. A device may not NAK a SETUP.
    fn setup(&mut self, at: Time, address: u8, ep: u8, data: [u8; 8]) -> Handshake;

    /// OUT token with a data packet of 0 to 64 bytes. `toggle` is DATA1. A packet with the wrong toggle is
    /// acknowledged and dropped.
    fn out(&mut self, at: Time, address: u8, ep: u8, toggle: bool, data: &[u8]) -> Handshake;

    /// IN token; the packet goes to `buffer`.
    fn r#in(&mut self, at: Time, address: u8, ep: u8, buffer: &mut [u8; MAX_PACKET]) -> InReply;

    /// Counts up whenever an endpoint that answered NAK may answer otherwise, or [`UsbPort::attached`] changed.
    fn attention(&self) -> u64;
}

/// The socket of a board without power: nobody is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPort;

impl UsbPort for NoPort {
    fn attached(&self) -> bool {
        false
    }

    fn bus_reset(&mut self, _: Time) {}

    fn vbus(&mut self, _: Time, _: bool) {}

    fn suspend(&mut self, _: Time, _: bool) {}

    fn sof(&mut self, _: Time, _: u16) {}

    fn setup(&mut self, _: Time, _: u8, _: u8, _: [u8; 8]) -> Handshake {
        Handshake::Timeout
    }

    fn out(&mut self, _: Time, _: u8, _: u8, _: bool, _: &[u8]) -> Handshake {
        Handshake::Timeout
    }

    fn r#in(&mut self, _: Time, _: u8, _: u8, _: &mut [u8; MAX_PACKET]) -> InReply {
        InReply::Timeout
    }

    fn attention(&self) -> u64 {
        0
    }
}
