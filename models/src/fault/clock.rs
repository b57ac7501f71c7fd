//! `clock.*`: a crystal that does not start, and a clock that is fast or slow.
//!
//! A chip whose clock is off does everything in its own time, and whoever is on the other end of its wires in theirs: what
//! becomes of a character between them is arithmetic. The families convert in `parts::cycles`.

use twinboard_sim::fault::{Param, PointSpec, SharedFault};
use twinboard_sim::time::{Span, Time};

/// The family's points.
pub static POINTS: &[PointSpec] = &[
    PointSpec {
        name: "clock.no-start",
        what: "the high-frequency crystal oscillator of `chip` (default: the target) does not start",
        opportunity: "a start of the oscillator",
        params: &[Param::Chip.optional()],
    },
    PointSpec {
        name: "clock.offset",
        what: "the clock of `chip` (default: the target) is fast by `ppm`, -100000 to 100000, or slow if that is negative",
        opportunity: "the planned time, then every millisecond in which the board has power and this fault is not there; \
                      it stays unless `for` or `disarm` ends it",
        params: &[Param::Ppm.needed(), Param::Chip.optional()],
    },
];

/// The most by which a clock can be off, in ppm. The chips' worst oscillators are the RC ones, and these are right to 8 %
/// (nRF52833 PS, "HFINT"); serial characters have become illegible long before.
pub const MOST_OFF: i32 = 100_000;

/// From one opportunity of a clock to be off to the next.
const EVERY: Span = Span::ms(1);

/// What is armed on a chip's oscillator.
#[derive(Debug, Default)]
pub struct ClockFaults(Vec<SharedFault>);

impl ClockFaults {
    /// Arms a fault of this family.
    pub fn add(&mut self, fault: SharedFault) {
        self.0.push(fault);
    }

    /// The oscillator is switched on at `at`: whether it stays dead, until it is switched off and on again.
    #[must_use]
    pub fn stays_dead(&self, at: Time) -> bool {
        let tell = |(): &()| ("crystal oscillator".into(), "did not start".into());
        self.0.iter().any(|fault| fault.lock().strike(at, |_, _| Some(()), tell).is_some())
    }
}

/// A clock that is off, or will be.
#[derive(Debug)]
struct Offset {
    fault: SharedFault,
    /// The chip, by index and by name.
    chip: usize,
    name: String,
    /// The opportunity that comes next.
    due: Time,
    /// It is off now.
    holds: bool,
}

impl Offset {
    fn next(&self, now: Time) -> Time {
        let fault = self.fault.lock();
        if self.holds {
            return if fault.holds(now) { fault.next(now) } else { now };
        }
        let due = self.due.max(fault.start()).max(now);
        if due != Time::NEVER && fault.is_live(due) { due } else { Time::NEVER }
    }

    fn pass(&mut self, now: Time, powered: bool) {
        if self.next(now) > now {
            return;
        }
        let mut fault = self.fault.lock();
        self.holds &= fault.holds(now);
        if self.holds || !fault.is_live(now) {
            return;
        }
        self.due = now + EVERY;
        let name = &self.name;
        let tell = |ppm: &i32| (format!("clock of {name}"), told(*ppm));
        self.holds = powered && fault.strike(now, |params, _| params.ppm.filter(|ppm| *ppm != 0), tell).is_some();
    }

    fn ppm(&self) -> i32 {
        if self.holds { self.fault.lock().params().ppm.unwrap_or(0) } else { 0 }
    }
}

/// What it means that a clock is off by `ppm`, for people.
fn told(ppm: i32) -> String {
    let second = 1_000_000_000_000 / (1_000_000 + i64::from(ppm)).max(1);
    let how = if ppm < 0 { "slow" } else { "fast" };
    format!("{} ppm {how}: what it takes for a second lasts {second} µs", ppm.unsigned_abs())
}

/// The clocks of a board that are off, or will be.
#[derive(Debug, Default)]
pub struct Offsets {
    armed: Vec<Offset>,
    /// By how much the chips' clocks are off: indices and ppm.
    now: Vec<(usize, i32)>,
}

impl Offsets {
    /// Arms a fault, at `now`, on the chip number `chip`, which is called `name`.
    pub fn add(&mut self, fault: SharedFault, chip: usize, name: &str, now: Time) {
        self.armed.push(Offset { fault, chip, name: name.into(), due: now, holds: false });
        if self.now.iter().all(|(index, _)| *index != chip) {
            self.now.push((chip, 0));
        }
    }

    /// When time alone changes something; `now`, if it has already.
    #[must_use]
    pub fn next(&self, now: Time) -> Time {
        self.armed.iter().map(|offset| offset.next(now)).min().unwrap_or(Time::NEVER)
    }

    /// It is `now`, and the board has power if `powered`. `change` is told of every chip whose clock changes, and by how
    /// many ppm it is fast from now on: several faults add up, to no more than one of them may.
    pub fn pass(&mut self, now: Time, powered: bool, mut change: impl FnMut(usize, i32)) {
        self.armed.iter_mut().for_each(|offset| offset.pass(now, powered));
        for (chip, ppm) in &mut self.now {
            let sum: i32 = self.armed.iter().filter(|offset| offset.chip == *chip).map(Offset::ppm).sum();
            let sum = sum.clamp(-MOST_OFF, MOST_OFF);
            if std::mem::replace(ppm, sum) != sum {
                change(*chip, sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use twinboard_sim::fault::{Fault, Lasting, Params, Plan};

    use super::*;

    fn at(us: u64) -> Time {
        Time::ZERO + Span::us(us)
    }

    fn armed(offsets: &mut Offsets, chip: usize, ppm: i32, plan: Plan) -> SharedFault {
        let point = crate::fault::point("clock.offset").expect("a point");
        let params = Params { ppm: Some(ppm), ..Params::default() };
        let fault = SharedFault::new(Fault::new("f", point, params, plan, 1));
        offsets.add(fault.clone(), chip, "target", Time::ZERO);
        fault
    }

    fn pass(offsets: &mut Offsets, now: Time, powered: bool) -> Vec<(usize, i32)> {
        let mut changes = Vec::new();
        offsets.pass(now, powered, |chip, ppm| changes.push((chip, ppm)));
        changes
    }

    #[test]
    fn a_clock_is_off_from_the_planned_time_on_for_as_long_as_the_plan_says() {
        let mut offsets = Offsets::default();
        let plan = Plan { start: at(10), lasting: Lasting::For(Span::us(5)), ..Plan::default() };
        let fault = armed(&mut offsets, 1, 20_000, plan);
        assert_eq!((offsets.next(at(0)), pass(&mut offsets, at(9), true)), (at(10), vec![]));
        assert_eq!(pass(&mut offsets, at(10), true), [(1, 20_000)]);
        assert_eq!((offsets.next(at(11)), pass(&mut offsets, at(14), true)), (at(15), vec![]));
        assert_eq!(pass(&mut offsets, at(15), true), [(1, 0)]);
        assert_eq!(offsets.next(at(15)), Time::NEVER);
        let fault = fault.lock();
        assert_eq!(fault.record().evidence()[0].effect, "20000 ppm fast: what it takes for a second lasts 980392 µs");
    }

    #[test]
    fn without_power_no_clock_goes_wrong_and_one_that_is_disarmed_is_right_again() {
        let mut offsets = Offsets::default();
        let fault = armed(&mut offsets, 0, -5, Plan { lasting: Lasting::Always, ..Plan::default() });
        assert_eq!(pass(&mut offsets, at(0), false), []);
        assert_eq!(offsets.next(at(0)), at(1_000), "the next opportunity");
        assert_eq!(pass(&mut offsets, at(1_000), true), [(0, -5)]);
        fault.lock().arm(at(2_000), false);
        assert_eq!((offsets.next(at(2_000)), pass(&mut offsets, at(2_000), true)), (at(2_000), vec![(0, 0)]));
        fault.lock().arm(at(9_000), true);
        assert_eq!((offsets.next(at(3_000)), pass(&mut offsets, at(9_000), true)), (at(9_000), vec![(0, -5)]));
        assert_eq!(fault.lock().record().strikes(), 2);
    }

    #[test]
    fn several_faults_of_one_chip_add_up_to_no_more_than_one_may_be() {
        let mut offsets = Offsets::default();
        armed(&mut offsets, 0, 60_000, Plan::default());
        armed(&mut offsets, 2, -1, Plan::default());
        armed(&mut offsets, 0, 50_000, Plan { start: at(1), ..Plan::default() });
        assert_eq!(pass(&mut offsets, at(0), true), [(0, 60_000), (2, -1)]);
        assert_eq!(pass(&mut offsets, at(1), true), [(0, MOST_OFF)]);
    }
}
