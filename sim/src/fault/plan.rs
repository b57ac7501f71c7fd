//! When a fault strikes.

use std::ops::Range;

use rand_core::Rng;
use rand_pcg::Pcg32;

use crate::time::{Span, Time};

/// For how long a fault goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lasting {
    /// So many strikes.
    Times(u64),
    /// From its first strike on for so long.
    For(Span),
    /// To the end.
    Always,
}

/// When a fault strikes. All that is said must hold.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// Not before this time.
    pub start: Time,
    /// So many opportunities go by first.
    pub skip: u64,
    /// Only opportunities that concern an address in this range.
    pub address: Option<Range<u32>>,
    /// Each opportunity with this probability, 0 to 1.
    pub probability: f64,
    /// For how long it goes on.
    pub lasting: Lasting,
}

impl Default for Plan {
    /// At the first opportunity, once.
    fn default() -> Plan {
        Plan { start: Time::ZERO, skip: 0, address: None, probability: 1.0, lasting: Lasting::Times(1) }
    }
}

/// Seeded chance.
#[derive(Clone, Debug)]
pub struct Dice(pub(super) Pcg32);

impl Dice {
    /// True with probability `probability` (0 to 1). What is certain or impossible takes no number from the sequence.
    pub fn chance(&mut self, probability: f64) -> bool {
        if probability >= 1.0 {
            return true;
        }
        probability > 0.0 && f64::from(self.0.next_u32()) < probability * 4_294_967_296.0
    }

    /// A number from 0 to `below` - 1; 0 if `below` is 0.
    pub fn below(&mut self, below: u32) -> u32 {
        // The bias is below 2^-32 per value, which no fault can show.
        ((u64::from(self.0.next_u32()) * u64::from(below)) >> 32) as u32
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }
}
