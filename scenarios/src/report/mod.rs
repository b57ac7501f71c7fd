//! What is told of a scenario that was run. The JSON form is a contract; [`Report::schema`] is its schema.

mod human;
mod junit;

pub use human::human;
pub use junit::junit;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinboard_sim::fault::Fault;
use twinboard_sim::time::{Span, Time};

use crate::language::HostKind;

/// How a scenario ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything was as expected, and every fault struck.
    Pass,
    /// Something was not as expected, or a fault never struck.
    Fail,
    /// It could not be run here.
    Skipped,
}

/// The report on one run of a scenario.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The scenario's name.
    pub name: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Why, if it did not pass: what was expected and what came instead, or what is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The board.
    pub board: String,
    /// Who was at the other end of its cable; left out: the host in this process.
    #[serde(default, skip_serializing_if = "HostKind::is_in_process")]
    pub host: HostKind,
    /// The seed.
    pub seed: u64,
    /// Seconds of the board's time.
    pub virtual_time: f64,
    /// Seconds on this computer. With the host in this process, the only thing here that differs between two runs; with
    /// Linux in the virtual machine times, counts of strikes and what commands print may differ too.
    pub wall_time: f64,
    /// The faults, in the order of the file.
    pub faults: Vec<FaultReport>,
    /// What was measured, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measures: Vec<MeasureReport>,
    /// The steps that were done, in the order in which they ended.
    pub steps: Vec<StepReport>,
    /// A fingerprint of everything that happened on the board's wires, 16 hex digits; left out with Linux in the virtual
    /// machine (`host` is `vm`), which is not deterministic: there is nothing to compare it with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_hash: Option<String>,
}

/// Why a scenario did not pass.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// In words.
    pub message: String,
    /// The step, from 1; none if it was not a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// The line of the file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

/// What a fault did.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultReport {
    /// Its name.
    pub name: String,
    /// Its point.
    pub point: String,
    /// How often it struck.
    pub strikes: u64,
    /// When, where, and what it changed: of the first 32 strikes.
    pub evidence: Vec<EvidenceReport>,
}

/// One strike.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceReport {
    /// Seconds of the board's time.
    pub at: f64,
    /// Where.
    pub place: String,
    /// What it changed.
    pub effect: String,
}

/// A number that was measured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasureReport {
    /// Its name.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: String,
}

/// A step that was done.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepReport {
    /// What it was, in words.
    pub what: String,
    /// When it ended, in seconds of the board's time.
    pub at: f64,
    /// What came of it, in words, if there is something to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

impl Report {
    /// A report on a scenario that could not be run.
    #[must_use]
    pub fn skipped(name: &str, board: &str, seed: u64, why: String) -> Report {
        Report::without_a_run(name, board, seed, Verdict::Skipped, why)
    }

    fn without_a_run(name: &str, board: &str, seed: u64, verdict: Verdict, why: String) -> Report {
        Report {
            name: name.into(),
            verdict,
            reason: Some(Reason { message: why, step: None, line: None }),
            board: board.into(),
            host: HostKind::InProcess,
            seed,
            virtual_time: 0.0,
            wall_time: 0.0,
            faults: Vec::new(),
            measures: Vec::new(),
            steps: Vec::new(),
            trace_hash: None,
        }
    }

    /// A report on a scenario whose virtual machine did not come up.
    #[must_use]
    pub fn without_machine(name: &str, board: &str, seed: u64, why: String) -> Report {
        Report { host: HostKind::Vm, ..Report::without_a_run(name, board, seed, Verdict::Fail, why) }
    }

    /// The same without what differs between two runs with the host in this process.
    #[must_use]
    pub fn without_wall_time(&self) -> Report {
        Report { wall_time: 0.0, ..self.clone() }
    }

    /// The JSON Schema of a report.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Report)
    }
}

impl FaultReport {
    /// What `fault` did.
    #[must_use]
    pub fn of(fault: &Fault) -> FaultReport {
        let evidence = fault.record().evidence().iter().map(|evidence| EvidenceReport {
            at: seconds(evidence.at),
            place: evidence.place.clone(),
            effect: evidence.effect.clone(),
        });
        FaultReport {
            name: fault.name().into(),
            point: fault.point().name.into(),
            strikes: fault.record().strikes(),
            evidence: evidence.collect(),
        }
    }
}

/// The board's time in seconds, rounded down to nanoseconds so that it reads well.
#[must_use]
pub fn seconds(time: Time) -> f64 {
    span_seconds(time.since(Time::ZERO))
}

/// The same for a length of time.
#[must_use]
pub fn span_seconds(span: Span) -> f64 {
    (span.0 / 1000) as f64 / 1e9
}
