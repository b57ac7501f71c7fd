//! What a fault did.

use crate::time::Time;

/// How many strikes are described; of the others only the number is kept.
const MOST: usize = 32;

/// One strike of a fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// When, in the board's time.
    pub at: Time,
    /// Where: an endpoint, a wire, an address.
    pub place: String,
    /// What it changed.
    pub effect: String,
}

/// What a fault has done so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    strikes: u64,
    last: Option<Time>,
    evidence: Vec<Evidence>,
}

impl Record {
    /// How often it struck.
    #[must_use]
    pub fn strikes(&self) -> u64 {
        self.strikes
    }

    /// When it struck last.
    #[must_use]
    pub fn last(&self) -> Option<Time> {
        self.last
    }

    /// The first strikes, at most 32.
    #[must_use]
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    pub(super) fn add(&mut self, at: Time, tell: impl FnOnce() -> (String, String)) {
        self.strikes += 1;
        self.last = Some(at);
        if self.evidence.len() < MOST {
            let (place, effect) = tell();
            self.evidence.push(Evidence { at, place, effect });
        }
    }
}
