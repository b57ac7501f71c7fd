//! A fingerprint of everything that happened on a board's wires.

use crate::board::NetId;
use crate::time::Time;
use crate::trace::Sink;
use crate::wire::{Drive, I2cSignal, Signal};

/// FNV-1a, 64 bits, over every edge: time, net and signal. Two runs with the same hash had the same edges at the same
/// picoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceHash {
    state: u64,
    edges: u64,
}

impl Default for TraceHash {
    fn default() -> Self {
        TraceHash { state: 0xcbf2_9ce4_8422_2325, edges: 0 }
    }
}

impl TraceHash {
    /// The fingerprint so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.state
    }

    /// How many edges went into it.
    #[must_use]
    pub fn edges(&self) -> u64 {
        self.edges
    }

    /// Takes eight more bytes in.
    pub fn word(&mut self, word: u64) {
        for byte in word.to_le_bytes() {
            self.state = (self.state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl Sink for TraceHash {
    fn net(&mut self, at: Time, net: NetId, signal: Signal) {
        self.edges += 1;
        self.word(at.0);
        self.word(net.0 as u64);
        match signal {
            Signal::Drive(Drive::Low) => self.word(0),
            Signal::Drive(Drive::High) => self.word(1),
            Signal::Drive(_) => self.word(2),
            Signal::Serial(frame) => {
                self.word(frame.bit.0 << 8 | 3);
                self.word(u64::from(frame.bits) << 8 | u64::from(frame.count));
            }
            Signal::I2c(step) => {
                let (kind, value) = match step {
                    I2cSignal::Start { address, read, bit } => {
                        self.word(bit.0);
                        (0, address << 1 | u8::from(read))
                    }
                    I2cSignal::Write(byte) => (1, byte),
                    I2cSignal::Read => (2, 0),
                    I2cSignal::Acknowledge(more) => (3, more.into()),
                    I2cSignal::Stop => (4, 0),
                    I2cSignal::Answer(yes) => (5, yes.into()),
                    I2cSignal::Data(byte) => (6, byte),
                    I2cSignal::Hold => (7, 0),
                };
                self.word(u64::from(value) << 16 | kind << 8 | 4);
            }
        }
    }
}
