//! Clocks that change their frequency while time goes on.
//!
//! The core counts cycles; everything else in the family counts picoseconds. How long a cycle is depends on what the
//! clock generator makes at the moment, so the conversion is pinned anew at every change. Between two changes it is
//! exact arithmetic on fractions: nothing drifts, however long a frequency lasts. A change takes effect at a whole
//! picosecond.

use twinboard_sim::time::{Span, Time};

const PS_PER_SECOND: u64 = 1_000_000_000_000;

/// A frequency: `hz / divider` hertz, exactly. Neither is 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    hz: u32,
    divider: u32,
}

impl Rate {
    /// The low-power oscillator, which always runs: 1 kHz (nominal).
    pub const LPO: Rate = Rate { hz: 1_000, divider: 1 };

    /// `hz` hertz; 0 is taken as 1.
    #[must_use]
    pub const fn hz(hz: u32) -> Rate {
        Rate { hz: if hz == 0 { 1 } else { hz }, divider: 1 }
    }

    /// This frequency divided by `by`; 0 is taken as 1.
    #[must_use]
    pub const fn divided(self, by: u32) -> Rate {
        Rate { hz: self.hz, divider: self.divider.saturating_mul(if by == 0 { 1 } else { by }) }
    }

    /// This frequency times `by`.
    #[must_use]
    pub const fn times(self, by: u32) -> Rate {
        Rate { hz: self.hz.saturating_mul(if by == 0 { 1 } else { by }), divider: self.divider }
    }

    /// How long `ticks` of this clock last, rounded up to a whole picosecond.
    #[must_use]
    pub fn span(self, ticks: u64) -> Span {
        let ps = u128::from(ticks) * u128::from(PS_PER_SECOND) * u128::from(self.divider);
        Span(u64::try_from(ps.div_ceil(u128::from(self.hz))).unwrap_or(u64::MAX))
    }

    /// How many ticks of this clock are complete after `span`.
    #[must_use]
    pub fn ticks(self, span: Span) -> u64 {
        let period = u128::from(PS_PER_SECOND) * u128::from(self.divider);
        u64::try_from(u128::from(span.0) * u128::from(self.hz) / period).unwrap_or(u64::MAX)
    }
}

/// What the clock generator gives the chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sources {
    /// MCGOUTCLK, from which the core's and the bus's clocks are divided.
    pub out: Rate,
    /// What peripherals may choose as their fast clock: MCGFLLCLK or MCGPLLCLK (KL26Z, by SOPT2\[PLLFLLSEL\]), MCGPCLK
    /// (KL27Z).
    pub fast: [Option<Rate>; 2],
    /// MCGIRCLK, the internal reference.
    pub internal: Option<Rate>,
    /// OSCERCLK, the external reference.
    pub external: Option<Rate>,
}

/// All clocks of the chip at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clocks {
    /// The generator's outputs.
    pub sources: Sources,
    /// The core's and the crossbar's.
    pub core: Rate,
    /// The bus clock, which is the flash's too.
    pub bus: Rate,
    /// ERCLK32K, by SIM_SOPT1\[OSC32KSEL\].
    pub erclk32k: Option<Rate>,
}

/// Core cycles and picoseconds since power-on.
#[derive(Clone, Copy, Debug)]
pub struct CoreClock {
    rate: Rate,
    /// `cycles` cycles take `ps` picoseconds, in lowest terms.
    cycles: u64,
    ps: u64,
    /// Where the present frequency began.
    cycle: u64,
    time: u64,
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl CoreClock {
    /// A clock that begins at cycle 0, time 0.
    #[must_use]
    pub fn new(rate: Rate) -> CoreClock {
        let mut clock = CoreClock { rate, cycles: 1, ps: 1, cycle: 0, time: 0 };
        clock.set_period(rate);
        clock
    }

    fn set_period(&mut self, rate: Rate) {
        let ps = PS_PER_SECOND.saturating_mul(rate.divider.into());
        let common = gcd(ps, rate.hz.into());
        (self.rate, self.cycles, self.ps) = (rate, u64::from(rate.hz) / common, ps / common);
    }

    /// From `cycle` on, which is not before the last change, the frequency is `rate`. Whether it was another before.
    pub fn change(&mut self, cycle: u64, rate: Rate) -> bool {
        if rate == self.rate {
            return false;
        }
        (self.time, self.cycle) = (self.time(cycle).0, cycle.max(self.cycle));
        self.set_period(rate);
        true
    }

    /// The frequency.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// The time at which cycle `cycle` begins, rounded down. Not for cycles before the last change.
    #[inline]
    #[must_use]
    pub fn time(&self, cycle: u64) -> Time {
        let cycles = cycle.saturating_sub(self.cycle);
        let (whole, rest) = (cycles / self.cycles, cycles % self.cycles);
        let part = match rest.checked_mul(self.ps) {
            Some(product) => product / self.cycles,
            // Below `ps`, so it fits again.
            None => (u128::from(rest) * u128::from(self.ps) / u128::from(self.cycles)) as u64,
        };
        Time(self.time.saturating_add(whole.saturating_mul(self.ps)).saturating_add(part))
    }

    /// The first cycle whose [`CoreClock::time`] is `time` or later.
    #[inline]
    #[must_use]
    pub fn cycle_at(&self, time: Time) -> u64 {
        if time == Time::NEVER {
            return u64::MAX;
        }
        let span = time.0.saturating_sub(self.time);
        let (whole, rest) = (span / self.ps, span % self.ps);
        let part = match rest.checked_mul(self.cycles) {
            Some(product) => product.div_ceil(self.ps),
            // At most `cycles`, so it fits again.
            None => (u128::from(rest) * u128::from(self.cycles)).div_ceil(u128::from(self.ps)) as u64,
        };
        self.cycle.saturating_add(whole.saturating_mul(self.cycles)).saturating_add(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_cycles_of_48_mhz_are_62500_ps_however_many_came_before() {
        let clock = CoreClock::new(Rate::hz(96_000_000).divided(2));
        for million in [0u64, 1, 48, 4_000_000] {
            let cycle = 3_000_000 * million;
            assert_eq!(clock.time(cycle), Time(62_500_000_000 * million));
            assert_eq!(clock.time(cycle + 1).0 - clock.time(cycle).0, 20_833);
            assert_eq!(clock.time(cycle + 3).0 - clock.time(cycle).0, 62_500);
        }
    }

    #[test]
    fn time_goes_on_where_the_frequency_changes() {
        let mut clock = CoreClock::new(Rate::hz(32_768).times(640));
        let before = clock.time(1_000_001);
        assert!(clock.change(1_000_001, Rate::hz(8_000_000)));
        assert!(!clock.change(1_000_001, Rate::hz(8_000_000)));
        assert_eq!(clock.time(1_000_001), before);
        assert_eq!(clock.time(1_000_009).0 - before.0, 1_000_000);
        // 1000001 cycles of 20.97152 MHz, rounded down.
        assert_eq!(before.0, 1_000_001 * 1_000_000_000_000u64 / 20_971_520);
    }

    #[test]
    fn a_span_lasts_its_ticks_and_not_one_less() {
        let rate = Rate::hz(24_000_000);
        assert_eq!(rate.span(24), Span::us(1));
        assert_eq!((rate.ticks(Span::us(1)), rate.ticks(Span(999_999))), (24, 23));
    }

    proptest! {
        #[test]
        fn a_cycle_is_found_again_by_its_time(
            rates in prop::collection::vec((30_000u32..100_000_000, 1u32..17), 1..5), steps in prop::collection::vec(1u64..1 << 30, 5),
        ) {
            let mut clock = CoreClock::new(Rate::hz(20_971_520));
            let mut cycle = 0;
            for ((hz, divider), step) in rates.into_iter().zip(steps) {
                clock.change(cycle, Rate::hz(hz).divided(divider));
                cycle += step;
                let time = clock.time(cycle);
                prop_assert_eq!(clock.cycle_at(time), cycle);
                prop_assert_eq!(clock.cycle_at(Time(time.0 + 1)), cycle + 1);
            }
        }
    }
}
