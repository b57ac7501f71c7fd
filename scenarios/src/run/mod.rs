//! Running a scenario, with the in-process host or with an operating system ([`outside`]).
//!
//! Steps are of two kinds. Those that use the host's drivers (drop, dap, …) are calls that return when they are done
//! ([`drivers`]). All others only act on the board and watch it ([`doing`]); they can go on beside a driver, so the
//! branches of a `parallel` step are lists of them ([`branch`]), looked after by the host while it waits for the board.

mod branch;
mod doing;
mod drivers;
mod expect;
mod gdb;
pub mod outside;
mod prepare;
mod steps;
mod trigger;

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use toml::Spanned;
use twinboard_models::board::Powered;
use twinboard_sim::board::Driver;
use twinboard_sim::fault::SharedFault;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::trace::{Sink, TraceHash};
use twinboard_usbip::host::Host;
use twinboard_usbip::host::beside::Attendant;
use twinboard_usbip::pcap::Capture;

pub use prepare::{Places, PrepareError, Prepared};

use crate::language::source::Source;
use crate::language::step::Step;
use crate::language::{HostKind, Scenario, ScenarioError};
use crate::report::{FaultReport, MeasureReport, Reason, Report, StepReport, Verdict, seconds};
use branch::Branches;
use doing::{Doing, Poll};
use steps::Steps;
use trigger::Triggers;

/// Makes a sink for a board of this name whose nets have these names.
pub type MakeSink = Box<dyn FnOnce(&str, &[String]) -> Option<Box<dyn Sink>>>;

/// How a scenario is run.
#[derive(Default)]
pub struct Settings {
    /// Overrides the scenario's seed.
    pub seed: Option<u64>,
    /// How the chips run.
    pub driver: Driver,
    /// Sees every edge, beside the fingerprint: a VCD writer. Is given the nets' names.
    pub sink: Option<MakeSink>,
    /// The USB traffic is written to it.
    pub capture: Option<Capture>,
    /// Leaves the debug wires' edges out of the fingerprint, which is several times faster.
    pub fast: bool,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("seed", &self.seed).field("driver", &self.driver).finish_non_exhaustive()
    }
}

/// What a run leaves beside its report.
#[derive(Debug)]
pub struct Outcome {
    /// The report.
    pub report: Report,
    /// The board as it was in the end.
    pub board: Powered,
    /// What came from the serial port.
    pub serial: Vec<u8>,
}

/// Why a step failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Failed {
    message: String,
    /// Where the step stands in the file.
    span: Option<std::ops::Range<usize>>,
}

/// How long the last drop took that came to an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct DropTimes {
    writing: Span,
    settling: Span,
    /// Bytes of the file.
    bytes: usize,
}

/// What the steps of all branches share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    faults: Vec<SharedFault>,
    steps: Vec<StepReport>,
    measures: Vec<MeasureReport>,
    /// Everything that came from the serial port, as far as it was read.
    serial: Vec<u8>,
    /// Bytes of the running drop, and what the drive had taken when it began.
    dropping: Option<(u64, u64)>,
    last_drop: Option<DropTimes>,
    /// When `elapsed` was measured last.
    lap: Time,
}

impl Shared {
    fn done(&mut self, at: Time, what: String, outcome: Option<String>) {
        self.steps.push(StepReport { what, at: seconds(at), outcome });
    }

    fn fault(&self, name: &str) -> Option<&SharedFault> {
        self.faults.iter().find(|fault| fault.lock().name() == name)
    }

    fn measure(&mut self, name: &str, value: f64, unit: &str) {
        self.measures.push(MeasureReport { name: name.into(), value, unit: unit.into() });
    }
}

/// A scenario while it runs.
pub(crate) struct Run<'p> {
    prepared: &'p Prepared,
    host: Host<Powered>,
    shared: Arc<Mutex<Shared>>,
    /// The file that was dropped last.
    dropped: Option<Source>,
    /// The baud rate with which the serial port was opened.
    baud: Option<u32>,
    until: Time,
    /// Faults that wait for an event.
    triggers: Option<Triggers>,
    /// The reset button is held until the device has been enumerated.
    fresh: bool,
}

impl Prepared {
    /// Runs the scenario.
    ///
    /// # Errors
    /// [`ScenarioError`] for a board that cannot be powered, which a prepared one can, and for a scenario whose host is not in
    /// this process.
    pub fn run(&self, settings: Settings) -> Result<Outcome, ScenarioError> {
        if self.scenario.host == HostKind::Vm {
            return Err(ScenarioError::anywhere(
                "host: with the virtual machine no two runs are the same; only `scenario run` runs this scenario",
            ));
        }
        let start = Instant::now();
        let seed = settings.seed.unwrap_or(self.scenario.seed);
        let watch = !settings.fast || settings.sink.is_some();
        let (mut powered, faults) = self.power_on(settings.driver, watch, seed)?;
        let hash = Arc::new(Mutex::new(TraceHash::default()));
        powered.board.add_sink(Box::new(hash.clone()));
        if let Some(sink) = settings.sink.and_then(|make| make(&powered.name, &powered.board.net_names())) {
            powered.board.add_sink(sink);
        }
        powered.listen();
        let shared = Arc::new(Mutex::new(Shared { faults, ..Shared::default() }));
        let until = Time::ZERO + self.scenario.limit();
        let mut host = Host::new(powered);
        if let Some(capture) = &settings.capture {
            host.record(capture);
        }
        self.arm_host(&mut host, &shared.lock().faults)?;
        let triggers = Triggers::new(&self.scenario.faults, &shared.lock().faults, &shared)
            .map_err(|failed| ScenarioError::anywhere(failed.message))?;
        let mut run = Run {
            prepared: self,
            host,
            shared: shared.clone(),
            dropped: None,
            baud: None,
            until,
            triggers,
            fresh: true,
        };
        run.attended(None);
        let result = run.steps(&self.scenario.steps, true);
        let mut shared = shared.lock();
        run.host.beside(|beside| {
            let rest = beside.received.iter_mut().flat_map(|received| received.drain(..));
            shared.serial.extend(rest);
        });
        let now = run.host.now();
        let board = run.host.into_machine();
        let hash = format!("{:016x}", hash.lock().value());
        let report = self.report(start, (board.name.clone(), seed), now, result, &mut shared, Some(hash));
        Ok(Outcome { report, board, serial: std::mem::take(&mut shared.serial) })
    }

    /// Writes down what happened until the board's time `now`, from `start` of this computer's on.
    fn report(
        &self,
        start: Instant,
        (board, seed): (String, u64),
        now: Time,
        result: Result<(), (usize, Failed)>,
        shared: &mut Shared,
        trace_hash: Option<String>,
    ) -> Report {
        let faults: Vec<_> = shared.faults.iter().map(|fault| FaultReport::of(&fault.lock())).collect();
        let reason = result.err().map(|(step, failed)| failed.reason(self, step));
        let reason = reason.or_else(|| self.never_struck(&faults));
        Report {
            name: self.name.clone(),
            verdict: if reason.is_none() { Verdict::Pass } else { Verdict::Fail },
            reason,
            board,
            host: self.scenario.host,
            seed,
            virtual_time: seconds(now),
            wall_time: (start.elapsed().as_secs_f64() * 1e6).round() / 1e6,
            faults,
            measures: std::mem::take(&mut shared.measures),
            steps: std::mem::take(&mut shared.steps),
            trace_hash,
        }
    }

    /// Arms the faults that are the host's.
    fn arm_host(&self, host: &mut Host<Powered>, faults: &[SharedFault]) -> Result<(), ScenarioError> {
        for (fault, entry) in faults.iter().zip(&self.scenario.faults) {
            if crate::points::is_hosts(fault.point()) {
                host.arm(fault).map_err(|error| ScenarioError::at(&entry.point, error.to_string()))?;
            }
        }
        Ok(())
    }

    /// A fault that never struck proves nothing.
    fn never_struck(&self, faults: &[FaultReport]) -> Option<Reason> {
        let (fault, entry) = faults.iter().zip(&self.scenario.faults).find(|(fault, _)| fault.strikes == 0)?;
        let message = format!("the fault {} ({}) never struck", fault.name, fault.point);
        Some(Reason { message, step: None, line: Some(self.line(entry.point.span().start)) })
    }
}

impl Failed {
    pub(crate) fn new(message: impl Into<String>) -> Failed {
        Failed { message: message.into(), span: None }
    }

    fn at(mut self, step: &Spanned<Step>) -> Failed {
        self.span.get_or_insert(step.span());
        self
    }

    fn reason(self, prepared: &Prepared, step: usize) -> Reason {
        let line = self.span.map(|span| prepared.line(span.start));
        Reason { message: self.message, step: Some(step + 1), line }
    }
}

impl Steps for Run<'_> {
    fn scenario(&self) -> &Scenario {
        &self.prepared.scenario
    }

    fn now(&mut self) -> Time {
        self.host.now()
    }

    fn until(&self) -> Time {
        self.until
    }

    fn step(&mut self, step: &Spanned<Step>) -> Result<(), Failed> {
        match step.as_ref() {
            Step::Repeat(repeat) => self.repeat(repeat),
            Step::Parallel(parallel) => self.parallel(parallel.branches.as_ref()),
            one if doing::is_beside(one) => self.beside(one),
            one => {
                let outcome = self.driver_step(one)?;
                let what = crate::explain::step(one);
                self.shared.lock().done(self.host.now(), what, outcome);
                Ok(())
            }
        }
    }
}

impl Run<'_> {
    /// Does a step that needs no driver.
    fn beside(&mut self, step: &Step) -> Result<(), Failed> {
        if let Step::Serial(serial) = step {
            self.open_serial(serial.baud.as_ref().map(|baud| *baud.as_ref()))?;
            if let Some(length) = &serial.line_break {
                self.send_break(length.as_ref().0)?;
            }
        }
        let shared = self.shared.clone();
        let mut doing = self.host.beside(|beside| Doing::begin(step, beside, &mut shared.lock()))?;
        loop {
            match self.host.beside(|beside| doing.poll(beside, &mut shared.lock()))? {
                Poll::Done(outcome) => {
                    shared.lock().done(self.host.now(), crate::explain::step(step), outcome);
                    return Ok(());
                }
                Poll::Later(at) => self.host.turn(at),
            }
        }
    }

    /// From now on the faults that wait for an event are looked after, and these branches.
    fn attended(&mut self, branches: Option<Branches>) {
        let attendant: Option<Box<dyn Attendant<Powered>>> = match &self.triggers {
            Some(triggers) => {
                triggers.set_branches(branches);
                Some(Box::new(triggers.clone()))
            }
            None => branches.map(|branches| Box::new(branches) as Box<dyn Attendant<Powered>>),
        };
        self.host.attended_by(attendant);
    }

    /// Does lists of steps at the same time: the one that uses drivers here, the others beside it.
    fn parallel(&mut self, branches: &[Vec<Spanned<Step>>]) -> Result<(), Failed> {
        let with_drivers = branches.iter().position(|branch| branch.iter().any(|step| !doing::is_beside_deep(step)));
        let here = with_drivers.unwrap_or(0);
        let others = branches.iter().enumerate().filter(|(index, _)| *index != here).map(|(_, branch)| branch);
        let others: Vec<_> = others.cloned().collect();
        if let Some(baud) = others.iter().flatten().find_map(doing::serial_baud) {
            self.open_serial(baud)?;
        }
        let beside = Branches::new(others, self.shared.clone(), self.host.now());
        self.attended(Some(beside.clone()));
        let mut result = self.steps(&branches[here], false).map_err(|(_, failed)| failed);
        while result.is_ok() && !beside.is_over() {
            if self.host.now() > self.until {
                result = Err(Failed::new("the scenario's time was over before all branches were"));
            }
            self.host.turn(self.until + Span::ms(1));
        }
        self.attended(None);
        result.and_then(|()| beside.result())
    }
}
