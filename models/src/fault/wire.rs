//! `wire.*`: what goes wrong with a net of the board.

use twinboard_sim::board::{Condition, NetState};
use twinboard_sim::fault::{Param, PointSpec, SharedFault};
use twinboard_sim::time::Time;
use twinboard_sim::wire::Level;

const MOMENTS: &str = "the moment at which the fault begins, then each change of what drives the wire, and each character or \
                       step of a transfer on it";

/// The family's points.
pub static POINTS: &[PointSpec] = &[
    PointSpec {
        name: "wire.open",
        what: "the wire is interrupted, so that a pin sees nothing but the resistor on the board, if there is one",
        opportunity: MOMENTS,
        params: &[Param::Wire.needed()],
    },
    PointSpec {
        name: "wire.stuck",
        what: "the wire is shorted to ground or to the supply, as `level` says",
        opportunity: MOMENTS,
        params: &[Param::Wire.needed(), Param::Level.needed()],
    },
];

#[derive(Debug)]
struct Armed {
    condition: Condition,
    fault: SharedFault,
    /// It had the opportunity of its beginning.
    begun: bool,
    /// The wire is so now.
    holds: bool,
}

/// The family's faults on one wire.
#[derive(Debug, Default)]
pub(super) struct Levels(Vec<Armed>);

impl Levels {
    /// Takes a fault of this family; false if it is none.
    pub(super) fn add(&mut self, fault: &SharedFault) -> bool {
        let condition = match fault.point().name {
            "wire.open" => Condition::Open,
            "wire.stuck" => Condition::Stuck(fault.lock().params().level.unwrap_or_default()),
            _ => return false,
        };
        self.0.push(Armed { condition, fault: fault.clone(), begun: false, holds: false });
        true
    }

    /// When time alone changes something; now, if it has already.
    pub(super) fn next(&self, now: Time) -> Time {
        let due = |armed: &Armed| {
            let fault = armed.fault.lock();
            let begins = fault.may_strike(now, now) && !armed.begun;
            let ends = armed.holds && !fault.holds(now);
            if begins || ends { now } else { fault.next(now) }
        };
        self.0.iter().map(due).min().unwrap_or(Time::NEVER)
    }

    /// What the wire is like from `at` on.
    pub(super) fn level(&mut self, at: Time, state: NetState, wire: &str) -> Condition {
        let mut condition = Condition::Good;
        for armed in &mut self.0 {
            let mut fault = armed.fault.lock();
            let live = fault.may_strike(at, at);
            let begins = live && !armed.begun;
            armed.begun = live;
            if state.edge || begins {
                let matters = match armed.condition {
                    Condition::Good => false,
                    Condition::Open => state.open_matters,
                    Condition::Stuck(high) => state.good != Level::from_bit(high),
                };
                let told = || (wire.into(), tell(armed.condition, state.good));
                armed.holds = fault.strike(at, |_, _| matters.then_some(()), |()| told()).is_some();
            } else {
                armed.holds &= fault.holds(at);
            }
            if armed.holds && condition == Condition::Good {
                condition = armed.condition;
            }
        }
        condition
    }

    /// Whether `what`, a character or a step of a transfer, gets stuck.
    pub(super) fn blocks(&self, at: Time, wire: &str, what: &str) -> bool {
        self.0.iter().any(|armed| {
            let told = || (wire.into(), format!("{what} did not arrive"));
            armed.fault.lock().strike(at, |_, _| Some(()), |()| told()).is_some()
        })
    }
}

fn tell(condition: Condition, good: Level) -> String {
    let name = |level| match level {
        Level::Low => "low",
        Level::High => "high",
        Level::Unknown => "no level",
    };
    match condition {
        Condition::Stuck(high) => format!("{} instead of {}", name(Level::from_bit(high)), name(good)),
        _ => format!("{} did not reach the other end", name(good)),
    }
}
