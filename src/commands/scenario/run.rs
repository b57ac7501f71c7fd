//! `twinboard scenario run`: runs scenarios and judges them.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use twinboard_scenarios::language::HostKind;
use twinboard_scenarios::report::{Reason, Report, Verdict, human, junit};
use twinboard_scenarios::run::{Prepared, Settings};
use twinboard_sim::board::Driver;

use super::files::Loaded;
use super::{RunOptions, evidence, files, machine};
use crate::failure::Failure;

/// The exit code of a command that Ctrl-C ended, by the convention of shells.
const INTERRUPTED: u8 = 130;

/// Runs the scenarios of the command line.
pub fn run(options: &RunOptions) -> Result<ExitCode, Failure> {
    let scenarios = files::find(&options.files)?.iter().map(|path| files::load(path)).collect::<Result<Vec<_>, _>>()?;
    let jobs = options.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let mut reports = at_once(&scenarios, jobs.max(1), options)?;
    if scenarios.iter().any(|scenario| machine_of(scenario).is_some()) {
        let interrupted = interruptible()?;
        for (scenario, report) in scenarios.iter().zip(&mut reports) {
            let Some(prepared) = machine_of(scenario) else { continue };
            let one = in_machine(scenario, prepared, options, interrupted)?;
            if interrupted.load(Ordering::Relaxed) {
                eprintln!("twinboard: interrupted");
                return Ok(ExitCode::from(INTERRUPTED));
            }
            tell(&one, options);
            *report = Some(one);
        }
    }
    let reports: Vec<_> = reports.into_iter().flatten().collect();
    if let Some(path) = &options.junit {
        write(path, &junit(&reports).map_err(Failure::job)?)?;
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&reports).map_err(Failure::job)?);
    } else {
        summary(&reports);
    }
    Ok(ExitCode::from(u8::from(reports.iter().any(|report| report.verdict == Verdict::Fail))))
}

/// The scenario, if it wants a virtual machine.
fn machine_of(loaded: &Loaded) -> Option<&Prepared> {
    loaded.prepared.as_ref().ok().filter(|prepared| prepared.scenario.host == HostKind::Vm)
}

/// What the first Ctrl-C sets, so that machine and board are put away; the second one ends the process at once.
fn interruptible() -> Result<&'static AtomicBool, Failure> {
    static INTERRUPT: AtomicBool = AtomicBool::new(false);
    ctrlc::set_handler(|| {
        if INTERRUPT.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    })
    .map_err(Failure::job)?;
    Ok(&INTERRUPT)
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text)
        .map_err(|error| Failure::input(format!("{}: {error}", path.display()), "give a file that can be written"))
}

pub(super) fn summary(reports: &[Report]) {
    let count = |verdict| reports.iter().filter(|report| report.verdict == verdict).count();
    let (passed, failed, skipped) = (count(Verdict::Pass), count(Verdict::Fail), count(Verdict::Skipped));
    println!("{passed} passed, {failed} failed, {skipped} skipped");
}

fn tell(report: &Report, options: &RunOptions) {
    if !options.json {
        println!("{}", human(report, options.verbose));
    }
}

/// Runs the scenarios with the host in this process on `jobs` threads; the reports come in the scenarios' order, with
/// nothing for the others.
fn at_once(scenarios: &[Loaded], jobs: usize, options: &RunOptions) -> Result<Vec<Option<Report>>, Failure> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Result<Option<Report>, Failure>>> = Mutex::new(scenarios.iter().map(|_| Ok(None)).collect());
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(scenarios.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(scenario) = scenarios.get(index) else { break };
                    if machine_of(scenario).is_some() {
                        continue;
                    }
                    let report = one(scenario, options);
                    if let Ok(report) = &report {
                        tell(report, options);
                    }
                    done.lock()[index] = report.map(Some);
                }
            });
        }
    });
    done.into_inner().into_iter().collect()
}

/// Runs one scenario with Linux in the virtual machine, as often as asked or until it fails.
fn in_machine(
    loaded: &Loaded,
    prepared: &Prepared,
    options: &RunOptions,
    interrupted: &AtomicBool,
) -> Result<Report, Failure> {
    let driver = if options.threaded { Driver::Threaded } else { Driver::Stepped };
    let mut turn = 1;
    loop {
        let mut recorded = machine::run(loaded, prepared, options.seed, driver, interrupted)?;
        let failed = recorded.outcome.report.verdict == Verdict::Fail;
        if !failed && turn < options.repeat && !interrupted.load(Ordering::Relaxed) {
            turn += 1;
            continue;
        }
        if let (true, 2.., Some(reason)) = (failed, turn, &mut recorded.outcome.report.reason) {
            reason.message = format!("in run {turn}: {}", reason.message);
        }
        // Where no machine came up, there is nothing to see.
        let ran = recorded.outcome.board.is_some() && !interrupted.load(Ordering::Relaxed);
        if failed && ran && !options.no_evidence {
            let folder = evidence::keep(loaded, &mut recorded, &options.evidence)?;
            if !options.json {
                eprintln!("twinboard: evidence in {}", folder.display());
            }
        }
        return Ok(recorded.outcome.report);
    }
}

/// Runs one scenario, as often as asked.
fn one(loaded: &Loaded, options: &RunOptions) -> Result<Report, Failure> {
    let prepared = match &loaded.prepared {
        Ok(prepared) => prepared,
        Err(why) => {
            let name = files::name(&loaded.path);
            return Ok(Report::skipped(&name, "", options.seed.unwrap_or(0), why.clone()));
        }
    };
    let driver = if options.threaded { Driver::Threaded } else { Driver::Stepped };
    let run = || {
        let settings = Settings { seed: options.seed, driver, ..Settings::default() };
        prepared.run(settings).map_err(|error| Failure::scenario(&loaded.path, &loaded.text, &error))
    };
    let mut report = run()?.report;
    for turn in 2..=options.repeat {
        let again = run()?.report;
        if again.without_wall_time() != report.without_wall_time() {
            let message = format!(
                "run {turn} was another one than the first: trace {} and {}",
                again.trace_hash.unwrap_or_default(),
                report.trace_hash.as_deref().unwrap_or_default()
            );
            report.verdict = Verdict::Fail;
            report.reason = Some(Reason { message, step: None, line: None });
            break;
        }
    }
    if report.verdict == Verdict::Fail && !options.no_evidence {
        let folder = evidence::leave(loaded, prepared, &report, &options.evidence)?;
        if !options.json {
            eprintln!("twinboard: evidence in {}", folder.display());
        }
    }
    Ok(report)
}
