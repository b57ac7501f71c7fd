//! Doing steps one after the other, whoever does each.

use toml::Spanned;
use twinboard_sim::time::Time;

use super::Failed;
use crate::language::Scenario;
use crate::language::step::{Repeat, Step};
use crate::language::units::span_text;

/// Somebody who does steps.
pub(super) trait Steps {
    /// The scenario that is run.
    fn scenario(&self) -> &Scenario;

    /// The board's time.
    fn now(&mut self) -> Time;

    /// When the scenario's time is over.
    fn until(&self) -> Time;

    /// Does a step.
    fn step(&mut self, step: &Spanned<Step>) -> Result<(), Failed>;

    /// Does steps one after the other. If one fails: which, and why.
    fn steps(&mut self, steps: &[Spanned<Step>], outermost: bool) -> Result<(), (usize, Failed)> {
        for (index, step) in steps.iter().enumerate() {
            self.step(step).map_err(|failed| (index, failed.at(step)))?;
            if outermost && self.now() > self.until() {
                let limit = span_text(self.scenario().limit());
                let message = format!("the scenario took more than {limit} of the board's time (within)");
                return Err((index, Failed::new(message).at(step)));
            }
        }
        Ok(())
    }

    /// Does steps again and again.
    fn repeat(&mut self, repeat: &Repeat) -> Result<(), Failed> {
        for turn in 1..=*repeat.times.as_ref() {
            self.steps(&repeat.steps, false).map_err(|(_, failed)| {
                let message = format!("in turn {turn}: {}", failed.message);
                Failed { message, ..failed }
            })?;
            if self.now() > self.until() {
                return Err(Failed::new(format!("the scenario's time was over in turn {turn}")));
            }
        }
        Ok(())
    }
}
