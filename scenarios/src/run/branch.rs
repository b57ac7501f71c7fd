//! Branches of a `parallel` step that go on beside the host's drivers.

use std::sync::Arc;

use parking_lot::Mutex;
use toml::Spanned;
use twinboard_models::board::Powered;
use twinboard_sim::machine::Machine;
use twinboard_sim::time::Time;
use twinboard_usbip::host::beside::{Attendant, Beside};

use super::doing::{Doing, Poll};
use super::{Failed, Shared};
use crate::language::step::Step;

/// All branches but the one that uses drivers. Clones are the same branches.
#[derive(Clone)]
pub(super) struct Branches(Arc<Mutex<State>>);

struct State {
    branches: Vec<Branch>,
    shared: Arc<Mutex<Shared>>,
    failed: Option<Failed>,
}

/// One of them.
struct Branch {
    /// Its steps, those that are repeated as often as they are.
    steps: std::vec::IntoIter<Spanned<Step>>,
    /// The step in hand.
    current: Option<(Spanned<Step>, Doing)>,
    next: Time,
}

impl Branches {
    /// These lists of steps, from `now` on.
    pub(super) fn new(lists: Vec<Vec<Spanned<Step>>>, shared: Arc<Mutex<Shared>>, now: Time) -> Branches {
        let branches = lists.into_iter().map(|list| {
            let mut steps = Vec::new();
            unroll(list, &mut steps);
            Branch { steps: steps.into_iter(), current: None, next: now }
        });
        Branches(Arc::new(Mutex::new(State { branches: branches.collect(), shared, failed: None })))
    }

    /// Whether all are done, or one has failed.
    pub(super) fn is_over(&self) -> bool {
        let state = self.0.lock();
        state.failed.is_some() || state.branches.iter().all(|branch| branch.next == Time::NEVER)
    }

    /// How they ended.
    pub(super) fn result(&self) -> Result<(), Failed> {
        self.0.lock().failed.clone().map_or(Ok(()), Err)
    }
}

/// Writes out what is repeated. A check has bounded it.
fn unroll(list: Vec<Spanned<Step>>, out: &mut Vec<Spanned<Step>>) {
    for step in list {
        match step.as_ref() {
            Step::Repeat(repeat) => {
                for _ in 0..*repeat.times.as_ref() {
                    unroll(repeat.steps.clone(), out);
                }
            }
            _ => out.push(step),
        }
    }
}

impl Attendant<Powered> for Branches {
    fn next(&self) -> Time {
        let state = self.0.lock();
        match state.failed {
            Some(_) => Time::NEVER,
            None => state.branches.iter().map(|branch| branch.next).min().unwrap_or(Time::NEVER),
        }
    }

    fn attend(&mut self, beside: &mut Beside<'_, Powered>) {
        let State { branches, shared, failed } = &mut *self.0.lock();
        let mut shared = shared.lock();
        let now = beside.machine.now();
        for branch in branches.iter_mut().filter(|branch| branch.next <= now) {
            if let Err(failure) = branch.go_on(beside, &mut shared) {
                failed.get_or_insert(failure);
            }
        }
    }
}

impl Branch {
    /// Goes on until it has to wait.
    fn go_on(&mut self, beside: &mut Beside<'_, Powered>, shared: &mut Shared) -> Result<(), Failed> {
        loop {
            let (step, mut doing) = match self.current.take() {
                Some(current) => current,
                None => {
                    let Some(step) = self.steps.next() else {
                        self.next = Time::NEVER;
                        return Ok(());
                    };
                    let doing = Doing::begin(step.as_ref(), beside, shared).map_err(|failed| failed.at(&step))?;
                    (step, doing)
                }
            };
            match doing.poll(beside, shared).map_err(|failed| failed.at(&step))? {
                Poll::Done(outcome) => {
                    shared.done(beside.machine.now(), crate::explain::step(step.as_ref()), outcome);
                }
                Poll::Later(at) => {
                    self.next = at;
                    self.current = Some((step, doing));
                    return Ok(());
                }
            }
        }
    }
}
