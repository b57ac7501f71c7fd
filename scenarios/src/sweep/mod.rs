//! Sweeps: scenarios × boards × images × faults × seeds.
//!
//! A matrix file ([`matrix`]) names what is multiplied. Each combination but for the seed is a cell: a scenario of its own,
//! made by putting what was chosen into a scenario's text ([`compose`]). A run is a cell with a seed. Runs are numbered, so a
//! part of a sweep is a set of numbers ([`shard`]), and each leaves one line in a results file ([`results`]). Whoever runs
//! which part, and however often it was interrupted: the union of the lines is the same.

pub mod compose;
pub mod matrix;
pub mod progress;
pub mod results;
pub mod shard;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::language::{HostKind, MAX_FILE, ScenarioError};
use crate::report::Report;
use crate::run::{Places, PrepareError, Prepared, Settings};
use compose::Choice;
use matrix::{FaultsVariant, ImagesVariant, Matrix};
use results::Entry;

/// The most runs of a sweep.
pub const MOST_RUNS: usize = 10_000_000;

/// The most combinations but for seeds: each holds a scenario's text.
const MOST_CELLS: usize = 10_000;

/// A matrix, multiplied out.
#[derive(Debug)]
pub struct Sweep {
    cells: Vec<Cell>,
    /// None: each cell has one run, with its scenario's own seed.
    seeds: Option<Vec<u64>>,
    images: PathBuf,
}

/// One combination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cell {
    /// Its name in reports: what was chosen, with slashes between.
    pub name: String,
    /// The scenario's text.
    pub text: String,
    /// The file that the scenario was made from.
    pub base: PathBuf,
    /// The fingerprint of its text.
    pub fingerprint: String,
    /// Where it looks for files.
    folder: PathBuf,
    /// The seed that the scenario names.
    seed: u64,
}

/// A file of a sweep is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{label}: {error}")]
pub struct SweepError {
    /// Which file, and of which cell if it is a scenario that was put together.
    pub label: String,
    /// What is in it.
    pub text: String,
    /// What is wrong.
    pub error: ScenarioError,
}

/// How the runs are done.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// So many at the same time.
    pub jobs: usize,
    /// The debug wires belong to the fingerprint too, as in `scenario run`; several times slower.
    pub wires: bool,
}

impl Sweep {
    /// Reads a matrix and its scenarios. Official images come from `images`.
    ///
    /// # Errors
    /// [`SweepError`].
    pub fn load(path: &Path, images: &Path) -> Result<Sweep, SweepError> {
        let label = path.display().to_string();
        let text = read(path).map_err(|error| SweepError { label: label.clone(), text: String::new(), error })?;
        let wrong = |error| SweepError { label: label.clone(), text: text.clone(), error };
        let matrix = Matrix::parse(&text).map_err(wrong)?;
        let folder = parent(path);
        let variants = [matrix.boards.len(), matrix.images.len(), matrix.faults.len()];
        let count =
            variants.iter().fold(matrix.scenarios.as_ref().len(), |all, some| all.saturating_mul(*some.max(&1)));
        if count > MOST_CELLS {
            let message = format!("at most {MOST_CELLS} combinations but for seeds were expected, these are {count}");
            return Err(wrong(ScenarioError::anywhere(message)));
        }
        let mut cells = Vec::new();
        for file in matrix.scenarios.as_ref() {
            let base = folder.join(file.as_ref());
            let text = read(&base).map_err(|error| wrong(ScenarioError::at(file, error.message)))?;
            multiply(&matrix, file.as_ref(), &base, &text, &mut cells)?;
        }
        let sweep = Sweep { cells, seeds: matrix.seeds(), images: images.into() };
        if sweep.len() > MOST_RUNS {
            let message = format!("at most {MOST_RUNS} runs were expected, these are {}", sweep.len());
            return Err(wrong(ScenarioError::anywhere(message)));
        }
        let mut names: Vec<_> = sweep.cells.iter().map(|cell| &cell.name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let message = format!("two scenarios would be called {}; give their files different names", twice[0]);
            return Err(wrong(ScenarioError::at(&matrix.scenarios, message)));
        }
        Ok(sweep)
    }

    /// How many runs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len() * self.seeds.as_ref().map_or(1, Vec::len)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The combinations.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Run `index`: its cell and its seed. `index` is below [`Sweep::len`].
    #[must_use]
    pub fn run(&self, index: usize) -> (&Cell, u64) {
        match &self.seeds {
            None => (&self.cells[index], self.cells[index].seed),
            Some(seeds) => (&self.cells[index / seeds.len()], seeds[index % seeds.len()]),
        }
    }

    /// Tries whether every cell can be run, before the first one is.
    ///
    /// # Errors
    /// [`SweepError`] of the first that cannot.
    pub fn check(&self) -> Result<(), SweepError> {
        self.cells.iter().try_for_each(|cell| cell.prepare(&self.images).map(drop))
    }

    /// Does the runs of `indices`; `done` is given each result, by one thread at a time, in any order.
    ///
    /// # Errors
    /// The first error, of a scenario or of `done`; runs under way are then finished, no others are begun.
    pub fn each<E: From<SweepError> + Send>(
        &self,
        indices: &[usize],
        how: How,
        done: impl FnMut(Entry) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (done, error) = (Mutex::new(done), Mutex::new(None));
        let work = || {
            // Neighbouring runs mostly differ in their seed only.
            let mut prepared = None;
            while !stop.load(Ordering::Relaxed) {
                let Some(&index) = indices.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                let result = self.one(index, how, &mut prepared).map_err(E::from);
                if let Err(wrong) = result.and_then(|entry| (*done.lock())(entry)) {
                    stop.store(true, Ordering::Relaxed);
                    error.lock().get_or_insert(wrong);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..how.jobs.clamp(1, indices.len().max(1)) {
                scope.spawn(work);
            }
            work();
        });
        error.into_inner().map_or(Ok(()), Err)
    }

    fn one<'s>(
        &'s self,
        index: usize,
        how: How,
        kept: &mut Option<(&'s Cell, Result<Prepared, String>)>,
    ) -> Result<Entry, SweepError> {
        let (cell, seed) = self.run(index);
        if kept.as_ref().is_none_or(|(of, _)| !std::ptr::eq(*of, cell)) {
            // The old one goes first: there is room for one.
            *kept = None;
        }
        let (_, prepared) = match kept {
            Some(kept) => kept,
            None => kept.insert((cell, cell.prepare(&self.images)?)),
        };
        let report = match prepared {
            Ok(prepared) => {
                let settings = Settings { seed: Some(seed), fast: !how.wires, ..Settings::default() };
                prepared.run(settings).map_err(|error| cell.wrong(error))?.report
            }
            Err(why) => Report::skipped(&cell.name, "", seed, why.clone()),
        };
        Ok(Entry { scenario: cell.fingerprint.clone(), report })
    }
}

impl Cell {
    /// The cell as a scenario; `Err` within: why it is skipped.
    ///
    /// # Errors
    /// [`SweepError`] if the scenario is wrong.
    pub fn prepare(&self, images: &Path) -> Result<Result<Prepared, String>, SweepError> {
        match Prepared::new(&self.text, &self.name, Places { folder: &self.folder, images }) {
            Ok(mut prepared) => {
                prepared.name.clone_from(&self.name);
                Ok(Ok(prepared))
            }
            Err(PrepareError::Skipped(why)) => Ok(Err(why)),
            Err(PrepareError::Wrong(error)) => Err(self.wrong(error)),
        }
    }

    fn wrong(&self, error: ScenarioError) -> SweepError {
        let label = format!("{} as {}", self.base.display(), self.name);
        SweepError { label, text: self.text.clone(), error }
    }
}

/// All cells of one scenario.
fn multiply(matrix: &Matrix, file: &str, base: &Path, text: &str, cells: &mut Vec<Cell>) -> Result<(), SweepError> {
    let wrong = |error| SweepError { label: base.display().to_string(), text: text.into(), error };
    let stem = Path::new(file).file_stem().map_or_else(|| file.into(), |stem| stem.to_string_lossy());
    for board in choices(&matrix.boards) {
        for images in choices(&matrix.images) {
            for faults in choices(&matrix.faults) {
                let choice = Choice {
                    board: board.map(|board| board.as_ref().as_str()),
                    images: images.map(|variant: &ImagesVariant| &variant.images),
                    faults: faults.map_or(&[][..], |variant: &FaultsVariant| &variant.fault),
                };
                let names = [
                    Some(stem.as_ref()),
                    choice.board,
                    images.map(|variant| variant.name.as_ref().as_str()),
                    faults.map(|variant| variant.name.as_ref().as_str()),
                ];
                let name = names.into_iter().flatten().collect::<Vec<_>>().join("/");
                let text = compose::compose(text, choice).map_err(wrong)?;
                let scenario = crate::language::Scenario::parse(&text);
                let (label, failing) = (format!("{} as {name}", base.display()), text.clone());
                let wrong = |error| SweepError { label, text: failing, error };
                let scenario = scenario.map_err(wrong)?;
                if scenario.host == HostKind::Vm {
                    let message = "host: scenarios of a sweep run in process";
                    return Err(SweepError {
                        label: base.display().to_string(),
                        text,
                        error: ScenarioError::anywhere(message),
                    });
                }
                let fingerprint = compose::fingerprint(&text);
                let (base, folder) = (base.to_path_buf(), parent(base));
                cells.push(Cell { name, text, base, fingerprint, folder, seed: scenario.seed });
            }
        }
    }
    Ok(())
}

/// All of a list; if it is empty, one choice that changes nothing.
fn choices<T>(list: &[T]) -> impl Iterator<Item = Option<&T>> {
    list.iter().map(Some).chain(list.is_empty().then_some(None))
}

fn parent(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).into()
}

fn read(path: &Path) -> Result<String, ScenarioError> {
    let wrong = |what: String| ScenarioError::anywhere(format!("{}: {what}", path.display()));
    let size = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size > MAX_FILE as u64 {
        return Err(wrong(format!("{size} bytes, at most {MAX_FILE} were expected")));
    }
    fs::read_to_string(path).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests;
