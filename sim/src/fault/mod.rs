//! Faults: what can be made to go wrong, when it does, and the proof that it did.
//!
//! A model offers *points*: places where something can go wrong, each with a name, described by a [`PointSpec`]. A
//! [`Fault`] is armed on a point with [`Params`] (how it goes wrong) and a [`Plan`] (when). Whenever the model comes to
//! the place, that is an *opportunity*: it asks the fault, which strikes or does not, and writes down an [`Evidence`] of
//! each strike. What changes nothing is no strike: a wire that is shorted to ground while it is low anyway has not been
//! hit.
//!
//! Everything is decided by the order of opportunities, the board's time and the fault's seed, so a run with faults is as
//! deterministic as one without. A board without faults pays a look at an empty list.

mod evidence;
mod plan;
mod point;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use rand_pcg::Pcg32;

pub use evidence::{Evidence, Record};
pub use plan::{Lasting, Plan};
pub use point::{Param, ParamUse, Params, PointSpec, WrongParam};

use crate::time::Time;

/// Random numbers of one fault: the same seed gives the same faults on every machine.
pub use plan::Dice;

/// A fault that is armed on a point.
#[derive(Debug)]
pub struct Fault {
    name: String,
    point: &'static PointSpec,
    params: Params,
    plan: Plan,
    dice: Dice,
    armed: bool,
    /// Opportunities so far that the plan's time and address let through.
    seen: u64,
    /// When it struck first.
    first: Option<Time>,
    record: Record,
}

impl Fault {
    /// A fault called `name` on `point`; `seed` decides what chance decides.
    #[must_use]
    pub fn new(name: &str, point: &'static PointSpec, params: Params, plan: Plan, seed: u64) -> Fault {
        // The stream makes faults with the same seed differ.
        let stream = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let dice = Dice(Pcg32::new(seed, stream));
        Fault {
            name: name.into(),
            point,
            params,
            plan,
            dice,
            armed: true,
            seen: 0,
            first: None,
            record: Record::default(),
        }
    }

    /// Its name in the scenario.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is armed on.
    #[must_use]
    pub fn point(&self) -> &'static PointSpec {
        self.point
    }

    /// How it goes wrong.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Before this time it does nothing.
    #[must_use]
    pub fn start(&self) -> Time {
        self.plan.start
    }

    /// What it has done so far.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Arms it from `at` on, or disarms it. An armed fault's plan counts from the moment it is armed.
    pub fn arm(&mut self, at: Time, armed: bool) {
        if armed && !self.armed {
            self.plan.start = self.plan.start.max(at);
        }
        self.armed = armed;
    }

    /// Whether it is armed and may still strike at `now` or later.
    #[must_use]
    pub fn is_live(&self, now: Time) -> bool {
        self.armed
            && match self.plan.lasting {
                Lasting::Times(times) => self.record.strikes() < times,
                Lasting::For(span) => self.first.is_none_or(|first| now < first + span),
                Lasting::Always => true,
            }
    }

    /// The next time at which time alone begins or ends it; [`Time::NEVER`] if nothing but opportunities does.
    #[must_use]
    pub fn next(&self, now: Time) -> Time {
        if !self.is_live(now) {
            return Time::NEVER;
        }
        match (self.first, self.plan.lasting) {
            (Some(first), Lasting::For(span)) => first + span,
            _ if now < self.plan.start => self.plan.start,
            _ => Time::NEVER,
        }
    }

    /// An opportunity at `at`. If it is one that the plan takes, `act` says what goes wrong, or nothing if nothing would be
    /// different; what it did and where, `tell` puts into words.
    pub fn strike<R>(
        &mut self,
        at: Time,
        act: impl FnOnce(&Params, &mut Dice) -> Option<R>,
        tell: impl FnOnce(&R) -> (String, String),
    ) -> Option<R> {
        self.strike_in(at, None, act, tell)
    }

    /// The same for an opportunity that concerns a place in memory.
    pub fn strike_at<R>(
        &mut self,
        at: Time,
        address: Option<u32>,
        act: impl FnOnce(&Params, &mut Dice) -> Option<R>,
        tell: impl FnOnce(&R) -> (String, String),
    ) -> Option<R> {
        self.strike_in(at, address.map(|address| address..address.saturating_add(1)), act, tell)
    }

    /// The same for an opportunity that concerns a stretch of memory, of which the plan's range must have a part.
    pub fn strike_in<R>(
        &mut self,
        at: Time,
        stretch: Option<Range<u32>>,
        act: impl FnOnce(&Params, &mut Dice) -> Option<R>,
        tell: impl FnOnce(&R) -> (String, String),
    ) -> Option<R> {
        if !self.takes(at, stretch) {
            return None;
        }
        let result = act(&self.params, &mut self.dice)?;
        self.struck(at, || tell(&result));
        Some(result)
    }

    /// An opportunity at `at` of which only later is known whether the fault makes a difference: whether the plan takes it.
    /// If it does make one, [`Fault::struck`] must be called.
    pub fn takes(&mut self, at: Time, stretch: Option<Range<u32>>) -> bool {
        if at < self.plan.start || !self.is_live(at) {
            return false;
        }
        if let (Some(range), Some(stretch)) = (&self.plan.address, stretch)
            && (stretch.end <= range.start || range.end <= stretch.start)
        {
            return false;
        }
        self.seen += 1;
        self.seen > self.plan.skip && self.dice.chance(self.plan.probability)
    }

    /// An opportunity that the plan took at `at` did make a difference: where and which, `tell` puts into words.
    pub fn struck(&mut self, at: Time, tell: impl FnOnce() -> (String, String)) {
        self.first.get_or_insert(at);
        self.record.add(at, tell);
    }

    /// Whether what its last strike changed goes on at `now` if nothing else happens: it is armed, and its span not over. A
    /// number of strikes ends with the next opportunity, not before.
    #[must_use]
    pub fn holds(&self, now: Time) -> bool {
        self.armed
            && match self.plan.lasting {
                Lasting::For(span) => self.first.is_none_or(|first| now < first + span),
                Lasting::Times(_) | Lasting::Always => true,
            }
    }

    /// Whether an opportunity between `from` and `to` may be one that it takes.
    #[must_use]
    pub fn may_strike(&self, from: Time, to: Time) -> bool {
        self.plan.start <= to && self.is_live(from)
    }
}

/// A fault as its point and whoever armed it share it.
#[derive(Clone)]
pub struct SharedFault(Arc<Mutex<Fault>>);

impl SharedFault {
    /// Shares `fault`.
    #[must_use]
    pub fn new(fault: Fault) -> SharedFault {
        SharedFault(Arc::new(Mutex::new(fault)))
    }

    /// The fault; it is never locked for longer than an opportunity takes.
    pub fn lock(&self) -> parking_lot::MutexGuard<'_, Fault> {
        self.0.lock()
    }

    /// What it is armed on.
    #[must_use]
    pub fn point(&self) -> &'static PointSpec {
        self.lock().point
    }
}

impl fmt::Debug for SharedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = self.lock();
        write!(f, "SharedFault({} on {})", fault.name, fault.point.name)
    }
}

/// Why a fault cannot be armed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ArmError {
    /// Nobody here offers the point.
    #[error("this board has no fault point {point}; {reason}")]
    NotHere {
        /// The point.
        point: String,
        /// What is missing, and what there is instead.
        reason: String,
    },
    /// A parameter does not fit the board.
    #[error("{point}: {message}")]
    Param {
        /// The point.
        point: String,
        /// Which parameter.
        param: Param,
        /// What was expected.
        message: String,
    },
}

#[cfg(test)]
mod tests;
