//! Frequencies, and clocks that change theirs while time goes on.
//!
//! A core counts cycles; the board counts picoseconds. How long a cycle is may change: a clock generator is told to make
//! another frequency, or a fault makes the clock fast. So the conversion is pinned anew at every change. Between two
//! changes it is exact arithmetic on fractions: nothing drifts, however long a frequency lasts. A change takes effect at
//! a whole picosecond.

use twinboard_sim::time::{Span, Time};

const PS_PER_SECOND: u64 = 1_000_000_000_000;
const MILLION: u64 = 1_000_000;

/// A frequency: `hz / divider` hertz, exactly. Neither is 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    hz: u64,
    divider: u64,
}

impl Rate {
    /// `hz` hertz; 0 is taken as 1.
    #[must_use]
    pub const fn hz(hz: u32) -> Rate {
        Rate { hz: if hz == 0 { 1 } else { hz as u64 }, divider: 1 }
    }

    /// This frequency divided by `by`; 0 is taken as 1.
    #[must_use]
    pub const fn divided(self, by: u32) -> Rate {
        Rate { hz: self.hz, divider: self.divider.saturating_mul(if by == 0 { 1 } else { by as u64 }) }
    }

    /// This frequency times `by`.
    #[must_use]
    pub const fn times(self, by: u32) -> Rate {
        Rate { hz: self.hz.saturating_mul(if by == 0 { 1 } else { by as u64 }), divider: self.divider }
    }

    /// This frequency, faster by so many parts per million; slower if negative. Of -1 000 000 or less, it is as good as
    /// standing still.
    #[must_use]
    pub fn offset(self, ppm: i32) -> Rate {
        let parts = u64::try_from(MILLION as i64 + i64::from(ppm)).unwrap_or(0).max(1);
        let common = gcd(parts, MILLION);
        Rate { hz: self.hz.saturating_mul(parts / common), divider: self.divider.saturating_mul(MILLION / common) }
    }

    /// How long `ticks` of this clock last, rounded up to a whole picosecond.
    #[must_use]
    pub fn span(self, ticks: u64) -> Span {
        let period = u128::from(PS_PER_SECOND) * u128::from(self.divider);
        let ps = u128::from(ticks).saturating_mul(period);
        Span(u64::try_from(ps.div_ceil(u128::from(self.hz))).unwrap_or(u64::MAX))
    }

    /// How many ticks of this clock are complete after `span`.
    #[must_use]
    pub fn ticks(self, span: Span) -> u64 {
        let period = u128::from(PS_PER_SECOND) * u128::from(self.divider);
        u64::try_from(u128::from(span.0) * u128::from(self.hz) / period).unwrap_or(u64::MAX)
    }
}

/// A count of cycles and the picoseconds since power-on.
#[derive(Clone, Copy, Debug)]
pub struct CycleClock {
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

impl CycleClock {
    /// A clock that begins at cycle 0, time 0.
    #[must_use]
    pub fn new(rate: Rate) -> CycleClock {
        let mut clock = CycleClock { rate, cycles: 1, ps: 1, cycle: 0, time: 0 };
        clock.set_period(rate);
        clock
    }

    fn set_period(&mut self, rate: Rate) {
        let divided = gcd(PS_PER_SECOND, rate.hz);
        let (ps, hz) = (PS_PER_SECOND / divided, rate.hz / divided);
        let common = gcd(rate.divider, hz);
        (self.rate, self.cycles, self.ps) = (rate, hz / common, ps.saturating_mul(rate.divider / common));
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
        if self.cycles == 1 {
            return Time(self.time.saturating_add(cycles.saturating_mul(self.ps)));
        }
        let (whole, rest) = (cycles / self.cycles, cycles % self.cycles);
        let part = match rest.checked_mul(self.ps) {
            Some(product) => product / self.cycles,
            // Below `ps`, so it fits again.
            None => (u128::from(rest) * u128::from(self.ps) / u128::from(self.cycles)) as u64,
        };
        Time(self.time.saturating_add(whole.saturating_mul(self.ps)).saturating_add(part))
    }

    /// The first cycle whose [`CycleClock::time`] is `time` or later.
    #[inline]
    #[must_use]
    pub fn cycle_at(&self, time: Time) -> u64 {
        if time == Time::NEVER {
            return u64::MAX;
        }
        let span = time.0.saturating_sub(self.time);
        if self.cycles == 1 {
            return self.cycle.saturating_add(span.div_ceil(self.ps));
        }
        let (whole, rest) = (span / self.ps, span % self.ps);
        let part = match rest.checked_mul(self.cycles) {
            Some(product) => product.div_ceil(self.ps),
            // At most `cycles`, so it fits again.
            None => (u128::from(rest) * u128::from(self.cycles)).div_ceil(u128::from(self.ps)) as u64,
        };
        self.cycle.saturating_add(whole.saturating_mul(self.cycles)).saturating_add(part)
    }

    /// How long `cycles` cycles last at the present frequency, rounded to the nearest picosecond.
    #[must_use]
    pub fn span(&self, cycles: u64) -> Span {
        let product = u128::from(cycles) * u128::from(self.ps) + u128::from(self.cycles / 2);
        Span(u64::try_from(product / u128::from(self.cycles)).unwrap_or(u64::MAX))
    }

    /// How long `span` is in parts of a cycle at the present frequency, of which a cycle has `parts`, to the nearest.
    #[must_use]
    pub fn parts(&self, span: Span, parts: u64) -> u64 {
        let product = u128::from(span.0) * u128::from(self.cycles) * u128::from(parts) + u128::from(self.ps / 2);
        u64::try_from(product / u128::from(self.ps)).unwrap_or(u64::MAX)
    }

    /// How many cycles at the present frequency it takes until `span` is over.
    #[must_use]
    pub fn cycles(&self, span: Span) -> u64 {
        let product = u128::from(span.0) * u128::from(self.cycles);
        u64::try_from(product.div_ceil(u128::from(self.ps))).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_cycles_of_48_mhz_are_62500_ps_however_many_came_before() {
        let clock = CycleClock::new(Rate::hz(96_000_000).divided(2));
        for million in [0u64, 1, 48, 4_000_000] {
            let cycle = 3_000_000 * million;
            assert_eq!(clock.time(cycle), Time(62_500_000_000 * million));
            assert_eq!(clock.time(cycle + 1).0 - clock.time(cycle).0, 20_833);
            assert_eq!(clock.time(cycle + 3).0 - clock.time(cycle).0, 62_500);
        }
    }

    #[test]
    fn time_goes_on_where_the_frequency_changes() {
        let mut clock = CycleClock::new(Rate::hz(32_768).times(640));
        let before = clock.time(1_000_001);
        assert!(clock.change(1_000_001, Rate::hz(8_000_000)));
        assert!(!clock.change(1_000_001, Rate::hz(8_000_000)));
        assert_eq!(clock.time(1_000_001), before);
        assert_eq!(clock.time(1_000_009).0 - before.0, 1_000_000);
        // 1000001 cycles of 20.97152 MHz, rounded down.
        assert_eq!(before.0, 1_000_001 * 1_000_000_000_000u64 / 20_971_520);
    }

    #[test]
    fn two_percent_fast_is_fifty_one_cycles_in_the_time_of_fifty() {
        let mut clock = CycleClock::new(Rate::hz(64_000_000));
        clock.change(640, Rate::hz(64_000_000).offset(20_000));
        assert_eq!(clock.time(640), Time(10_000_000));
        assert_eq!(clock.time(640 + 51), Time(10_000_000 + 50 * 15_625));
        assert_eq!((clock.span(51 * 64), clock.cycles(Span::us(50))), (Span::us(50), 51 * 64));
        // 95 MHz / 640 and a little less than 100 % of it: nothing overflows.
        let odd = Rate::hz(95_999_999).divided(640).offset(-99_999);
        assert_eq!(odd.ticks(odd.span(1_000_000_007)), 1_000_000_007);
        clock.change(10_000, odd);
        assert_eq!(clock.cycle_at(clock.time(20_001)), 20_001);
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
            rates in prop::collection::vec((30_000u32..100_000_000, 1u32..17, -100_000i32..100_000), 1..5), steps in prop::collection::vec(1u64..1 << 30, 5),
        ) {
            let mut clock = CycleClock::new(Rate::hz(20_971_520));
            let mut cycle = 0;
            for ((hz, divider, ppm), step) in rates.into_iter().zip(steps) {
                clock.change(cycle, Rate::hz(hz).divided(divider).offset(ppm));
                cycle += step;
                let time = clock.time(cycle);
                prop_assert_eq!(clock.cycle_at(time), cycle);
                prop_assert_eq!(clock.cycle_at(Time(time.0 + 1)), cycle + 1);
            }
        }
    }
}
