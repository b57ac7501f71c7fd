//! When the drive has a medium: the mount state machine.
//!
//! A remount takes the medium away for about 2.5 s, so that the host forgets what it wrote and reads the drive anew. It
//! waits until the host has been quiet: the count runs in ticks of 90 ms, only while a transition is pending, and every
//! written sector sets it back. A transition happens on the first tick that finds the count above the limit.

use twinboard_sim::time::Span;

/// The tick of the state machine.
pub const TICK: Span = Span::ms(90);
/// How long the medium stays away, in ms.
const RECONNECT: u32 = 2500;
/// The count stops here, in ms.
const MAX: u32 = 60_000;

/// Whether there is a medium.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// No medium, and none to come.
    Disconnected,
    /// No medium for a moment.
    Reconnecting,
    /// A medium.
    Connected,
}

/// The state machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mount {
    state: State,
    next: State,
    idle: u32,
}

impl Default for Mount {
    /// After power-on: on the way to a medium.
    fn default() -> Self {
        Mount { state: State::Disconnected, next: State::Connected, idle: 0 }
    }
}

impl Mount {
    /// The host wrote a sector.
    pub fn busy(&mut self) {
        self.idle = 0;
    }

    /// Mounts the drive again once the host is quiet, if it is mounted and nothing is pending.
    pub fn remount(&mut self) {
        if self.state == State::Connected && self.next == State::Connected {
            self.next = State::Reconnecting;
        }
    }

    /// Forgets a pending remount.
    pub fn abort_remount(&mut self) {
        if self.state == State::Connected && self.next == State::Reconnecting {
            self.next = State::Connected;
        }
    }

    /// Whether something will happen if enough ticks go by.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.state != self.next
    }

    /// A tick. `patience` is how long the host must have been quiet before the medium goes, in ms. The states left and
    /// entered, if any.
    pub fn tick(&mut self, patience: u32) -> Option<(State, State)> {
        if !self.is_pending() {
            return None;
        }
        let limit = match self.state {
            State::Connected => patience,
            State::Reconnecting => RECONNECT,
            State::Disconnected => 0,
        };
        let due = self.idle > limit;
        self.idle = (self.idle + (TICK.0 / Span::ms(1).0) as u32).min(MAX);
        if !due {
            return None;
        }
        let left = std::mem::replace(&mut self.state, self.next);
        if self.state == State::Reconnecting {
            self.next = State::Connected;
        }
        self.idle = 0;
        Some((left, self.state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks_until_change(mount: &mut Mount, patience: u32) -> usize {
        (1..1000).find(|_| mount.tick(patience).is_some()).expect("a transition")
    }

    #[test]
    fn a_remount_takes_the_medium_away_for_29_ticks() {
        let mut mount = Mount::default();
        assert_eq!(ticks_until_change(&mut mount, 500), 2, "from power-on, limit 0 ms");
        mount.remount();
        assert_eq!(ticks_until_change(&mut mount, 500), 7, "540 ms is the first count above 500 ms");
        assert_eq!(ticks_until_change(&mut mount, 500), 29, "2520 ms is the first count above 2500 ms");
        assert!(!mount.is_pending());
    }

    #[test]
    fn writing_puts_a_remount_off() {
        let mut mount = Mount { state: State::Connected, next: State::Connected, idle: 0 };
        mount.remount();
        for _ in 0..50 {
            assert_eq!(mount.tick(500), None);
            mount.busy();
        }
        mount.abort_remount();
        assert!(!mount.is_pending());
    }
}
