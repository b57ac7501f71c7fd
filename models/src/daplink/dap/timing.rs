//! How fast the firmware's pins really move.
//!
//! SWCLK is not made by a peripheral: the firmware sets and clears pins in a loop, at 64 MHz. `DAP_SWJ_Clock` does not
//! choose a frequency, it chooses how many turns a delay loop makes between two pin writes (CMSIS-DAP, "Configure I/O
//! ports", `CPU_CLOCK`, `IO_PORT_WRITE_CYCLES`, `DELAY_SLOW_CYCLES`). The formula assumes two cycles per pin write and
//! nothing else; the instructions around the writes make the real clock slower the faster it is meant to be:
//!
//! | asked for | turns | real |
//! |---|---|---|
//! | ≥ 16 MHz | none | 4.6 MHz |
//! | 8 MHz (the default) | 1 | 2.9 MHz |
//! | 4 MHz | 2 | 2.3 MHz |
//! | 1 MHz | 10 | 0.84 MHz |
//! | 100 kHz | 106 | 98 kHz |
//!
//! The cycles per bit are chosen so that a drag-and-drop takes the time it takes on a real board (30 KB/s).

use twinboard_sim::time::Span;

/// The interface chip's core clock: 64 MHz, a period of exactly 15 625 ps.
const CORE_CLOCK: u32 = 64_000_000;

/// CMSIS-DAP `IO_PORT_WRITE_CYCLES`.
const IO_PORT_WRITE_CYCLES: u32 = 2;

/// CMSIS-DAP `DELAY_SLOW_CYCLES`: one turn of the delay loop.
const DELAY_SLOW_CYCLES: u32 = 3;

/// Cycles of one bit without any delay: choosing and writing the data pin, two clock writes, parity, loop.
const CYCLES_PER_BIT: u32 = 14;

/// Cycles of one call of the delay loop beside its turns.
const DELAY_CALL_CYCLES: u32 = 1;

/// The core is in one SWD transfer's code beside its bits for this long: the call, the retry loop, storing the data.
pub const TRANSFER_OVERHEAD: Span = cycles(64);

/// `DAP_DEFAULT_SWJ_CLOCK`, in hertz.
pub const DEFAULT_SWJ_CLOCK: u32 = 8_000_000;

/// The time that `count` cycles of the interface chip's core take.
#[must_use]
pub const fn cycles(count: u64) -> Span {
    Span::ps(count * 15_625)
}

/// The speed of SWCLK as `DAP_SWJ_Clock` set it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SwjClock {
    period: Span,
}

impl SwjClock {
    /// The clock for a nominal frequency of `hz`; there is none for 0 Hz.
    #[must_use]
    pub fn nominal(hz: u32) -> Option<SwjClock> {
        let fastest = CORE_CLOCK / 2 / IO_PORT_WRITE_CYCLES;
        let delays = match hz {
            0 => return None,
            hz if hz >= fastest => 0,
            hz => {
                let half_period = (CORE_CLOCK / 2).div_ceil(hz);
                let turns = half_period.saturating_sub(IO_PORT_WRITE_CYCLES).div_ceil(DELAY_SLOW_CYCLES).max(1);
                2 * (DELAY_SLOW_CYCLES * turns + DELAY_CALL_CYCLES)
            }
        };
        Some(SwjClock { period: cycles(u64::from(CYCLES_PER_BIT + delays)) })
    }

    /// Length of one SWCLK period.
    #[must_use]
    pub fn period(self) -> Span {
        self.period
    }
}

impl Default for SwjClock {
    fn default() -> SwjClock {
        SwjClock::nominal(DEFAULT_SWJ_CLOCK).unwrap_or(SwjClock { period: cycles(u64::from(CYCLES_PER_BIT)) })
    }
}

/// The `DAP_Delay` command's loop: its turns are counted for whole microseconds, rounded up.
#[must_use]
pub fn delay(microseconds: u16) -> Span {
    let turns_per_microsecond = (CORE_CLOCK / 1_000_000).div_ceil(DELAY_SLOW_CYCLES);
    cycles(u64::from(turns_per_microsecond * DELAY_SLOW_CYCLES)) * u64::from(microseconds)
}

/// The test domain timer (DWT CYCCNT) at `at`.
#[must_use]
pub fn timestamp(at: twinboard_sim::time::Time) -> u32 {
    // The counter is 32 bits wide and wraps.
    (at.0 / 15_625) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real_khz(nominal: u32) -> u64 {
        1_000_000_000 / SwjClock::nominal(nominal).expect("a clock").period().0
    }

    #[test]
    fn a_clock_of_0_hz_does_not_exist() {
        assert_eq!(SwjClock::nominal(0), None);
    }

    #[test]
    fn the_real_clock_never_exceeds_the_nominal_one_and_nears_it_when_slow() {
        for hz in [1_000, 10_000, 100_000, 500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000, 15_999_999] {
            assert!(real_khz(hz) <= u64::from(hz / 1_000).max(1), "{hz} Hz");
        }
        assert_eq!(real_khz(100_000), 98);
    }

    #[test]
    fn beyond_16_mhz_nothing_gets_faster() {
        assert_eq!(SwjClock::nominal(16_000_000), SwjClock::nominal(u32::MAX));
        assert!(real_khz(16_000_000) > real_khz(15_999_999));
    }

    #[test]
    fn a_delay_of_1000_microseconds_takes_a_little_more() {
        assert_eq!(delay(1_000), cycles(66_000));
    }
}
