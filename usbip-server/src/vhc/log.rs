//! What the bus was at: for those who ask where the time goes.

use twinboard_sim::activity::{Stretch, push};
use twinboard_sim::time::{Span, Time};

/// What the controller was at over some time. Stretches of one list do not overlap.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BusActivity {
    /// Transactions, from the token to the end of the handshake; also those that were answered NAK.
    pub transactions: Vec<Stretch>,
    /// A transfer waited for the bus and not for the device: for its turn among others, for the next frame, or for the
    /// frame in which an interrupt endpoint is polled.
    pub turns: Vec<Stretch>,
    /// No transfer was in flight: the bus waited for the host.
    pub idle: Vec<Stretch>,
}

/// Keeps the activity while it goes on.
#[derive(Debug, Default)]
pub(super) struct Log {
    activity: BusActivity,
    /// The state since when: a transfer waits for the bus, or none is in flight.
    turn_since: Option<Time>,
    idle_since: Option<Time>,
}

impl Log {
    /// The device was asked at `at`, `lead` after the transaction began; it ends `tail` later.
    pub(super) fn transaction(&mut self, at: Time, lead: Span, tail: Span) {
        push(&mut self.activity.transactions, Time(at.0.saturating_sub(lead.0)), at + tail);
    }

    /// From `now` on a transfer waits for the bus (`turn`), or none is in flight (`idle`).
    pub(super) fn state(&mut self, now: Time, turn: bool, idle: bool) {
        follow(&mut self.turn_since, turn, now, &mut self.activity.turns);
        follow(&mut self.idle_since, idle, now, &mut self.activity.idle);
    }

    /// What was kept until `now`.
    pub(super) fn take(&mut self, now: Time) -> BusActivity {
        let (turn, idle) = (self.turn_since.is_some(), self.idle_since.is_some());
        self.state(now, false, false);
        let activity = std::mem::take(&mut self.activity);
        self.state(now, turn, idle);
        activity
    }
}

fn follow(since: &mut Option<Time>, holds: bool, now: Time, list: &mut Vec<Stretch>) {
    match (*since, holds) {
        (None, true) => *since = Some(now),
        (Some(start), false) => {
            if start < now {
                push(list, start, now);
            }
            *since = None;
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_kept_from_their_beginning_to_their_end() {
        let mut log = Log::default();
        log.state(Time(10), false, true);
        log.state(Time(20), true, false);
        log.transaction(Time(25), Span(5), Span(3));
        log.state(Time(30), false, false);
        log.state(Time(40), false, true);
        let first = log.take(Time(50));
        assert_eq!(first.idle, [(Time(10), Time(20)), (Time(40), Time(50))]);
        assert_eq!(first.turns, [(Time(20), Time(30))]);
        assert_eq!(first.transactions, [(Time(20), Time(28))]);
        assert_eq!(log.take(Time(60)), BusActivity { idle: vec![(Time(50), Time(60))], ..BusActivity::default() });
    }
}
