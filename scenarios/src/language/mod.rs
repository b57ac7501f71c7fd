//! The scenario language: one TOML file is one scenario.
//!
//! ```toml
//! learn = "What DAPLink tells you when the wire to the target breaks in the middle of a drop."
//! board = "microbit-v2"
//!
//! [[fault]]
//! point = "swd.swdio-open"
//! count = 20000
//! for = "50 ms"
//!
//! [[step]]
//! drop = { program = "20 KB", outcome = "fail" }
//!
//! [[step]]
//! expect = { fail = "error" }
//! ```
//!
//! [`Scenario::parse`] reads it into types; what is wrong is told with its place. [`check`] then looks at what the types
//! cannot know: boards, chips, wires, fault points, names that nobody gave.

pub mod check;
pub mod error;
pub mod fault;
pub mod source;
pub mod step;
pub mod units;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

pub use error::ScenarioError;
use fault::FaultEntry;
use step::Step;
use units::Duration;

/// The largest scenario file, in bytes.
pub const MAX_FILE: usize = 256 << 10;

/// A scenario as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "twinboard scenario", rename = "Scenario")]
pub struct Scenario {
    /// Its name in reports; by default its file's.
    #[schemars(with = "Option<String>")]
    pub name: Option<Spanned<String>>,
    /// What a reader learns from it.
    #[schemars(with = "String")]
    pub learn: Spanned<String>,
    /// A built-in board, or the path of a board file.
    #[schemars(with = "String")]
    pub board: Spanned<String>,
    /// Settings of the board, as `--set KEY=VALUE`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub set: BTreeMap<String, Spanned<toml::Value>>,
    /// The reset button is held when the power comes.
    #[serde(default)]
    pub hold_reset: bool,
    /// Who is at the other end of the cable.
    #[serde(default)]
    pub host: HostKind,
    /// Decides what chance decides; `--seed` overrides it.
    #[serde(default)]
    pub seed: u64,
    /// How much of the board's time all of it may take; 5 min if nothing is said.
    #[schemars(with = "Option<Duration>")]
    pub within: Option<Spanned<Duration>>,
    /// What is in the chips' flash.
    #[serde(default)]
    pub images: Images,
    /// What is to go wrong.
    #[serde(default, rename = "fault")]
    pub faults: Vec<FaultEntry>,
    /// What happens.
    #[serde(default, rename = "step")]
    #[schemars(with = "Vec<Step>")]
    pub steps: Vec<Spanned<Step>>,
}

/// Who is at the other end of the cable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostKind {
    /// The host in this process: deterministic, and as fast as the machine.
    #[default]
    InProcess,
    /// Linux, in the virtual machine: real tools, and no two runs that are the same to the microsecond.
    Vm,
}

impl HostKind {
    /// Whether it is the host in this process.
    #[must_use]
    pub fn is_in_process(&self) -> bool {
        *self == HostKind::InProcess
    }
}

/// Images. Each is a path from the scenario's folder, `builtin:NAME`, or `official:NAME` (one of `twinboard images`; without
/// it the scenario is skipped).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Images {
    /// In the target's flash at power-on.
    #[schemars(with = "Option<String>")]
    pub target: Option<Spanned<String>>,
    /// The interface chip runs it, emulated.
    #[schemars(with = "Option<String>")]
    pub interface: Option<Spanned<String>>,
    /// The interface chip's bootloader.
    #[schemars(with = "Option<String>")]
    pub bootloader: Option<Spanned<String>>,
    /// Images that do not fit the chip are run all the same.
    #[serde(default)]
    pub force: bool,
    /// An ELF file with names of places in the target's program.
    #[schemars(with = "Option<String>")]
    pub symbols: Option<Spanned<String>>,
}

impl Images {
    /// Where the first image stands in the file.
    #[must_use]
    pub fn first_place(&self) -> Option<std::ops::Range<usize>> {
        let Images { target, interface, bootloader, symbols, .. } = self;
        [target, interface, bootloader, symbols].into_iter().flatten().map(Spanned::span).min_by_key(|span| span.start)
    }
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// [`ScenarioError`]: what is wrong, and where.
    pub fn parse(text: &str) -> Result<Scenario, ScenarioError> {
        if text.len() > MAX_FILE {
            return Err(ScenarioError::anywhere(format!(
                "a scenario of at most {MAX_FILE} bytes was expected, this has {}",
                text.len()
            )));
        }
        toml::from_str(text).map_err(|error| ScenarioError { message: error.message().to_string(), span: error.span() })
    }

    /// The JSON Schema of scenario files.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Scenario)
    }
}
