//! `twinboard scenario minimise FILE`: makes a failing scenario smaller, as long as it fails for the same reason.
//!
//! Faults and steps are taken away, times and counts are brought down. The smaller scenario is written beside the evidence of
//! the run, or to `--out`. Exit code 1 if the scenario does not fail.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use twinboard_models::image::known;
use twinboard_scenarios::minimise::{self, MinimiseError};
use twinboard_scenarios::report::human;
use twinboard_scenarios::run::{Places, PrepareError};

use super::{evidence, files};
use crate::failure::Failure;

/// Options of `scenario minimise`.
#[derive(Debug, Args)]
pub struct MinimiseOptions {
    /// The scenario file.
    pub file: PathBuf,
    /// The seed with which it fails, if it is not its own.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Run it at most so many times.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub runs: u32,
    /// Where failing runs leave their evidence.
    #[arg(long, value_name = "DIR", default_value = "twinboard-out/scenarios")]
    pub evidence: PathBuf,
    /// Write the smaller scenario here instead.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Makes a scenario smaller.
pub fn minimise(options: &MinimiseOptions) -> Result<ExitCode, Failure> {
    let path = &options.file;
    let text = files::read(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let images = known::folder();
    let places = Places { folder, images: &images };
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{spinner} run {pos}") {
        bar.set_style(style);
    }
    let mut told = |run: u32| bar.set_position(run.into());
    let result = minimise::minimise(&text, &files::name(path), places, options.seed, options.runs, &mut told);
    bar.finish_and_clear();
    let small = result.map_err(|error| match error {
        MinimiseError::Prepare(PrepareError::Wrong(error)) => Failure::scenario(path, &text, &error),
        MinimiseError::Prepare(PrepareError::Skipped(why)) => Failure::job(why),
        MinimiseError::Passes(report) => {
            Failure::job(format!("{}: it passes with seed {}, so nothing is to be found", report.name, report.seed))
        }
    })?;
    let out = match &options.out {
        Some(out) => out.clone(),
        None => evidence::folder(&small.before, &options.evidence)?.join("minimal.toml"),
    };
    let reason = small.after.reason.as_ref().map_or("", |reason| &reason.message).replace('\n', "\n# ");
    let head = format!("# {}, made smaller. It fails:\n# {reason}\n\n", small.before.name);
    fs::write(&out, head + &small.text)
        .map_err(|error| Failure::input(format!("{}: {error}", out.display()), "give a file that can be written"))?;
    println!("{}", human(&small.after, false));
    println!("{} after {} runs", out.display(), small.runs);
    Ok(ExitCode::SUCCESS)
}
