//! How a command fails: exit code 1 when the job failed, 2 when what it was given is wrong.

use std::path::Path;
use std::process::ExitCode;

use miette::{LabeledSpan, NamedSource, Report, miette};
use twinboard_models::board::BoardError;
use twinboard_scenarios::language::ScenarioError;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// The job failed.
    Job(Report),
    /// The usage or an input is wrong.
    Input(Report),
}

impl Failure {
    /// The job failed for `reason`.
    pub fn job(reason: impl std::fmt::Display) -> Failure {
        Failure::Job(miette!("{reason}"))
    }

    /// An input is wrong; `help` says what to do.
    pub fn input(reason: impl std::fmt::Display, help: impl std::fmt::Display) -> Failure {
        Failure::Input(miette!(help = help.to_string(), "{reason}"))
    }

    /// A board file is wrong.
    pub fn board(file: &Path, text: &str, error: &BoardError) -> Failure {
        let labels = error.span.clone().map(|span| LabeledSpan::at(span, "here"));
        Failure::Input(
            miette!(labels = labels.into_iter().collect::<Vec<_>>(), "{error}")
                .with_source_code(NamedSource::new(file.display().to_string(), text.to_string())),
        )
    }

    /// A scenario is wrong.
    pub fn scenario(file: &Path, text: &str, error: &ScenarioError) -> Failure {
        let labels = error.span.clone().map(|span| LabeledSpan::at(span, "here"));
        Failure::Input(
            miette!(labels = labels.into_iter().collect::<Vec<_>>(), "{error}")
                .with_source_code(NamedSource::new(file.display().to_string(), text.to_string())),
        )
    }

    /// Shows the failure to the user.
    pub fn report(&self) -> ExitCode {
        let (report, code) = match self {
            Failure::Job(report) => (report, 1),
            Failure::Input(report) => (report, 2),
        };
        eprintln!("{report:?}");
        ExitCode::from(code)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::job(error)
    }
}
