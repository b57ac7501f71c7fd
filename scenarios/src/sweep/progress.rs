//! Which runs of a sweep are done.

use std::collections::HashMap;

use super::Sweep;
use super::results::Entry;
use super::shard::Shard;
use crate::report::Verdict;

/// What results say of a sweep.
#[derive(Debug)]
pub struct Progress<'s> {
    sweep: &'s Sweep,
    cells: HashMap<&'s str, usize>,
    /// Where a seed stands among the matrix's seeds.
    seeds: HashMap<u64, usize>,
    done: Vec<bool>,
    counts: [usize; 3],
}

/// A result is of no run of the sweep.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Foreign {
    /// The matrix has no such run.
    #[error("the matrix has no run {name} with seed {seed}")]
    Unknown {
        /// Its name.
        name: String,
        /// Its seed.
        seed: u64,
    },
    /// The scenario was another one when it was run.
    #[error("the scenario of {0} was another one when it was run")]
    Changed(String),
}

impl<'s> Progress<'s> {
    /// Nothing is done yet.
    #[must_use]
    pub fn new(sweep: &'s Sweep) -> Progress<'s> {
        let cells = sweep.cells.iter().enumerate().map(|(index, cell)| (cell.name.as_str(), index)).collect();
        let seeds = sweep.seeds.iter().flatten().enumerate().map(|(index, seed)| (*seed, index)).collect();
        Progress { sweep, cells, seeds, done: vec![false; sweep.len()], counts: [0; 3] }
    }

    /// Takes a result in.
    ///
    /// # Errors
    /// [`Foreign`] if it is of no run of the sweep.
    pub fn take(&mut self, entry: &Entry) -> Result<(), Foreign> {
        let index = self.index(entry)?;
        if !std::mem::replace(&mut self.done[index], true) {
            self.counts[entry.report.verdict as usize] += 1;
        }
        Ok(())
    }

    fn index(&self, entry: &Entry) -> Result<usize, Foreign> {
        let (name, seed) = (&entry.report.name, entry.report.seed);
        let unknown = || Foreign::Unknown { name: name.clone(), seed };
        let &cell = self.cells.get(name.as_str()).ok_or_else(unknown)?;
        let index = match &self.sweep.seeds {
            None if self.sweep.cells[cell].seed == seed => cell,
            None => return Err(unknown()),
            Some(seeds) => cell * seeds.len() + self.seeds.get(&seed).ok_or_else(unknown)?,
        };
        if self.sweep.cells[cell].fingerprint != entry.scenario {
            return Err(Foreign::Changed(name.clone()));
        }
        Ok(index)
    }

    /// How many ended with `verdict`.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.counts[verdict as usize]
    }

    /// The runs of a part that are not done.
    #[must_use]
    pub fn missing(&self, shard: Shard) -> Vec<usize> {
        (0..self.done.len()).filter(|index| shard.has(*index) && !self.done[*index]).collect()
    }
}
