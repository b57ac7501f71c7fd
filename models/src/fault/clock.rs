//! `clock.*`: a crystal that does not start.

use twinboard_sim::fault::{Param, PointSpec, SharedFault};
use twinboard_sim::time::Time;

/// The family's points.
pub static POINTS: &[PointSpec] = &[PointSpec {
    name: "clock.no-start",
    what: "the high-frequency crystal oscillator of `chip` (default: the target) does not start",
    opportunity: "a start of the oscillator",
    params: &[Param::Chip.optional()],
}];

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
