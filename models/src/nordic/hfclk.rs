//! HFCLK as the chip's time: cycles of 64 MHz inside, picoseconds outside.
//!
//! All of the family counts cycles, the 32.768 kHz clock too: whatever it is made from, it is calibrated against HFCLK or
//! synthesized from it. So a chip whose clock is off is off as a whole, and only what goes out of it or comes into it
//! tells. Who measures picoseconds inside (the UART's receiver) measures the chip's *own* ones, of which a cycle always
//! has [`CYCLE_PS`].

use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::SerialFrame;

use super::peripheral::{CYCLE_PS, NEVER};
use crate::parts::cycles::{CycleClock, Rate};

const NOMINAL: Rate = Rate::hz(64_000_000);

/// The conversion between a chip's cycles and the board's time.
#[derive(Clone, Copy, Debug)]
pub struct HfClk(CycleClock);

impl Default for HfClk {
    fn default() -> HfClk {
        HfClk(CycleClock::new(NOMINAL))
    }
}

impl HfClk {
    /// From cycle `now` on, which is not before the last change, it is fast by so many parts per million.
    pub fn set_offset(&mut self, now: u64, ppm: i32) {
        self.0.change(now, if ppm == 0 { NOMINAL } else { NOMINAL.offset(ppm) });
    }

    /// When cycle `cycle` begins; never if it is [`NEVER`].
    #[inline]
    #[must_use]
    pub fn time(&self, cycle: u64) -> Time {
        if cycle == NEVER { Time::NEVER } else { self.0.time(cycle) }
    }

    /// The first cycle that begins at `time` or later. For [`Time::NEVER`] it is one that is never reached, and before
    /// [`NEVER`].
    #[inline]
    #[must_use]
    pub fn cycle(&self, time: Time) -> u64 {
        self.0.cycle_at(Time(time.0.min(u64::MAX - 1)))
    }

    /// How long `cycles` cycles last now.
    #[must_use]
    pub fn span(&self, cycles: u64) -> Span {
        self.0.span(cycles)
    }

    /// How many cycles it takes now until `span` is over.
    #[must_use]
    pub fn cycles(&self, span: Span) -> u64 {
        self.0.cycles(span)
    }

    /// A character of the chip's own picoseconds, as the wire carries it.
    #[must_use]
    pub fn sent(&self, frame: SerialFrame) -> SerialFrame {
        SerialFrame { bit: Span(self.0.span(frame.bit.0).0 / CYCLE_PS), ..frame }
    }

    /// When a character began, in the chip's own picoseconds, that began on the wire at `start`, and the character in
    /// these; it is cycle `now`.
    #[must_use]
    pub fn heard(&self, now: u64, start: Time, frame: SerialFrame) -> (u64, SerialFrame) {
        let ago = self.0.parts(self.time(now).since(start), CYCLE_PS);
        (
            now.saturating_mul(CYCLE_PS).saturating_sub(ago),
            SerialFrame { bit: Span(self.0.parts(frame.bit, CYCLE_PS)), ..frame },
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A character at 115200 baud: 139 periods of 16 MHz a bit.
    const FRAME: SerialFrame = SerialFrame { bit: Span(8_687_500), bits: 0x282, count: 10 };

    #[test]
    fn with_the_right_frequency_the_chips_own_picoseconds_are_the_boards() {
        let mut hfclk = HfClk::default();
        for change in [0, 70_000, 0] {
            hfclk.set_offset(1_000, change);
        }
        for cycle in [1_000, 1_001, 64_000_000] {
            let begins = Time(cycle * CYCLE_PS);
            assert_eq!(
                (hfclk.time(cycle), hfclk.cycle(begins), hfclk.cycle(Time(begins.0 - 1))),
                (begins, cycle, cycle)
            );
        }
        assert_eq!(hfclk.sent(FRAME), FRAME);
        assert_eq!(hfclk.heard(70_000, Time(1_000_000_007), FRAME), (1_000_000_007, FRAME));
        assert_eq!((hfclk.time(NEVER), hfclk.cycle(Time::NEVER) < NEVER), (Time::NEVER, true));
    }

    #[test]
    fn a_fast_chip_sends_short_bits_and_hears_long_ones() {
        let mut hfclk = HfClk::default();
        hfclk.set_offset(64_000, 25_000);
        // 41 cycles in the time of 40.
        assert_eq!(hfclk.time(64_000 + 41_000), Time::ZERO + Span::us(1_625));
        assert_eq!(hfclk.sent(SerialFrame { bit: Span(41_000), ..FRAME }).bit, Span(40_000));
        // It began 40 µs ago: 41 of the chip's.
        let sent = SerialFrame { bit: Span::us(40), ..FRAME };
        let (start, frame) = hfclk.heard(64_000 + 41_000, Time::ZERO + Span::us(1_585), sent);
        assert_eq!((start, frame.bit), (105_000 * CYCLE_PS - 41_000_000, Span::us(41)));
    }

    proptest! {
        #[test]
        fn every_cycle_is_found_again_by_its_time_and_time_never_goes_back(
            changes in prop::collection::vec((-100_000i32..=100_000, 1u64..1 << 32), 1..6),
        ) {
            let (mut hfclk, mut now) = (HfClk::default(), 0);
            for (ppm, cycles) in changes {
                let before = hfclk.time(now);
                hfclk.set_offset(now, ppm);
                prop_assert_eq!(hfclk.time(now), before);
                for cycle in [now, now + 1, now + cycles] {
                    prop_assert_eq!(hfclk.cycle(hfclk.time(cycle)), cycle);
                    prop_assert!(hfclk.time(cycle) < hfclk.time(cycle + 1));
                }
                now += cycles;
            }
        }
    }
}
