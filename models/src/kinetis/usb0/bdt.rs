//! The buffer descriptor table: where software and the SIE hand buffers to each other (reference manual, "Buffer
//! Descriptor Table", "Buffer Descriptor formats").
//!
//! The table has four descriptors of eight bytes for each endpoint: RX even, RX odd, TX even, TX odd. A descriptor is
//! a status byte, a reserved byte, a byte count of ten bits and the buffer's address, all in RAM.

use twinboard_sim::bus::Size;
use twinboard_sim::cpu::memory::Memory;

/// Bytes of a descriptor.
pub const SIZE: u32 = 8;
/// Bytes of the whole table.
pub const TABLE: u32 = 512;

/// The SIE owns the descriptor.
const OWN: u8 = 1 << 7;
/// DATA0/1.
const DATA1: u8 = 1 << 6;
/// The SIE keeps the descriptor.
const KEEP: u8 = 1 << 5;
/// The buffer's address does not count up.
const NINC: u8 = 1 << 4;
/// Data toggle synchronization.
const DTS: u8 = 1 << 3;
/// STALL is the answer to the token that would use this descriptor.
const STALL: u8 = 1 << 2;

/// A token's PID as the SIE writes it back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pid {
    /// Data from the host.
    Out = 0x1,
    /// Data to the host.
    In = 0x9,
    /// A control transfer begins.
    Setup = 0xD,
}

/// Which descriptor of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Endpoint, 0 to 15.
    pub endpoint: u8,
    /// To the host.
    pub tx: bool,
    /// The odd one of the pair.
    pub odd: bool,
}

impl Place {
    /// STAT as it tells of a token that used this descriptor.
    #[must_use]
    pub fn stat(self) -> u8 {
        self.endpoint << 4 | u8::from(self.tx) << 3 | u8::from(self.odd) << 2
    }

    /// Number of the endpoint's direction: two for each endpoint, TX after RX.
    #[must_use]
    pub fn direction(self) -> u32 {
        u32::from(self.endpoint) << 1 | u32::from(self.tx)
    }

    /// Address in a table at `table`.
    #[must_use]
    pub fn address(self, table: u32) -> u32 {
        table + (self.direction() * 2 + u32::from(self.odd)) * SIZE
    }
}

/// A descriptor as software left it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Descriptor {
    at: u32,
    status: u8,
    count: u16,
    buffer: u32,
}

impl Descriptor {
    /// Reads the descriptor at `at`; one that lies outside of all memories is nobody's.
    #[must_use]
    pub fn read(memory: &Memory, at: u32) -> Descriptor {
        let word = memory.read(at, Size::Word).unwrap_or(0);
        let buffer = memory.read(at.wrapping_add(4), Size::Word).unwrap_or(0);
        Descriptor { at, status: word as u8, count: (word >> 16 & 0x3FF) as u16, buffer }
    }

    /// The SIE may use it.
    #[must_use]
    pub fn owned(self) -> bool {
        self.status & OWN != 0
    }

    /// BDT_STALL.
    #[must_use]
    pub fn stalls(self) -> bool {
        self.status & STALL != 0
    }

    /// DATA0/1: the toggle to send, or (with DTS) to expect.
    #[must_use]
    pub fn data1(self) -> bool {
        self.status & DATA1 != 0
    }

    /// A packet with this toggle is not the one that is expected: a repetition.
    #[must_use]
    pub fn refuses(self, toggle: bool) -> bool {
        self.status & DTS != 0 && toggle != self.data1()
    }

    /// Bytes that the buffer has, or that are to be sent.
    #[must_use]
    pub fn count(self) -> usize {
        self.count.into()
    }

    /// Puts a received packet into the buffer. How many bytes fit, and whether all found memory.
    pub fn fill(self, memory: &mut Memory, packet: &[u8]) -> (usize, bool) {
        let stored = &packet[..packet.len().min(self.count())];
        let found = if self.status & NINC != 0 {
            stored.last().is_none_or(|byte| memory.write_bytes(self.buffer, &[*byte]))
        } else {
            stored.is_empty() || memory.write_bytes(self.buffer, stored)
        };
        (stored.len(), found)
    }

    /// Takes the packet to send from the buffer; false if there is no memory there (zeros are sent).
    pub fn fetch(self, memory: &Memory, packet: &mut [u8]) -> bool {
        let bytes = if self.status & NINC != 0 {
            memory.read(self.buffer, Size::Byte).map(|byte| packet.fill(byte as u8))
        } else {
            memory.read_bytes(self.buffer, packet.len()).map(|bytes| packet.copy_from_slice(bytes))
        };
        if bytes.is_none() {
            packet.fill(0);
        }
        bytes.is_some()
    }

    /// The token is done: gives the descriptor back to software, unless KEEP says that it stays the SIE's.
    pub fn give_back(self, memory: &mut Memory, pid: Pid, toggle: bool, count: usize) {
        if self.status & KEEP == 0 {
            let status = u8::from(toggle) << 6 | (pid as u8) << 2;
            let word = u32::from(status) | (count as u32 & 0x3FF) << 16;
            memory.write(self.at, Size::Word, word);
        }
    }

    /// KEEP: the descriptor stays the SIE's, and software is not told of its tokens.
    #[must_use]
    pub fn keeps(self) -> bool {
        self.status & KEEP != 0
    }
}
