//! Where the firmware's time goes: whoever wants to make flashing faster asks this first.

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::activity::Activity;
use twinboard_sim::time::{Span, Time};

/// Time spent since power-on. What is in none of these, the firmware waited for USB.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spent {
    /// The interface chip's CPU worked on files.
    pub interface: Span,
    /// SWD transfers, without those that only ask whether the flash algorithm has returned.
    pub wire: Span,
    /// The flash algorithm ran on the target.
    pub flash: Span,
}

/// The account of one interface chip. Clones are the same account.
#[derive(Clone, Debug, Default)]
pub struct Account {
    spent: Arc<Mutex<Spent>>,
    busy: Activity,
}

impl Account {
    /// What was spent so far.
    #[must_use]
    pub fn spent(&self) -> Spent {
        *self.spent.lock()
    }

    /// When the CPU worked: on files, and on SWD transfers beside their bits.
    #[must_use]
    pub fn busy(&self) -> &Activity {
        &self.busy
    }

    /// The CPU works for `span`, from `now` on.
    pub(super) fn interface(&self, now: Time, span: Span) {
        self.spent.lock().interface += span;
        self.busy.note(now, now + span);
    }

    /// A transfer takes `bits` on the wire, from `now` on, and then `overhead` of the CPU's time.
    pub(super) fn wire(&self, now: Time, bits: Span, overhead: Span) {
        self.spent.lock().wire += bits + overhead;
        self.busy.note(now + bits, now + bits + overhead);
    }

    /// The flash algorithm ran from `start` to `end`; the transfers since `before` only asked whether it was done.
    pub(super) fn flash(&self, before: Spent, start: Time, end: Time) {
        let mut spent = self.spent.lock();
        spent.flash += end.since(start);
        spent.wire = before.wire;
    }
}
