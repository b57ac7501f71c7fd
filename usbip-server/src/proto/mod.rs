//! USB/IP on the wire (Linux `Documentation/usb/usbip_protocol.rst`), without sockets and without time.
//!
//! A connection begins with one *operation*: list the devices, or import one. An import that succeeds turns the
//! connection into that device's URB channel: the client sends submits and unlinks, each with a sequence number of its
//! own, and gets exactly one answer for each, in any order. All numbers are big-endian.
//!
//! [`wire`] has the messages as they are; [`Decoder`] is the server's ear, a state machine that takes bytes in pieces
//! of any size and never believes a length; [`answer`] writes what the server says.

pub mod answer;
mod decoder;
pub mod wire;

pub use decoder::{Command, Decoder, MAX_OUT, ProtocolError, Submit};
pub use wire::BusId;
