//! Running a scenario with an operating system at the other end of the cable.
//!
//! The board is served and lives in a thread of its own, on a clock that follows the wall clock. Steps that act on it and
//! watch it are done on that thread, in the board's own time ([`super::branch`]); a shell command is done by whoever has the
//! operating system ([`Outside`]), meanwhile. Two such runs are never the same to the microsecond, so there is no
//! fingerprint of them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use toml::Spanned;
use twinboard_models::board::Powered;
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_usbip::host::beside::{Attendant, Beside};

use super::branch::Branches;
use super::expect::{self, Watched};
use super::steps::Steps;
use super::trigger::Triggers;
use super::{Failed, Prepared, Settings, Shared, doing};
use crate::language::step::{Connect, Expect, ShellStep, Step};
use crate::language::units::span_text;
use crate::language::{Scenario, ScenarioError};
use crate::report::Report;

/// How long a shell command may take if nothing is said.
const SHELL_WITHIN: Span = Span::secs(60);
/// How long a board may take to come onto the bus if nothing is said.
const CONNECT_WITHIN: Span = Span::secs(10);
/// Of what a command printed, so many bytes of the end are told.
const TOLD: usize = 600;
/// So many pauses are made between two looks at the board's time.
const PAUSES: u32 = 20;

/// What is done with the board, on its thread.
pub type Act = Box<dyn FnOnce(&mut Beside<'_, Powered>) + Send>;

/// An operating system, and the board that it is served. Errors are for people: the step that met one fails with it.
pub trait Outside {
    /// Does something with the board between two slices of its time, and waits until it is done.
    ///
    /// # Errors
    /// That the board has stopped.
    fn beside(&mut self, act: Act) -> Result<(), String>;

    /// From now on somebody acts on the board in its own time, until he never wants to be asked again.
    ///
    /// # Errors
    /// That the board has stopped.
    fn attend(&mut self, attendant: Box<dyn Attendant<Powered>>) -> Result<(), String>;

    /// Lets a millisecond or two of this computer's time pass.
    ///
    /// # Errors
    /// Why there is no use in waiting any longer.
    fn pause(&mut self) -> Result<(), String>;

    /// Runs a shell command.
    ///
    /// # Errors
    /// Why it could not be run; not that it failed.
    fn shell(&mut self, command: &str, within: Duration) -> Result<Ran, String>;

    /// Waits until the operating system can use all of the board; whether it can by the end of `within`.
    ///
    /// # Errors
    /// Why it could not be waited for.
    fn ready(&mut self, within: Duration) -> Result<bool, String>;

    /// Takes the board off the cable and gives it back; none if it has stopped.
    fn take_board(&mut self) -> Option<Powered>;
}

/// What came of a shell command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ran {
    /// Its exit status; none if it did not end in its time.
    pub status: Option<i32>,
    /// What it printed.
    pub output: Vec<u8>,
}

/// What a run leaves beside its report.
#[derive(Debug)]
pub struct OutsideOutcome {
    /// The report.
    pub report: Report,
    /// The board as it was in the end, if there is one.
    pub board: Option<Powered>,
    /// The end of what the target sent on its serial wire, 4096 bytes at most.
    pub serial: Vec<u8>,
    /// All commands, with what they printed.
    pub transcript: String,
}

/// A scenario while it runs.
struct OutsideRun<'p, 'o> {
    prepared: &'p Prepared,
    outside: &'o mut dyn Outside,
    shared: Arc<Mutex<Shared>>,
    transcript: String,
    now: Time,
    until: Time,
}

impl Prepared {
    /// Runs the scenario with an operating system. `plug` is given the board under power, and who acts on it in its own time
    /// from then on, if anybody does.
    ///
    /// # Errors
    /// [`ScenarioError`] for a board that cannot be powered; a prepared one can.
    pub fn run_outside<O: Outside>(
        &self,
        settings: Settings,
        plug: impl FnOnce(Powered, Option<Box<dyn Attendant<Powered>>>) -> Result<O, String>,
    ) -> Result<OutsideOutcome, ScenarioError> {
        let start = Instant::now();
        let seed = settings.seed.unwrap_or(self.scenario.seed);
        // The debug wires would cost more time than a board has that keeps up with the wall clock.
        let (mut powered, faults) = self.power_on(settings.driver, false, seed)?;
        if let Some(sink) = settings.sink.and_then(|make| make(&powered.name, &powered.board.net_names())) {
            powered.board.add_sink(sink);
        }
        powered.listen();
        let name = powered.name.clone();
        let shared = Arc::new(Mutex::new(Shared { faults, ..Shared::default() }));
        let triggers = Triggers::new(&self.scenario.faults, &shared.lock().faults, &shared)
            .map_err(|failed| ScenarioError::anywhere(failed.message))?;
        let attendant = triggers.map(|triggers| Box::new(triggers) as Box<dyn Attendant<Powered>>);
        let mut outside = match plug(powered, attendant) {
            Ok(outside) => outside,
            Err(why) => {
                let report = Report::without_machine(&self.name, &name, seed, why);
                return Ok(OutsideOutcome { report, board: None, serial: Vec::new(), transcript: String::new() });
            }
        };
        let mut run = OutsideRun {
            prepared: self,
            outside: &mut outside,
            shared: shared.clone(),
            transcript: String::new(),
            now: Time::ZERO,
            until: Time::ZERO + self.scenario.limit(),
        };
        let result = run.steps(&self.scenario.steps, true);
        let (now, transcript) = (run.now(), run.transcript);
        let board = outside.take_board();
        let report = self.report(start, (name, seed), now, result, &mut shared.lock(), None);
        let serial = board.as_ref().map(|board| board.heard_since(0)).unwrap_or_default();
        Ok(OutsideOutcome { report, board, serial, transcript })
    }
}

impl Steps for OutsideRun<'_, '_> {
    fn scenario(&self) -> &Scenario {
        &self.prepared.scenario
    }

    fn now(&mut self) -> Time {
        // Of a board that has stopped, the time is the last one that is known.
        if let Ok(now) = self.beside(|beside| beside.machine.now()) {
            self.now = now;
        }
        self.now
    }

    fn until(&self) -> Time {
        self.until
    }

    fn step(&mut self, step: &Spanned<Step>) -> Result<(), Failed> {
        match step.as_ref() {
            Step::Repeat(repeat) => self.repeat(repeat),
            Step::Parallel(parallel) => self.parallel(parallel.branches.as_ref()),
            _ if is_beside(step) => {
                let alone = self.branches(vec![vec![step.clone()]])?;
                self.join(&alone)
            }
            one => {
                let outcome = self.outside_step(one)?;
                let now = self.now();
                let what = match one {
                    Step::Shell(shell) => crate::explain::command(shell),
                    one => crate::explain::step(one),
                };
                self.shared.lock().done(now, what, outcome);
                Ok(())
            }
        }
    }
}

/// Whether a step, and all in it, is done on the board's thread.
fn is_beside(step: &Spanned<Step>) -> bool {
    match step.as_ref() {
        Step::Repeat(repeat) => repeat.steps.iter().all(is_beside),
        Step::PowerCut(_) => true,
        one => doing::is_beside(one),
    }
}

impl OutsideRun<'_, '_> {
    fn outside_step(&mut self, step: &Step) -> Result<Option<String>, Failed> {
        match step {
            Step::Shell(shell) => self.shell(shell),
            Step::Connect(connect) => self.connect(connect).map(|()| None),
            Step::Expect(expect) => self.expect(expect).map(|()| None),
            other => Err(Failed::new(format!("{}: not with Linux in the virtual machine", other.verb()))),
        }
    }

    fn beside<R: Send + 'static>(
        &mut self,
        act: impl FnOnce(&mut Beside<'_, Powered>) -> R + Send + 'static,
    ) -> Result<R, Failed> {
        let result = Arc::new(Mutex::new(None));
        let out = result.clone();
        self.outside.beside(Box::new(move |beside| *out.lock() = Some(act(beside)))).map_err(Failed::new)?;
        let result = result.lock().take();
        result.ok_or_else(|| Failed::new("the board has stopped"))
    }

    /// Has lists of steps done on the board's thread.
    fn branches(&mut self, lists: Vec<Vec<Spanned<Step>>>) -> Result<Branches, Failed> {
        let now = self.now();
        let branches = Branches::new(lists, self.shared.clone(), now);
        self.outside.attend(Box::new(branches.clone())).map_err(Failed::new)?;
        Ok(branches)
    }

    /// Waits until they are done.
    fn join(&mut self, branches: &Branches) -> Result<(), Failed> {
        let mut pauses = 0;
        while !branches.is_over() {
            pauses += 1;
            if pauses % PAUSES == 0 && self.now() > self.until {
                return Err(Failed::new("the scenario's time was over before it was done"));
            }
            self.outside.pause().map_err(Failed::new)?;
        }
        branches.result()
    }

    /// Does lists of steps at the same time: the one that needs the operating system here, the others on the board's thread.
    fn parallel(&mut self, lists: &[Vec<Spanned<Step>>]) -> Result<(), Failed> {
        let here = lists.iter().position(|list| !list.iter().all(is_beside));
        let others = lists.iter().enumerate().filter(|(index, _)| Some(*index) != here).map(|(_, list)| list.clone());
        let others = self.branches(others.collect())?;
        if let Some(here) = here {
            self.steps(&lists[here], false).map_err(|(_, failed)| failed)?;
        }
        self.join(&others)
    }

    fn shell(&mut self, shell: &ShellStep) -> Result<Option<String>, Failed> {
        let within = shell.within.as_ref().map_or(SHELL_WITHIN, |within| within.as_ref().0);
        let (command, start) = (shell.run.as_ref().trim(), Instant::now());
        let ran = self.outside.shell(command, within.into()).map_err(Failed::new)?;
        let ended = match ran.status {
            Some(status) => format!("status {status}"),
            None => "killed".to_string(),
        };
        let text = String::from_utf8_lossy(&ran.output);
        // Writing into a string does not fail.
        let _ = writeln!(
            self.transcript,
            "$ {}\n{}\n[{ended}, {:.1} s]\n",
            command.replace('\n', "\n> "),
            text.trim_end(),
            start.elapsed().as_secs_f64()
        );
        judge(shell, &ran, within)
    }

    fn connect(&mut self, connect: &Connect) -> Result<(), Failed> {
        let within = connect.within.as_ref().map_or(CONNECT_WITHIN, |within| within.as_ref().0);
        let start = Instant::now();
        let mut until = None;
        loop {
            let (now, present) = self.beside(|beside| (beside.machine.now(), beside.present))?;
            if present {
                break;
            }
            if now >= *until.get_or_insert(now + within) {
                return Err(Failed::new(format!("the board did not come onto the bus within {}", span_text(within))));
            }
            self.outside.pause().map_err(Failed::new)?;
        }
        let rest = Duration::from(within).saturating_sub(start.elapsed()).max(Duration::from_secs(1));
        match self.outside.ready(rest).map_err(Failed::new)? {
            true => Ok(()),
            false => Err(Failed::new(format!(
                "Linux could not use all of the board within {}: a function has no driver, or a drive is not mounted",
                span_text(within)
            ))),
        }
    }

    fn expect(&mut self, wanted: &Expect) -> Result<(), Failed> {
        let within = wanted.within.as_ref().map_or(Span::ZERO, |within| within.as_ref().0);
        let image = match &wanted.flash {
            None => None,
            Some(reference) => {
                let source =
                    self.prepared.source(reference.as_ref()).map_err(|error| Failed::new(error.to_string()))?;
                Some(Arc::new(self.prepared.target_image(&source).map_err(Failed::new)?))
            }
        };
        let mut until = None;
        loop {
            let watched = Watched::new(wanted)?;
            let (wanted, image) = (wanted.clone(), image.clone());
            let (now, seen) = self.beside(move |beside| {
                let seen = watched.look(beside);
                let seen = seen.and_then(|()| expect::target(beside.machine, &wanted, image.as_deref()));
                (beside.machine.now(), seen)
            })?;
            let Err(message) = seen else { return Ok(()) };
            if now >= *until.get_or_insert(now + within) {
                return Err(Failed::new(message));
            }
            for _ in 0..PAUSES {
                self.outside.pause().map_err(Failed::new)?;
            }
        }
    }
}

/// Whether a command did what it must; the end of what it printed.
fn judge(shell: &ShellStep, ran: &Ran, within: Span) -> Result<Option<String>, Failed> {
    let text = String::from_utf8_lossy(&ran.output);
    let text = text.trim();
    let first = text.char_indices().rev().map(|(at, _)| at).take_while(|at| text.len() - at <= TOLD).last();
    let told = match &text[first.unwrap_or(text.len())..] {
        "" => None,
        all if all.len() == text.len() => Some(all.to_string()),
        end => Some(format!("… {end}")),
    };
    let printed = told.as_ref().map_or("it printed nothing".to_string(), |told| format!("it printed:\n{told}"));
    match ran.status {
        None => {
            let within = span_text(within);
            return Err(Failed::new(format!(
                "the command did not end within {within} of this computer's time; {printed}"
            )));
        }
        Some(status) if status != i32::from(shell.status) => {
            let message = format!("the command ended with status {status}, {} was expected; {printed}", shell.status);
            return Err(Failed::new(message));
        }
        Some(_) => {}
    }
    if let Some(pattern) = doing::pattern(shell.expect.as_ref())?
        && !pattern.is_match(&ran.output)
    {
        return Err(Failed::new(format!("{:?} was expected in what the command prints; {printed}", pattern.as_str())));
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(step: &str, status: Option<i32>, output: &str) -> Result<Option<String>, String> {
        let shell: ShellStep = toml::from_str(step).expect("a step");
        let ran = Ran { status, output: output.into() };
        judge(&shell, &ran, Span::secs(3)).map_err(|failed| failed.message)
    }

    #[test]
    fn a_command_is_judged_by_its_status_and_by_what_it_prints() {
        assert_eq!(judged("run = 'x'", Some(0), "fine\n"), Ok(Some("fine".into())));
        assert_eq!(judged("run = 'x'", Some(0), ""), Ok(None));
        let fine = judged("run = 'x'\nstatus = 1\nexpect = '^no'", Some(1), "no such file\n");
        assert_eq!(fine, Ok(Some("no such file".into())));
        let wrong = judged("run = 'x'", Some(1), "no such file\n").expect_err("status 1");
        assert_eq!(wrong, "the command ended with status 1, 0 was expected; it printed:\nno such file");
        let wrong = judged("run = 'x'\nexpect = 'yes'", Some(0), "").expect_err("nothing");
        assert_eq!(wrong, "\"yes\" was expected in what the command prints; it printed nothing");
        let wrong = judged("run = 'x'", None, "still here").expect_err("no end");
        assert_eq!(wrong, "the command did not end within 3 s of this computer's time; it printed:\nstill here");
    }

    #[test]
    fn of_much_output_the_end_is_told_and_all_of_it_is_judged() {
        let output = format!("first line\n{}é", "x".repeat(5000));
        let told = judged("run = 'x'\nexpect = 'first'", Some(0), &output).expect("it matches").expect("something");
        assert!(told.starts_with("… x") && told.ends_with("é") && told.len() <= TOLD + 4, "{}", told.len());
    }
}
