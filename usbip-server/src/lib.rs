//! The host's side of the cable.
//!
//! USB is a polled bus: a device never speaks unless the host asks. What a driver hands to its operating system is a
//! *USB request block* (URB): "read up to 4096 bytes from endpoint 0x82". What travels over the cable is
//! *transactions* of at most one packet, 64 bytes at full speed. The machine between the two is the host controller,
//! and [`vhc`] is one in software, for a socket of a simulated board.
//!
//! Two kinds of host sit on top of it: class drivers inside this process, and the Linux kernel (or anybody else) at
//! the other end of a USB/IP connection.

pub mod client;
pub mod descriptor;
pub mod gadget;
pub mod host;
pub mod pcap;
pub mod proto;
pub mod server;
pub mod vhc;
