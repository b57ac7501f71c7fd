//! Virtual time: an unsigned 64-bit count of picoseconds since power-on (213 days until it would wrap).

use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Sub};

/// An instant, in picoseconds since power-on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub u64);

/// A length of time, in picoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub u64);

impl Time {
    /// Power-on.
    pub const ZERO: Time = Time(0);
    /// Later than every event: "nothing is scheduled".
    pub const NEVER: Time = Time(u64::MAX);

    /// The span from `earlier` to `self`, zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// Microseconds since power-on, rounded down.
    #[must_use]
    pub fn as_micros(self) -> u64 {
        self.0 / 1_000_000
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// `ps` picoseconds.
    #[must_use]
    pub const fn ps(ps: u64) -> Span {
        Span(ps)
    }

    /// `ns` nanoseconds.
    #[must_use]
    pub const fn ns(ns: u64) -> Span {
        Span(ns * 1_000)
    }

    /// `us` microseconds.
    #[must_use]
    pub const fn us(us: u64) -> Span {
        Span(us * 1_000_000)
    }

    /// `ms` milliseconds.
    #[must_use]
    pub const fn ms(ms: u64) -> Span {
        Span(ms * 1_000_000_000)
    }

    /// `s` seconds.
    #[must_use]
    pub const fn secs(s: u64) -> Span {
        Span(s * 1_000_000_000_000)
    }

    /// The period of a clock of `hz` hertz, rounded to the nearest picosecond. `hz` must not be 0.
    #[must_use]
    pub const fn period(hz: u64) -> Span {
        Span((1_000_000_000_000 + hz / 2) / hz)
    }

    /// As seconds, for people.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e12
    }
}

impl From<Span> for std::time::Duration {
    fn from(span: Span) -> Self {
        std::time::Duration::from_nanos(span.0 / 1_000)
    }
}

impl From<std::time::Duration> for Span {
    fn from(duration: std::time::Duration) -> Self {
        Span(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 1_000).saturating_mul(1_000))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    /// Saturates: [`Time::NEVER`] plus anything is still never.
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Span) {
        *self = *self + other;
    }
}

impl Sub for Span {
    type Output = Span;
    fn sub(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl Mul<u64> for Span {
    type Output = Span;
    fn mul(self, factor: u64) -> Span {
        Span(self.0.saturating_mul(factor))
    }
}

impl Div<u64> for Span {
    type Output = Span;
    fn div(self, divisor: u64) -> Span {
        Span(self.0 / divisor)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Time::NEVER { f.write_str("never") } else { write!(f, "{:.6} s", self.0 as f64 / 1e12) }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6} s", self.as_secs_f64())
    }
}
