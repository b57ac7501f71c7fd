//! `twinboard scenario run`: runs scenarios and judges them.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use twinboard_scenarios::report::{Reason, Report, Verdict, human, junit};
use twinboard_scenarios::run::Settings;
use twinboard_sim::board::Driver;

use super::files::Loaded;
use super::{RunOptions, evidence, files};
use crate::failure::Failure;

/// Runs the scenarios of the command line.
pub fn run(options: &RunOptions) -> Result<ExitCode, Failure> {
    let scenarios = files::find(&options.files)?.iter().map(|path| files::load(path)).collect::<Result<Vec<_>, _>>()?;
    let jobs = options.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let reports = at_once(&scenarios, jobs.max(1), options)?;
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

pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text)
        .map_err(|error| Failure::input(format!("{}: {error}", path.display()), "give a file that can be written"))
}

pub(super) fn summary(reports: &[Report]) {
    let count = |verdict| reports.iter().filter(|report| report.verdict == verdict).count();
    let (passed, failed, skipped) = (count(Verdict::Pass), count(Verdict::Fail), count(Verdict::Skipped));
    println!("{passed} passed, {failed} failed, {skipped} skipped");
}

/// Runs scenarios on `jobs` threads; the reports come in the scenarios' order.
fn at_once(scenarios: &[Loaded], jobs: usize, options: &RunOptions) -> Result<Vec<Report>, Failure> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<Result<Report, Failure>>>> = Mutex::new(scenarios.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(scenarios.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(scenario) = scenarios.get(index) else { break };
                    let report = one(scenario, options);
                    if let (Ok(report), false) = (&report, options.json) {
                        println!("{}", human(report, options.verbose));
                    }
                    done.lock()[index] = Some(report);
                }
            });
        }
    });
    done.into_inner().into_iter().flatten().collect()
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
