//! What was begun and goes on by itself, in the board's time.

use std::collections::BTreeMap;

use twinboard_sim::time::Time;

/// One planned step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::board) enum Step {
    /// The finger leaves this button, if it is still the press of this number.
    Release { button: usize, press: u64 },
}

/// At most so many steps may be planned; a person has two hands.
const MOST: usize = 10_000;

/// The steps that are still to be done, in the order of their times and of their planning.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    steps: BTreeMap<(Time, u64), Step>,
    sequence: u64,
}

impl Plan {
    /// A new number for a press.
    pub(in crate::board) fn number(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Plans a step; false if there are too many.
    pub(in crate::board) fn add(&mut self, at: Time, step: Step) -> bool {
        if self.steps.len() >= MOST {
            return false;
        }
        let number = self.number();
        self.steps.insert((at, number), step);
        true
    }

    /// When the next step is due.
    #[must_use]
    pub fn next(&self) -> Time {
        self.steps.first_key_value().map_or(Time::NEVER, |((at, _), _)| *at)
    }

    /// Takes the next step that is due at `now`.
    pub(in crate::board) fn due(&mut self, now: Time) -> Option<Step> {
        let entry = self.steps.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}
