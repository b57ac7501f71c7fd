//! `power.*` and `reset.*`: the supply fails, sags, or a chip's reset input gets a pulse.
//!
//! These faults need no opportunity but time. They strike at the time that the plan says, and, if the plan lets them, again
//! in every later millisecond in which the board has power.

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::board::Stop;
use twinboard_sim::fault::{Param, PointSpec, SharedFault};
use twinboard_sim::time::{Span, Time};

/// How long a board is without power if nothing is said.
pub(super) const AWAY: Span = Span::ms(500);
/// How long a supply sags: as long as a motor takes to start.
const SAG: Span = Span::ms(10);
/// How long a pulse on a reset input is: longer than any chip's filter.
const PULSE: Span = Span::ms(1);
/// From one opportunity to the next.
const EVERY: Span = Span::ms(1);

const WHEN: &str = "the planned time, then every millisecond in which the board has power";

/// The points of both families.
pub static POINTS: &[PointSpec] = &[
    PointSpec {
        name: "power.cut",
        what: "the board loses its power for `delay` (default 500 ms)",
        opportunity: WHEN,
        params: &[Param::Delay.optional()],
    },
    PointSpec {
        name: "power.brown-out",
        what: "the supply sags below the chips' brown-out threshold for `delay` (default 10 ms)",
        opportunity: WHEN,
        params: &[Param::Delay.optional()],
    },
    PointSpec {
        name: "reset.glitch",
        what: "the reset input of `chip` (default: the target) is low for `delay` (default 1 ms)",
        opportunity: WHEN,
        params: &[Param::Chip.optional(), Param::Delay.optional()],
    },
];

/// The board's power goes at a time that is known before, and comes back. Clones are the same.
#[derive(Clone, Debug)]
pub struct Outage {
    stop: Stop,
    wanted: Arc<Mutex<Option<(Time, Span)>>>,
}

impl Outage {
    /// For the board that `stop` belongs to.
    #[must_use]
    pub fn new(stop: Stop) -> Outage {
        Outage { stop, wanted: Arc::default() }
    }

    /// Power goes at `at`, for `away`. Of several the earliest counts, and of those the longest.
    pub fn begin(&self, at: Time, away: Span) {
        let mut wanted = self.wanted.lock();
        let better =
            wanted.is_none_or(|(other, span)| (at, std::cmp::Reverse(away)) < (other, std::cmp::Reverse(span)));
        if better {
            *wanted = Some((at, away));
        }
        self.stop.at(at);
    }

    /// When power goes; [`Time::NEVER`] if it does not.
    #[must_use]
    pub fn next(&self) -> Time {
        self.stop.get()
    }

    /// It is `now`: for how long power is to go now, if it is.
    #[must_use]
    pub fn due(&self, now: Time) -> Option<Span> {
        if self.stop.get() > now {
            return None;
        }
        self.stop.clear();
        self.wanted.lock().take().map(|(_, away)| away)
    }
}

/// What is to be done to the board now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blow {
    /// No power for so long.
    Cut(Span),
    /// Too little power for so long.
    BrownOut(Span),
    /// The reset input of the chip with this index is low for so long.
    Glitch(usize, Span),
}

/// A fault that strikes by time alone.
#[derive(Clone, Debug)]
pub struct Timed {
    fault: SharedFault,
    /// The chip that it concerns, by index.
    chip: usize,
    /// The opportunity that comes next.
    due: Time,
}

impl Timed {
    /// `fault`, armed at `now` for the chip number `chip`.
    #[must_use]
    pub fn new(fault: SharedFault, chip: usize, now: Time) -> Timed {
        Timed { fault, chip, due: now }
    }

    /// When it may strike next; [`Time::NEVER`] if it cannot any more.
    #[must_use]
    pub fn next(&self) -> Time {
        let fault = self.fault.lock();
        let due = self.due.max(fault.start());
        if due != Time::NEVER && fault.is_live(due) { due } else { Time::NEVER }
    }

    /// It is `now`, and the board has power if `powered`: the fault and the index of its chip, if this is an opportunity.
    pub fn opportunity(&mut self, now: Time, powered: bool) -> Option<(&SharedFault, usize)> {
        if self.next() > now {
            return None;
        }
        self.due = now + EVERY;
        powered.then_some((&self.fault, self.chip))
    }

    /// It is `now`, and the board has power if `powered`: what is to be done. `would` says whether it would change anything.
    pub fn pass(&mut self, now: Time, powered: bool, would: impl FnOnce(&Blow) -> bool) -> Option<Blow> {
        self.opportunity(now, powered)?;
        let mut fault = self.fault.lock();
        let point = fault.point().name;
        let delay = fault.params().delay;
        let chip = self.chip;
        let blow = match point {
            "power.cut" => Blow::Cut(delay.unwrap_or(AWAY)),
            "power.brown-out" => Blow::BrownOut(delay.unwrap_or(SAG)),
            _ => Blow::Glitch(chip, delay.unwrap_or(PULSE)),
        };
        let tell = |blow: &Blow| {
            let (place, what, span) = match blow {
                Blow::Cut(span) => ("supply", "no power", span),
                Blow::BrownOut(span) => ("supply", "below the brown-out threshold", span),
                Blow::Glitch(_, span) => ("reset input", "low", span),
            };
            (place.into(), format!("{what} for {} µs", span.0 / 1_000_000))
        };
        fault.strike(now, |_, _| would(&blow).then_some(blow), tell)
    }
}
