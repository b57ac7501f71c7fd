//! The receiving end of an asynchronous serial line: samples a waveform with its own bit time.
//!
//! The sender's and the receiver's idea of a bit may differ; what then arrives follows from the arithmetic. A reception
//! begins at a falling edge while the receiver is idle, samples the middle of each bit, and ends in the middle of the
//! stop bit, from where the next falling edge is looked for.

use twinboard_sim::time::Span;
use twinboard_sim::wire::SerialFrame;

/// What a line does from some moment on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wave {
    /// It stays at a level.
    Level(bool),
    /// It carries one character, that began at the given time (ps), and is high afterwards.
    Frame(u64, SerialFrame),
}

impl Wave {
    fn level_at(self, at: u64) -> bool {
        match self {
            Wave::Level(level) => level,
            Wave::Frame(start, frame) => at < start || frame.level_at(Span(at - start)),
        }
    }

    /// The first time from `from` on at which the line falls, given what it was before.
    fn falls(self, from: u64, before: bool) -> Option<u64> {
        match self {
            Wave::Level(level) => (before && !level).then_some(from),
            Wave::Frame(start, frame) => {
                let mut level = before;
                let edges = (0..u64::from(frame.count)).map(|i| start + frame.bit.0 * i).filter(|&at| at > from);
                std::iter::once(from).chain(edges).find(|&at| {
                    let was = std::mem::replace(&mut level, self.level_at(at));
                    was && !level
                })
            }
        }
    }
}

/// How characters are framed, in the receiver's own time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    /// Length of a bit in picoseconds.
    pub bit: u64,
    /// A parity bit follows the data: odd (true) or even (false).
    pub parity: Option<bool>,
    /// Number of stop bits, 1 or 2.
    pub stop: u8,
}

impl Format {
    /// Bits of a character, from the start bit to the last stop bit.
    #[must_use]
    pub fn bits(self) -> u8 {
        9 + u8::from(self.parity.is_some()) + self.stop
    }

    /// The waveform of `byte`.
    #[must_use]
    pub fn frame(self, byte: u8) -> SerialFrame {
        let mut bits = u16::from(byte) << 1;
        let mut count = 9;
        if let Some(odd) = self.parity {
            bits |= u16::from((byte.count_ones() % 2 == 1) != odd) << count;
            count += 1;
        }
        bits |= ((1 << self.stop) - 1) << count;
        SerialFrame { bit: Span(self.bit), bits, count: count + self.stop }
    }
}

/// One received character.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// The data bits.
    pub byte: u8,
    /// The parity bit does not fit.
    pub parity_error: bool,
    /// The stop bit is low.
    pub framing_error: bool,
    /// The line was low at every sample.
    pub is_break: bool,
}

#[derive(Clone, Copy, Debug)]
struct Reception {
    start: u64,
    sampled: u8,
    bits: u16,
}

/// The receiver.
#[derive(Debug)]
pub struct LineReceiver {
    format: Format,
    wave: Wave,
    reception: Option<Reception>,
}

impl LineReceiver {
    /// A receiver on a line that is at `level`.
    #[must_use]
    pub fn new(format: Format, level: bool) -> LineReceiver {
        LineReceiver { format, wave: Wave::Level(level), reception: None }
    }

    /// Data, parity and the first stop bit are sampled; the start bit is the edge itself.
    fn samples(&self) -> u8 {
        9 + u8::from(self.format.parity.is_some())
    }

    /// The time of sample `n` (0 is the first data bit).
    fn sample_time(&self, reception: &Reception, n: u8) -> u64 {
        reception.start + self.format.bit * (2 * u64::from(n) + 3) / 2
    }

    /// The line does `wave` from `at` (ps) on.
    pub fn change(&mut self, at: u64, wave: Wave) {
        self.sample_until(at);
        // Who sends characters holds the line high in between, even if nobody told so.
        let before = matches!(wave, Wave::Frame(..)) || self.wave.level_at(at.saturating_sub(1));
        self.wave = wave;
        if self.reception.is_none() {
            self.listen(at, before);
        }
    }

    /// When the character that is coming in will be complete (ps).
    #[must_use]
    pub fn complete_at(&self) -> Option<u64> {
        self.reception.as_ref().map(|r| self.sample_time(r, self.samples() - 1))
    }

    /// Takes the character that is complete at `at`.
    pub fn take(&mut self, at: u64) -> Option<Received> {
        let end = self.complete_at().filter(|&end| end <= at)?;
        self.sample_until(end + 1);
        let Reception { bits, sampled, .. } = self.reception.take()?;
        self.listen(end, self.wave.level_at(end));
        let byte = bits as u8;
        let parity_bit = bits >> 8 & 1 == 1;
        Some(Received {
            byte,
            parity_error: self.format.parity.is_some_and(|odd| parity_bit != ((byte.count_ones() % 2 == 1) != odd)),
            framing_error: bits >> (sampled - 1) & 1 == 0,
            is_break: bits == 0,
        })
    }

    fn listen(&mut self, from: u64, before: bool) {
        self.reception = self.wave.falls(from, before).map(|start| Reception { start, sampled: 0, bits: 0 });
    }

    fn sample_until(&mut self, until: u64) {
        if let Some(mut reception) = self.reception {
            while reception.sampled < self.samples() {
                let at = self.sample_time(&reception, reception.sampled);
                if at >= until {
                    break;
                }
                reception.bits |= u16::from(self.wave.level_at(at)) << reception.sampled;
                reception.sampled += 1;
            }
            self.reception = Some(reception);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const N81: Format = Format { bit: 1_000, parity: None, stop: 1 };

    /// What a receiver of `format` makes of characters sent back to back with `sender`'s format.
    fn receive(format: Format, sender: Format, bytes: &[u8]) -> Vec<Received> {
        let mut line = LineReceiver::new(format, true);
        let mut received = Vec::new();
        let mut at = 10_000;
        for &byte in bytes {
            while let Some(end) = line.complete_at().filter(|&end| end < at) {
                received.extend(line.take(end));
            }
            line.change(at, Wave::Frame(at, sender.frame(byte)));
            at += sender.bit * u64::from(sender.bits());
        }
        while let Some(end) = line.complete_at() {
            received.extend(line.take(end));
        }
        received
    }

    proptest! {
        #[test]
        fn equal_formats_carry_all_bytes(
            bytes in prop::collection::vec(any::<u8>(), 1..20), parity in any::<Option<bool>>(), stop in 1u8..3,
        ) {
            let format = Format { bit: 8_687_500, parity, stop };
            let received = receive(format, format, &bytes);
            prop_assert!(received.iter().all(|r| !r.parity_error && !r.framing_error));
            prop_assert_eq!(received.iter().map(|r| r.byte).collect::<Vec<_>>(), bytes);
        }

        /// The last sample is 9.5 bits after the start edge, so 4 % of a bit time per bit is still harmless.
        #[test]
        fn four_percent_off_is_still_understood(bytes in prop::collection::vec(any::<u8>(), 1..20), slow in any::<bool>()) {
            let sender = Format { bit: if slow { 1_040 } else { 960 }, ..N81 };
            let received = receive(N81, sender, &bytes);
            prop_assert_eq!(received.iter().map(|r| r.byte).collect::<Vec<_>>(), bytes);
        }
    }

    #[test]
    fn at_half_the_baud_rate_every_bit_is_seen_twice() {
        let received = receive(N81, Format { bit: 2_000, ..N81 }, &[0x55]);
        // Start, 1, 0, 1, 0 at double length: 0 11 00 11 00 sampled as start, 0, 1 1, 0 0, 1 1, 0 and stop 0.
        assert_eq!(received[0].byte, 0b0110_0110);
        assert!(received[0].framing_error);
    }

    #[test]
    fn a_line_that_stays_low_is_one_break_and_not_many() {
        let mut line = LineReceiver::new(N81, true);
        line.change(5_000, Wave::Level(false));
        let end = line.complete_at().expect("a reception");
        let received = line.take(end).expect("a character");
        assert!(received.is_break && received.framing_error && received.byte == 0);
        assert_eq!(line.complete_at(), None);
        line.change(50_000, Wave::Level(true));
        assert_eq!(line.complete_at(), None);
        line.change(60_000, Wave::Frame(60_000, N81.frame(b'x')));
        let end = line.complete_at().expect("a reception");
        assert_eq!(line.take(end).map(|r| r.byte), Some(b'x'));
    }

    #[test]
    fn the_first_character_on_a_line_that_nobody_has_driven_yet_is_received() {
        let mut line = LineReceiver::new(N81, false);
        line.change(10_000, Wave::Frame(10_000, N81.frame(0xF0)));
        let end = line.complete_at().expect("a reception");
        assert_eq!(line.take(end).map(|r| r.byte), Some(0xF0));
    }

    #[test]
    fn a_wrong_parity_bit_is_noticed() {
        let odd = Format { parity: Some(true), ..N81 };
        let even = Format { parity: Some(false), ..N81 };
        assert!(receive(odd, even, b"A")[0].parity_error);
    }

    #[test]
    fn levels_that_a_program_bangs_out_are_received_like_a_character() {
        let mut line = LineReceiver::new(N81, true);
        for i in 0..10 {
            let level = 0b10_1000_0010u16 >> i & 1 == 1;
            line.change(1_000 * (i + 1), Wave::Level(level));
        }
        let end = line.complete_at().expect("a reception");
        assert_eq!(line.take(end).map(|r| (r.byte, r.framing_error)), Some((0x41, false)));
    }
}
