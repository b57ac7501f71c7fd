//! `twinboard scenario …`: boards that misbehave on purpose.
//!
//! `run` runs scenarios and judges them, `explain` says in words what a scenario will do, `new` writes a beginning,
//! `sweep` runs a matrix of them, `merge` puts its parts together, `minimise` makes a failing one smaller,
//! `points` lists what can be made to go wrong, `schema` prints the JSON Schemas of scenario files and reports.
//! Exit code 1 if a scenario fails, 2 if one is wrong.

mod evidence;
mod files;
mod machine;
mod minimise;
mod run;
mod sweep;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use crate::failure::Failure;

/// The commands on scenarios.
#[derive(Debug, Subcommand)]
pub enum ScenarioCommand {
    /// Run scenarios.
    Run(RunOptions),
    /// Run a matrix: scenarios × boards × images × faults × seeds.
    Sweep(sweep::SweepOptions),
    /// Put the results of a sweep's parts together.
    Merge(sweep::MergeOptions),
    /// Make a failing scenario smaller, as long as it fails for the same reason.
    Minimise(minimise::MinimiseOptions),
    /// Say in words what a scenario will do.
    Explain {
        /// Scenario files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Write a scenario to begin with.
    New {
        /// The file; it must not be there.
        file: PathBuf,
        /// The board.
        #[arg(long, default_value = "microbit-v2")]
        board: String,
    },
    /// List the points where something can be made to go wrong.
    Points {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a JSON Schema.
    Schema {
        /// Of what.
        #[arg(value_enum, default_value = "scenario")]
        of: SchemaOf,
    },
}

/// What a schema is of.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SchemaOf {
    /// Scenario files.
    Scenario,
    /// Reports.
    Report,
    /// Matrix files of sweeps.
    Matrix,
    /// Lines of a sweep's results.
    Result,
}

/// Options of `scenario run`.
#[derive(Debug, Args)]
pub struct RunOptions {
    /// Scenario files, or folders of them.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Write the verdicts as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Print the reports as JSON.
    #[arg(long)]
    pub json: bool,
    /// The seed of all of them, instead of their own.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Run each so many times; all reports must be the same. With host = "vm" no two runs are the same: all must pass.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub repeat: u32,
    /// Run so many at the same time; as many as there are processors if not given. Those with host = "vm" run behind the
    /// others, one after the other.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Run the chips of a board on threads of their own, which changes nothing.
    #[arg(long)]
    pub threaded: bool,
    /// Where a failing run leaves its evidence.
    #[arg(long, value_name = "DIR", default_value = "twinboard-out/scenarios")]
    pub evidence: PathBuf,
    /// Leave no evidence.
    #[arg(long)]
    pub no_evidence: bool,
    /// Show every step and every fault.
    #[arg(long, short)]
    pub verbose: bool,
}

/// Runs a command on scenarios.
pub fn run(command: ScenarioCommand) -> Result<ExitCode, Failure> {
    match command {
        ScenarioCommand::Run(options) => run::run(&options),
        ScenarioCommand::Sweep(options) => sweep::sweep(&options),
        ScenarioCommand::Merge(options) => sweep::merge(&options),
        ScenarioCommand::Minimise(options) => minimise::minimise(&options),
        ScenarioCommand::Explain { files } => words::explain(&files),
        ScenarioCommand::New { file, board } => words::new(&file, &board),
        ScenarioCommand::Points { json } => words::points(json),
        ScenarioCommand::Schema { of } => words::schema(of),
    }
}
