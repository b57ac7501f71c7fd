//! A sensor's sampling clock: a new sample of all axes in each period, and which of them have been read.
//!
//! Nothing happens when a sample is taken: the samples are numbered, and what a sample is follows from its time when
//! somebody asks.

use twinboard_sim::time::{Span, Time};

/// See the module's documentation. Times are virtual; there are three axes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sampler {
    running: Option<Running>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Running {
    since: Time,
    period: Span,
    /// Samples to take before it stops.
    limit: u64,
    /// The number of the last sample that was read, by axis.
    read: [u64; 3],
}

impl Running {
    fn count(&self, now: Time) -> u64 {
        if now < self.since { 0 } else { (now.since(self.since).0 / self.period.0).min(self.limit) }
    }

    fn time_of(&self, number: u64) -> Time {
        self.since + Span(self.period.0.saturating_mul(number))
    }
}

impl Sampler {
    /// Runs with this period from `now` on, with the first sample after one period; or stops.
    pub fn run(&mut self, now: Time, period: Option<Span>) {
        self.start(now, period, u64::MAX);
    }

    /// Takes a single sample, after `period`.
    pub fn once(&mut self, now: Time, period: Span) {
        self.start(now, Some(period), 1);
    }

    fn start(&mut self, now: Time, period: Option<Span>, limit: u64) {
        let running = |period: Span| Running { since: now, period: Span(period.0.max(1)), limit, read: [0; 3] };
        self.running = period.map(running);
    }

    /// Time between samples, while it runs.
    #[must_use]
    pub fn period(&self) -> Option<Span> {
        self.running.map(|running| running.period)
    }

    /// When the newest sample was taken.
    #[must_use]
    pub fn newest(&self, now: Time) -> Option<Time> {
        let running = self.running.as_ref()?;
        let count = running.count(now);
        (count > 0).then(|| running.time_of(count))
    }

    /// Whether `axis` has a sample that has not been read.
    #[must_use]
    pub fn ready(&self, now: Time, axis: usize) -> bool {
        self.running.is_some_and(|running| running.count(now) > running.read[axis])
    }

    /// Whether all axes have one.
    #[must_use]
    pub fn all_ready(&self, now: Time) -> bool {
        (0..3).all(|axis| self.ready(now, axis))
    }

    /// Whether any has.
    #[must_use]
    pub fn any_ready(&self, now: Time) -> bool {
        (0..3).any(|axis| self.ready(now, axis))
    }

    /// Whether a sample of `axis` was lost because nobody read it in time.
    #[must_use]
    pub fn overrun(&self, now: Time, axis: usize) -> bool {
        self.running.is_some_and(|running| running.count(now) > running.read[axis] + 1)
    }

    /// The newest sample of `axis` is read.
    pub fn take(&mut self, now: Time, axis: usize) {
        if let Some(running) = &mut self.running {
            running.read[axis] = running.count(now);
        }
    }

    /// When an axis next has a sample that it does not have now: never while all have one.
    #[must_use]
    pub fn next_event(&self, now: Time) -> Time {
        match &self.running {
            Some(running) if !self.all_ready(now) && running.count(now) < running.limit => {
                running.time_of(running.count(now) + 1)
            }
            _ => Time::NEVER,
        }
    }

    /// A status register as NXP's sensors have it: bits 0–2 data ready by axis, 3 on any, 4–6 overrun by axis, 7 on any.
    #[must_use]
    pub fn nxp_status(&self, now: Time) -> u8 {
        let axes = |f: &dyn Fn(usize) -> bool| (0..3).fold(0, |bits, axis| bits | u8::from(f(axis)) << axis);
        let any = |bits: u8| bits | u8::from(bits != 0) << 3;
        any(axes(&|axis| self.ready(now, axis))) | any(axes(&|axis| self.overrun(now, axis))) << 4
    }

    /// A status register as ST's sensors have it: bits 0–2 data ready by axis, 3 on all, 4–6 overrun by axis, 7 on any.
    #[must_use]
    pub fn st_status(&self, now: Time) -> u8 {
        let any = 1 << 3;
        self.nxp_status(now) & !any | if self.all_ready(now) { any } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::i2c::testing::ms;
    use super::*;

    #[test]
    fn samples_come_on_a_grid_however_late_they_are_read() {
        let mut sampler = Sampler::default();
        sampler.run(ms(3), Some(Span::ms(20)));
        assert_eq!((sampler.newest(ms(22)), sampler.next_event(ms(22))), (None, ms(23)));
        assert_eq!((sampler.newest(ms(24)), sampler.next_event(ms(24))), (Some(ms(23)), Time::NEVER));
        (0..3).for_each(|axis| sampler.take(ms(30), axis));
        assert_eq!((sampler.any_ready(ms(42)), sampler.next_event(ms(42))), (false, ms(43)));
    }

    #[test]
    fn a_sample_that_nobody_read_is_overrun_by_the_next() {
        let mut sampler = Sampler::default();
        sampler.run(ms(0), Some(Span::ms(10)));
        assert_eq!(sampler.st_status(ms(10)), 0x0F);
        sampler.take(ms(10), 0);
        assert_eq!(sampler.st_status(ms(10)), 0x06, "not all axes are new");
        assert_eq!(sampler.nxp_status(ms(10)), 0x0E, "some are");
        assert_eq!(sampler.nxp_status(ms(20)), 0xEF);
    }

    #[test]
    fn a_single_measurement_has_no_successor() {
        let mut sampler = Sampler::default();
        sampler.once(ms(0), Span::ms(10));
        (0..3).for_each(|axis| sampler.take(ms(15), axis));
        assert_eq!((sampler.newest(ms(99)), sampler.next_event(ms(99))), (Some(ms(10)), Time::NEVER));
    }
}
