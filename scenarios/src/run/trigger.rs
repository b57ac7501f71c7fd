//! Faults that an event arms.
//!
//! Whoever attends the host looks for the events, beside the steps and beside the branches of a `parallel` step. While the
//! in-process host enumerates the board nobody looks. Beside an operating system somebody looks all the time, and the
//! branches are attended by others.

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_models::board::Powered;
use twinboard_sim::fault::SharedFault;
use twinboard_sim::machine::Machine;
use twinboard_sim::time::Time;
use twinboard_usbip::host::beside::{Attendant, Beside};

use super::branch::Branches;
use super::doing::{Event, LOOK};
use super::{Failed, Shared};
use crate::language::fault::FaultEntry;

/// The faults of a scenario that wait for an event. Clones are the same.
#[derive(Clone)]
pub(super) struct Triggers(Arc<Mutex<State>>);

struct State {
    /// Event, fault, and whether the event has been seen not to be so: what is so from the beginning must end first.
    waiting: Vec<(Event, SharedFault, bool)>,
    shared: Arc<Mutex<Shared>>,
    next: Time,
    /// The branches that are looked after meanwhile.
    branches: Option<Branches>,
}

impl Triggers {
    /// Those of `entries`, whose faults are `faults`; none if no fault waits for an event.
    pub(super) fn new(
        entries: &[FaultEntry],
        faults: &[SharedFault],
        shared: &Arc<Mutex<Shared>>,
    ) -> Result<Option<Triggers>, Failed> {
        let mut waiting = Vec::new();
        for (entry, fault) in entries.iter().zip(faults) {
            if let Some(on) = &entry.on {
                waiting.push((Event::of(&on.as_ref().wait(), 0)?, fault.clone(), false));
            }
        }
        let state = State { waiting, shared: shared.clone(), next: Time::ZERO, branches: None };
        Ok((!state.waiting.is_empty()).then(|| Triggers(Arc::new(Mutex::new(state)))))
    }

    /// From now on these branches are looked after too, or none.
    pub(super) fn set_branches(&self, branches: Option<Branches>) {
        self.0.lock().branches = branches;
    }
}

impl Attendant<Powered> for Triggers {
    fn next(&self) -> Time {
        let state = self.0.lock();
        let own = if state.waiting.is_empty() { Time::NEVER } else { state.next };
        state.branches.as_ref().map_or(own, |branches| own.min(branches.next()))
    }

    fn attend(&mut self, beside: &mut Beside<'_, Powered>) {
        let State { waiting, shared, next, branches } = &mut *self.0.lock();
        let now = beside.machine.now();
        if *next <= now {
            *next = now + LOOK;
            let shared = shared.lock();
            waiting.retain_mut(|(event, fault, was_not)| {
                let is_so = event.has_happened(beside, &shared);
                let happened = is_so && *was_not;
                *was_not |= !is_so;
                if happened {
                    fault.lock().arm(now, true);
                }
                !happened
            });
        }
        if let Some(branches) = branches.as_mut().filter(|branches| branches.next() <= now) {
            branches.attend(beside);
        }
    }
}
