//! SPI — SPI master without EasyDMA (nRF51 reference manual, chapter "SPI"): TXD and RXD are double-buffered, and READY
//! tells of each byte that has been exchanged.
//!
//! SCK and MOSI do not move; each bit of a received byte is the level of MISO when the byte is over.

use std::collections::VecDeque;

use super::inert::Inert;
use super::peripheral::{Cx, NEVER, PCLK16M, Psel};

const READY: u32 = 2;

const PSEL_MISO: u32 = 0x510;
const FREQUENCY: u32 = 0x524;

/// Bytes that RXD holds.
const DEPTH: usize = 2;

/// The state beside the registers, which the page's personalities share.
#[derive(Debug)]
pub struct Spi {
    /// End of the byte on the wire.
    due: u64,
    /// A byte waits for the one on the wire.
    waiting: bool,
    received: VecDeque<u8>,
    /// The byte that RXD showed last.
    last: u8,
}

impl Default for Spi {
    fn default() -> Spi {
        Spi { due: NEVER, waiting: false, received: VecDeque::with_capacity(DEPTH), last: 0 }
    }
}

impl Spi {
    fn begin(&mut self, registers: &Inert, now: u64) {
        let clock = (1 << 32) / u64::from(registers.get(FREQUENCY).max(1)) * PCLK16M;
        self.due = now + 8 * clock;
    }

    /// TXD is written: the byte goes out at once, or after the one on the wire. A third one replaces the second.
    pub fn write_txd(&mut self, registers: &Inert, now: u64) {
        if self.due == NEVER {
            self.begin(registers, now);
        } else {
            self.waiting = true;
        }
    }

    /// RXD, which makes place for the next byte and tells if there is one already.
    pub fn read_rxd(&mut self, registers: &mut Inert) -> u32 {
        if let Some(byte) = self.received.pop_front() {
            self.last = byte;
            if !self.received.is_empty() {
                registers.raise(1 << READY);
            }
        }
        self.last.into()
    }

    /// When something is due.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.due
    }

    /// Does what is due.
    pub fn run(&mut self, registers: &mut Inert, cx: &mut Cx<'_>) {
        if self.due > cx.now {
            return;
        }
        self.due = NEVER;
        let miso = Psel(registers.get(PSEL_MISO)).pin().is_some_and(|pin| cx.pins.level(cx.now, pin));
        if self.received.len() < DEPTH {
            self.received.push_back(if miso { 0xFF } else { 0 });
        }
        if self.received.len() == 1 {
            registers.raise(1 << READY);
        }
        if std::mem::take(&mut self.waiting) {
            self.begin(registers, cx.now);
        }
    }
}
