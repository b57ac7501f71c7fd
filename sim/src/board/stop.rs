//! Where a board stops because of something in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::time::Time;

/// A time at which the board's windows end, and [`crate::machine::Machine::advance`] returns. Clones are the same.
///
/// A chip may ask for one while it runs. It is kept exactly if it is a window or more ahead, and if the chip returns from
/// [`crate::chip::Chip::advance`] right after it has asked.
#[derive(Clone, Debug)]
pub struct Stop(Arc<AtomicU64>);

impl Default for Stop {
    fn default() -> Stop {
        Stop(Arc::new(AtomicU64::new(Time::NEVER.0)))
    }
}

// Hand-overs between a board and its chips' threads order everything else, so the number needs no order of its own.
impl Stop {
    /// Asks for a stop at `at`; the earliest that is asked for counts.
    pub fn at(&self, at: Time) {
        self.0.fetch_min(at.0, Ordering::Relaxed);
    }

    /// When the board stops; [`Time::NEVER`] if nobody asked.
    #[must_use]
    pub fn get(&self) -> Time {
        Time(self.0.load(Ordering::Relaxed))
    }

    /// Nobody asks any more.
    pub fn clear(&self) {
        self.0.store(Time::NEVER.0, Ordering::Relaxed);
    }
}
