//! Where the firmware's time goes: whoever wants to make flashing faster asks this first.

use std::sync::Arc;

use parking_lot::Mutex;
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
pub struct Account(Arc<Mutex<Spent>>);

impl Account {
    /// What was spent so far.
    #[must_use]
    pub fn spent(&self) -> Spent {
        *self.0.lock()
    }

    /// The CPU works for `span`.
    pub(super) fn interface(&self, span: Span) {
        self.0.lock().interface += span;
    }

    /// A transfer takes `span`.
    pub(super) fn wire(&self, span: Span) {
        self.0.lock().wire += span;
    }

    /// The flash algorithm ran from `start` to `end`; the transfers since `before` only asked whether it was done.
    pub(super) fn flash(&self, before: Spent, start: Time, end: Time) {
        let mut spent = self.0.lock();
        spent.flash += end.since(start);
        spent.wire = before.wire;
    }
}
