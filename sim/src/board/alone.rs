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
        first
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
        }
        drop(chip);
        self.now = self.now.max(end);
        self.collect();
        self.settle();
    }
}
