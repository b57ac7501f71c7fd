//! Long windows for a chip whose neighbours all sleep.
//!
//! The end of a window is set by what can reach a chip from outside. While all others sleep, that is nothing but an
//! answer to what the chip itself does; so it runs on until the first of the others wakes, or until its own first edge
//! can be seen by them. A probe is never alone: its accesses wake its target within the window.

use super::Board;
use crate::time::Time;

/// The chip that acts first.
pub(super) struct First {
    pub(super) index: usize,
    /// When it acts.
    pub(super) at: Time,
    /// When the first of the others does.
    pub(super) others: Time,
}

impl Board {
    /// The chip that acts first; of several, the one with the lowest index.
    pub(super) fn first_chip(&self) -> First {
        let mut first = First { index: 0, at: Time::NEVER, others: Time::NEVER };
        for (index, slot) in self.slots.iter().enumerate() {
            let next = slot.chip.lock().next_event();
            if next < first.at {
                first = First { index, at: next, others: first.at };
            } else {
                first.others = first.others.min(next);
            }
        }
        // What was postponed reaches a chip at its time, and no window may begin after that.
        if self.late > 0
            && let Some(event) = self.queue.peek()
        {
            first.at = first.at.min(event.0.0.at);
        }
        first
    }

    /// Windows of the usual length from `start` on, one or as many at once as pass while all chips but at most one are
    /// quiet. They end where they would end one by one.
    pub(super) fn run_windows(&mut self, start: Time, until: Time) {
        let first_end = start + self.window;
        let mut quiet_until = until;
        let mut active = None;
        for (index, slot) in self.slots.iter().enumerate() {
            let quiet = slot.chip.lock().quiet_until();
            if quiet >= first_end {
                quiet_until = quiet_until.min(quiet);
            } else if active.replace(index).is_some() {
                return self.run_window(until.min(first_end));
            }
        }
        // A probe acts within its window, and what a USB socket has is to be seen at the end of it.
        let seen = |index| self.probes[index] || self.ports.iter().any(|(port, _)| *port == index);
        if quiet_until < first_end || active.is_some_and(seen) {
            return self.run_window(until.min(first_end));
        }
        let window = self.window.0;
        let ends = |at: Time| Time(start.0 + (at.0.saturating_sub(start.0) / window + 1) * window);
        let mut end = if quiet_until == until { until } else { ends(Time(quiet_until.0 - window)) };
        if let Some(event) = self.queue.peek() {
            end = end.min(ends(event.0.0.at));
        }
        if let Some(index) = active {
            let slot = &mut self.slots[index];
            let mut chip = slot.chip.lock();
            let mut told = 0;
            while chip.next_event() < end && chip.now() < end {
                chip.advance(end, &mut slot.outbox);
                for edge in &slot.outbox[told..] {
                    end = end.min(ends(edge.at));
                }
                told = slot.outbox.len();
                end = end.min(self.stop.get().max(chip.now()));
            }
        }
        self.now = end;
        self.collect();
        self.settle();
    }

    /// One window in which only the chip `index` runs, up to `limit` at the longest: nobody else acts before that.
    pub(super) fn run_alone(&mut self, index: usize, limit: Time) {
        // An edge that a chip made beyond the last window reaches its neighbours a lookahead later.
        let mut end = self.queue.peek().map_or(limit, |event| limit.min(event.0.0.at + self.window));
        let slot = &mut self.slots[index];
        let mut chip = slot.chip.lock();
        let mut told = 0;
        while chip.next_event() < end && chip.now() < end {
            chip.advance(end, &mut slot.outbox);
            for edge in &slot.outbox[told..] {
                end = end.min(edge.at + self.window);
            }
            told = slot.outbox.len();
            end = end.min(self.stop.get().max(chip.now()));
        }
        drop(chip);
        self.now = self.now.max(end);
        self.collect();
        self.settle();
    }
}
