//! The matrix file: what is multiplied.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::language::ScenarioError;

/// The most seeds of a matrix.
pub const MOST_SEEDS: u64 = 1_000_000;
/// The most variants of each kind.
const MOST_VARIANTS: usize = 1000;

/// A matrix as written: every scenario with every board, images variant, faults variant and seed. What is left out is as
/// the scenarios have it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "twinboard scenario matrix", rename = "Matrix")]
pub struct Matrix {
    /// Scenario files, as paths from the matrix's folder.
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub scenarios: Spanned<Vec<Spanned<String>>>,
    /// Boards instead of the scenarios' own: built-in ones, or paths of board files from each scenario's folder.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub boards: Vec<Spanned<String>>,
    /// Images; the scenarios then have none of their own.
    #[serde(default)]
    pub images: Vec<ImagesVariant>,
    /// Faults beside those that the scenarios have.
    #[serde(default)]
    pub faults: Vec<FaultsVariant>,
    /// Seeds instead of the scenarios' own.
    #[schemars(with = "Option<Seeds>")]
    pub seeds: Option<Spanned<Seeds>>,
}

/// Images under a name: the keys of a scenario's `[images]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct ImagesVariant {
    /// Its name in reports.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// As in a scenario; paths are from each scenario's folder.
    #[serde(flatten)]
    #[schemars(with = "crate::language::Images")]
    pub images: toml::Table,
}

/// Faults under a name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultsVariant {
    /// Its name in reports.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// As a scenario's `[[fault]]`; none is a variant too.
    #[serde(default)]
    #[schemars(with = "Vec<crate::language::fault::FaultEntry>")]
    pub fault: Vec<toml::Table>,
}

/// Seeds.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "seeds: a list of numbers, or { from = 1, to = 200 }, was expected")]
pub enum Seeds {
    /// These.
    List(Vec<u64>),
    /// All from one to another.
    Range(SeedRange),
}

/// Seeds in a row.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeedRange {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

impl Matrix {
    /// Reads a matrix.
    ///
    /// # Errors
    /// [`ScenarioError`]: what is wrong, and where.
    pub fn parse(text: &str) -> Result<Matrix, ScenarioError> {
        if text.len() > crate::language::MAX_FILE {
            let most = crate::language::MAX_FILE;
            return Err(ScenarioError::anywhere(format!(
                "at most {most} bytes were expected, these are {}",
                text.len()
            )));
        }
        let matrix: Matrix = toml::from_str(text)
            .map_err(|error| ScenarioError { message: error.message().to_string(), span: error.span() })?;
        matrix.check()?;
        Ok(matrix)
    }

    fn check(&self) -> Result<(), ScenarioError> {
        if self.scenarios.as_ref().is_empty() {
            return Err(ScenarioError::at(&self.scenarios, "scenarios: at least one scenario file was expected"));
        }
        names("scenarios", self.scenarios.as_ref().iter())?;
        names("boards", self.boards.iter())?;
        names("images", self.images.iter().map(|variant| &variant.name))?;
        names("faults", self.faults.iter().map(|variant| &variant.name))?;
        let Some(seeds) = &self.seeds else { return Ok(()) };
        match seeds.as_ref() {
            Seeds::List(list) => {
                let mut sorted = list.clone();
                sorted.sort_unstable();
                sorted.dedup();
                if list.is_empty() || sorted.len() != list.len() || list.len() as u64 > MOST_SEEDS {
                    let message = format!("seeds: 1 to {MOST_SEEDS} different numbers were expected");
                    return Err(ScenarioError::at(seeds, message));
                }
            }
            Seeds::Range(SeedRange { from, to }) if to < from || to - from >= MOST_SEEDS => {
                let message = format!("seeds: 1 to {MOST_SEEDS} seeds were expected; the last one is `to`");
                return Err(ScenarioError::at(seeds, message));
            }
            // The numbers of TOML end there.
            Seeds::Range(_) => {}
        }
        Ok(())
    }

    /// The seeds, if the matrix has any.
    #[must_use]
    pub fn seeds(&self) -> Option<Vec<u64>> {
        self.seeds.as_ref().map(|seeds| match seeds.as_ref() {
            Seeds::List(list) => list.clone(),
            Seeds::Range(range) => (range.from..=range.to).collect(),
        })
    }

    /// The JSON Schema of matrix files.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Matrix)
    }
}

/// Names must tell variants apart: reports are told apart by them.
fn names<'m>(what: &str, all: impl Iterator<Item = &'m Spanned<String>>) -> Result<(), ScenarioError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in all {
        let text: &str = name.as_ref();
        if text.trim().is_empty() {
            return Err(ScenarioError::at(name, format!("{what}: a name was expected")));
        }
        if !seen.insert(text) {
            return Err(ScenarioError::at(name, format!("{what}: {text} is there twice")));
        }
        if seen.len() > MOST_VARIANTS {
            return Err(ScenarioError::at(name, format!("{what}: at most {MOST_VARIANTS} were expected")));
        }
    }
    Ok(())
}
