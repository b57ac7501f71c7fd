//! `twinboard scenario sweep` and `merge`: a matrix of scenarios, on all processors and on many machines.
//!
//! Each run leaves a line in `--out`. A sweep that was interrupted goes on where it was; `--shard K/N` does the K-th of N
//! parts, which together are everything; `merge` puts the parts' results together. Exit code 1 if a run failed, 2 if
//! something is wrong with the matrix, a scenario or the results.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use twinboard_models::image::known;
use twinboard_scenarios::report::{Report, Verdict, human, junit};
use twinboard_scenarios::sweep::progress::{Foreign, Progress};
use twinboard_scenarios::sweep::results::{self, Results, ResultsError};
use twinboard_scenarios::sweep::shard::Shard;
use twinboard_scenarios::sweep::{How, Sweep, SweepError};

use crate::failure::Failure;

/// Options of `scenario sweep`.
#[derive(Debug, Args)]
pub struct SweepOptions {
    /// The matrix file.
    pub matrix: PathBuf,
    /// The results, one JSON object per line; runs that are there are not run again.
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    pub out: Option<PathBuf>,
    /// Do the K-th of N parts.
    #[arg(long, value_name = "K/N", default_value_t = Shard::WHOLE)]
    pub shard: Shard,
    /// Run so many at the same time; as many as there are processors if not given.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Let the debug wires be part of the fingerprint, as `scenario run` does; several times slower.
    #[arg(long)]
    pub wires: bool,
    /// Only say what would be run.
    #[arg(long)]
    pub list: bool,
}

/// Options of `scenario merge`.
#[derive(Debug, Args)]
pub struct MergeOptions {
    /// Results files.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Every run of this matrix must be there.
    #[arg(long, value_name = "MATRIX")]
    pub complete: Option<PathBuf>,
    /// Write the verdicts as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Print the reports as JSON.
    #[arg(long)]
    pub json: bool,
}

impl From<SweepError> for Failure {
    fn from(error: SweepError) -> Failure {
        Failure::scenario(Path::new(&error.label), &error.text, &error.error)
    }
}

impl From<ResultsError> for Failure {
    fn from(error: ResultsError) -> Failure {
        let help = match &error {
            ResultsError::File { .. } => "give a results file, as `twinboard scenario sweep --out` writes it",
            ResultsError::Busy(_) => "give each part a file of its own, and put them together with `scenario merge`",
            ResultsError::Line { .. } => "give a results file; only its last line may be half-written",
            ResultsError::Conflict { .. } => "merge results of one version of the scenarios and of twinboard",
        };
        Failure::input(error, help)
    }
}

fn foreign(path: &Path, error: &Foreign) -> Failure {
    Failure::input(format!("{}: {error}", path.display()), "give each matrix a results file of its own")
}

/// Runs what is missing.
pub fn sweep(options: &SweepOptions) -> Result<ExitCode, Failure> {
    let sweep = Sweep::load(&options.matrix, &known::folder())?;
    if options.list {
        for index in (0..sweep.len()).filter(|index| options.shard.has(*index)) {
            let (cell, seed) = sweep.run(index);
            println!("{} seed {seed}", cell.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let Some(out) = &options.out else {
        return Err(Failure::input("--out: a results file was expected", "name the file that results go to"));
    };
    sweep.check()?;
    let mut progress = Progress::new(&sweep);
    let mut wrong = None;
    let mut results = Results::open(out, &mut |entry| {
        if let Err(error) = progress.take(&entry) {
            wrong.get_or_insert(error);
        }
    })?;
    if let Some(error) = wrong {
        return Err(foreign(out, &error));
    }
    let missing = progress.missing(options.shard);
    let jobs = options.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let bar = bar(missing.len());
    sweep.each(&missing, How { jobs: jobs.max(1), wires: options.wires }, |entry| {
        results.append(&entry)?;
        if entry.report.verdict == Verdict::Fail {
            bar.suspend(|| println!("{}", human(&titled(&entry.report), false)));
        }
        bar.inc(1);
        progress.take(&entry).map_err(|error| foreign(out, &error))
    })?;
    bar.finish_and_clear();
    let [passed, failed, skipped] = [Verdict::Pass, Verdict::Fail, Verdict::Skipped].map(|one| progress.count(one));
    println!("{passed} passed, {failed} failed, {skipped} skipped; {} of them now", missing.len());
    Ok(ExitCode::from(u8::from(failed > 0)))
}

fn bar(length: usize) -> ProgressBar {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(length as u64) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} {per_sec}, {eta} to go") {
        bar.set_style(style);
    }
    bar
}

/// The report with a name that tells its seed.
fn titled(report: &Report) -> Report {
    Report { name: format!("{} seed {}", report.name, report.seed), ..report.clone() }
}

/// Puts results together.
pub fn merge(options: &MergeOptions) -> Result<ExitCode, Failure> {
    let entries = results::merge(&options.files)?;
    if let Some(matrix) = &options.complete {
        complete(matrix, &entries)?;
    }
    let reports: Vec<_> = entries.into_iter().map(|entry| entry.report).collect();
    if let Some(path) = &options.junit {
        let titled: Vec<_> = reports.iter().map(titled).collect();
        super::run::write(path, &junit(&titled).map_err(Failure::job)?)?;
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&reports).map_err(Failure::job)?);
    } else {
        for report in reports.iter().filter(|report| report.verdict == Verdict::Fail) {
            println!("{}", human(&titled(report), false));
        }
        super::run::summary(&reports);
    }
    Ok(ExitCode::from(u8::from(reports.iter().any(|report| report.verdict == Verdict::Fail))))
}

/// Whether every run of a matrix is there.
fn complete(matrix: &Path, entries: &[results::Entry]) -> Result<(), Failure> {
    let sweep = Sweep::load(matrix, &known::folder())?;
    let mut progress = Progress::new(&sweep);
    for entry in entries {
        progress.take(entry).map_err(|error| foreign(matrix, &error))?;
    }
    let missing = progress.missing(Shard::WHOLE);
    let Some(&first) = missing.first() else { return Ok(()) };
    let (cell, seed) = sweep.run(first);
    let message =
        format!("{} of {} runs are missing, the first is {} seed {seed}", missing.len(), sweep.len(), cell.name);
    Err(Failure::input(message, "give the results of all parts"))
}
