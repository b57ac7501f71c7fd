//! How fast the firmware's pins really move.
//!
//! SWCLK is not made by a peripheral: the firmware sets and clears pins in a loop, on a micro:bit V2 at 64 MHz. `DAP_SWJ_Clock` does not
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

use twinboard_sim::time::{Span, Time};

/// The pin loop of an interface chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PinTiming {
    /// Core clock, in MHz.
    pub core_mhz: u32,
    /// CMSIS-DAP `IO_PORT_WRITE_CYCLES`.
    pub port_write_cycles: u32,
    /// `DAP_DEFAULT_SWJ_CLOCK`, in hertz.
    pub default_clock: u32,
}

impl PinTiming {
    /// The nRF52820 of a micro:bit V2.2.
    pub const NRF52820: PinTiming = PinTiming { core_mhz: 64, port_write_cycles: 2, default_clock: 8_000_000 };

    /// The KL26Z of a micro:bit V1, whose ports take a write in one cycle.
    pub const KL26: PinTiming = PinTiming { core_mhz: 48, port_write_cycles: 1, default_clock: 5_000_000 };
}

/// CMSIS-DAP `DELAY_SLOW_CYCLES`: one turn of the delay loop.
const DELAY_SLOW_CYCLES: u32 = 3;

/// Cycles of one bit without any delay: choosing and writing the data pin, two clock writes, parity, loop.
const CYCLES_PER_BIT: u32 = 14;

/// Cycles of one call of the delay loop beside its turns.
const DELAY_CALL_CYCLES: u32 = 1;

/// The core is in one SWD transfer's code beside its bits for this many cycles: the call, the retry loop, storing the
/// data.
const TRANSFER_CYCLES: u64 = 64;

/// The speed of SWCLK as `DAP_SWJ_Clock` set it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SwjClock {
    period: Span,
}

impl SwjClock {
    /// Length of one SWCLK period.
    #[must_use]
    pub fn period(self) -> Span {
        self.period
    }
}

impl PinTiming {
    const fn core_clock(&self) -> u32 {
        self.core_mhz * 1_000_000
    }

    /// The time that `count` cycles of the interface chip's core take.
    #[must_use]
    pub const fn cycles(&self, count: u64) -> Span {
        Span::ps(count * 1_000_000 / self.core_mhz as u64)
    }

    /// What a transfer takes beside its bits.
    #[must_use]
    pub const fn transfer_overhead(&self) -> Span {
        self.cycles(TRANSFER_CYCLES)
    }

    /// The clock for a nominal frequency of `hz`; there is none for 0 Hz.
    #[must_use]
    pub fn swj_clock(&self, hz: u32) -> Option<SwjClock> {
        let half_clock = self.core_clock() / 2;
        let delays = match hz {
            0 => return None,
            hz if hz >= half_clock / self.port_write_cycles => 0,
            hz => {
                let half_period = half_clock.div_ceil(hz);
                let turns = half_period.saturating_sub(self.port_write_cycles).div_ceil(DELAY_SLOW_CYCLES).max(1);
                2 * (DELAY_SLOW_CYCLES * turns + DELAY_CALL_CYCLES)
            }
        };
        Some(SwjClock { period: self.cycles(u64::from(CYCLES_PER_BIT + delays)) })
    }

    /// The clock after `DAP_Setup`.
    #[must_use]
    pub fn default_swj_clock(&self) -> SwjClock {
        let fastest = SwjClock { period: self.cycles(u64::from(CYCLES_PER_BIT)) };
        self.swj_clock(self.default_clock).unwrap_or(fastest)
    }

    /// The `DAP_Delay` command's loop: its turns are counted for whole microseconds, rounded up.
    #[must_use]
    pub fn delay(&self, microseconds: u16) -> Span {
        let turns_per_microsecond = self.core_mhz.div_ceil(DELAY_SLOW_CYCLES);
        self.cycles(u64::from(turns_per_microsecond * DELAY_SLOW_CYCLES)) * u64::from(microseconds)
    }

    /// The test domain timer (DWT CYCCNT) at `at`.
    #[must_use]
    pub fn timestamp(&self, at: Time) -> u32 {
        // The counter is 32 bits wide and wraps.
        (at.0 / self.cycles(1).0) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PINS: PinTiming = PinTiming::NRF52820;

    fn real_khz(nominal: u32) -> u64 {
        1_000_000_000 / PINS.swj_clock(nominal).expect("a clock").period().0
    }

    #[test]
    fn a_clock_of_0_hz_does_not_exist() {
        assert_eq!(PINS.swj_clock(0), None);
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
        assert_eq!(PINS.swj_clock(16_000_000), PINS.swj_clock(u32::MAX));
        assert!(real_khz(16_000_000) > real_khz(15_999_999));
    }

    #[test]
    fn a_delay_of_1000_microseconds_takes_a_little_more() {
        assert_eq!(PINS.delay(1_000), PINS.cycles(66_000));
    }
}
