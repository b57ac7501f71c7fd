//! Steps that wait for each other in a circle.
//!
//! A step can be done when the one before it in its list is done. A `wait` for a fault that only steps arm also needs one
//! of these to be done before. What can be done is found by going on until nothing more can; what is left then waits for
//! ever.

use std::collections::BTreeSet;

use toml::Spanned;

use super::super::error::ScenarioError;
use super::super::step::Step;

/// Looks for steps that can never be done.
///
/// # Errors
/// The first of them.
pub(super) fn check(steps: &[Spanned<Step>]) -> Result<(), ScenarioError> {
    let mut by_step = BTreeSet::new();
    collect(steps, &mut by_step);
    let mut armed = BTreeSet::new();
    run(steps, &by_step, &mut armed)
}

/// The faults that steps arm.
fn collect<'s>(steps: &'s [Spanned<Step>], names: &mut BTreeSet<&'s str>) {
    for step in steps {
        match step.as_ref() {
            Step::Arm(name) => {
                names.insert(name.as_ref());
            }
            Step::Repeat(repeat) => collect(&repeat.steps, names),
            Step::Parallel(parallel) => parallel.branches.as_ref().iter().for_each(|branch| collect(branch, names)),
            _ => {}
        }
    }
}

/// The fault that a step waits for, if it waits for one that steps arm and none has yet.
fn blocked<'s>(step: &'s Step, by_step: &BTreeSet<&str>, armed: &BTreeSet<&str>) -> Option<&'s Spanned<String>> {
    let Step::Wait(wait) = step else { return None };
    let fault = wait.fault.as_ref()?;
    let name: &str = fault.as_ref();
    (by_step.contains(name) && !armed.contains(name)).then_some(fault)
}

fn run<'s>(
    steps: &'s [Spanned<Step>],
    by_step: &BTreeSet<&'s str>,
    armed: &mut BTreeSet<&'s str>,
) -> Result<(), ScenarioError> {
    for step in steps {
        if let Some(fault) = blocked(step.as_ref(), by_step, armed) {
            let message = format!("fault: {0} is armed only after this step, which waits for it", fault.as_ref());
            return Err(ScenarioError::at(fault, message));
        }
        match step.as_ref() {
            Step::Arm(name) => {
                armed.insert(name.as_ref());
            }
            Step::Repeat(repeat) => run(&repeat.steps, by_step, armed)?,
            Step::Parallel(parallel) => branches(parallel.branches.as_ref(), by_step, armed)?,
            _ => {}
        }
    }
    Ok(())
}

fn branches<'s>(
    branches: &'s [Vec<Spanned<Step>>],
    by_step: &BTreeSet<&'s str>,
    armed: &mut BTreeSet<&'s str>,
) -> Result<(), ScenarioError> {
    let mut at = vec![0; branches.len()];
    loop {
        let mut moved = false;
        for (branch, at) in branches.iter().zip(&mut at) {
            while let Some(step) = branch.get(*at) {
                if blocked(step.as_ref(), by_step, armed).is_some() {
                    break;
                }
                run(std::slice::from_ref(step), by_step, armed)?;
                *at += 1;
                moved = true;
            }
        }
        if moved {
            continue;
        }
        let stuck =
            branches.iter().zip(&at).find_map(|(branch, at)| blocked(branch.get(*at)?.as_ref(), by_step, armed));
        return match stuck {
            None => Ok(()),
            Some(fault) => {
                let message = format!("fault: the steps that arm {} wait for this one in a circle", fault.as_ref());
                Err(ScenarioError::at(fault, message))
            }
        };
    }
}
