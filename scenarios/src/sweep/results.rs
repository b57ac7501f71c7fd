//! Results as JSON lines: appended while a sweep runs, read when it goes on, put together when parts of it ran on several
//! machines.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::Report;

/// The longest line that is read, in bytes: a report of ten thousand steps fits well.
const LONGEST_LINE: u64 = 64 << 20;

/// A line of a results file: a run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The fingerprint of the scenario's text, 16 hex digits.
    pub scenario: String,
    /// What came of it. A run's key is its `name` and its `seed`.
    pub report: Report,
}

impl Entry {
    /// The JSON Schema of a line.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Entry)
    }
}

/// Why results cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another process writes to it.
    #[error("{}: another sweep writes to it", .0.display())]
    Busy(PathBuf),
    /// A line is no result. Only the last line may be, if it does not end.
    #[error("{}, line {line}: a result was expected: {what}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// Two results of one run differ.
    #[error("{name}, seed {seed}: {} and {} contradict each other: {what}", one.display(), other.display())]
    Conflict {
        /// The run's name.
        name: String,
        /// Its seed.
        seed: u64,
        /// A file with one result.
        one: PathBuf,
        /// A file with another.
        other: PathBuf,
        /// In what they differ.
        what: &'static str,
    },
}

/// A results file that is written to.
#[derive(Debug)]
pub struct Results {
    file: File,
    path: PathBuf,
}

impl Results {
    /// Opens a results file, or begins one. `seen` is given what is in it. A half-written last line is cut off.
    ///
    /// # Errors
    /// [`ResultsError`].
    pub fn open(path: &Path, seen: &mut dyn FnMut(Entry)) -> Result<Results, ResultsError> {
        let wrong = |error| ResultsError::File { path: path.into(), error };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(wrong)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => ResultsError::Busy(path.into()),
            TryLockError::Error(error) => wrong(error),
        })?;
        let whole = lines(&file, path, seen)?;
        file.set_len(whole).and_then(|()| file.seek(SeekFrom::Start(whole))).map_err(wrong)?;
        Ok(Results { file, path: path.into() })
    }

    /// Writes a line.
    ///
    /// # Errors
    /// [`ResultsError::File`].
    pub fn append(&mut self, entry: &Entry) -> Result<(), ResultsError> {
        let wrong = |error| ResultsError::File { path: self.path.clone(), error };
        let mut line = serde_json::to_vec(entry).map_err(|error| wrong(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(wrong)
    }
}

/// Reads the lines of a file; how many bytes of it are whole lines.
fn lines(file: &File, path: &Path, seen: &mut dyn FnMut(Entry)) -> Result<u64, ResultsError> {
    let mut reader = BufReader::new(file);
    let (mut whole, mut text) = (0, Vec::new());
    for line in 1.. {
        text.clear();
        let length = (&mut reader)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut text)
            .map_err(|error| ResultsError::File { path: path.into(), error })? as u64;
        let wrong = |what: String| ResultsError::Line { path: path.into(), line, what };
        if length == LONGEST_LINE && text.last() != Some(&b'\n') {
            return Err(wrong(format!("it is longer than {LONGEST_LINE} bytes")));
        }
        if text.last() != Some(&b'\n') {
            break;
        }
        seen(serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?);
        whole += length;
    }
    Ok(whole)
}

/// The union of results files, sorted by name and seed.
///
/// # Errors
/// [`ResultsError`]: two results of one run that differ in more than the time they took here are an error.
pub fn merge(paths: &[PathBuf]) -> Result<Vec<Entry>, ResultsError> {
    let mut all: BTreeMap<(String, u64), (Entry, usize)> = BTreeMap::new();
    for (index, path) in paths.iter().enumerate() {
        let file = File::open(path).map_err(|error| ResultsError::File { path: path.clone(), error })?;
        let mut conflict = None;
        lines(&file, path, &mut |entry| {
            let key = (entry.report.name.clone(), entry.report.seed);
            if let Some((known, first)) = all.get(&key) {
                let what = difference(known, &entry);
                conflict = conflict.take().or(what.map(|what| (key, *first, what)));
            } else {
                all.insert(key, (entry, index));
            }
        })?;
        if let Some(((name, seed), first, what)) = conflict {
            return Err(ResultsError::Conflict { name, seed, one: paths[first].clone(), other: path.clone(), what });
        }
    }
    Ok(all.into_values().map(|(entry, _)| entry).collect())
}

/// In what two results of one run contradict each other.
fn difference(one: &Entry, other: &Entry) -> Option<&'static str> {
    let (a, b) = (&one.report, &other.report);
    if one.scenario != other.scenario {
        Some("they are of different scenario texts")
    } else if a.verdict != b.verdict {
        Some("the verdicts differ")
    } else if a.trace_hash != b.trace_hash {
        Some("the fingerprints of the wires differ")
    } else {
        (a.without_wall_time() != b.without_wall_time()).then_some("the reports differ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, seed: u64) -> Entry {
        let report = Report { wall_time: 0.5, ..Report::skipped(name, "board", seed, "why".into()) };
        Entry { scenario: "00".into(), report }
    }

    fn written(path: &Path, entries: &[Entry]) {
        let mut results = Results::open(path, &mut |_| panic!("it is new")).expect("is begun");
        entries.iter().for_each(|entry| results.append(entry).expect("is written"));
    }

    #[test]
    fn a_half_written_last_line_is_forgotten_and_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r.jsonl");
        written(&path, &[entry("a", 1), entry("a", 2)]);
        let whole = std::fs::read(&path).expect("is there");
        for cut in 1..whole.len() / 2 {
            std::fs::write(&path, &whole[..whole.len() - cut]).expect("is written");
            let mut seen = Vec::new();
            let mut results = Results::open(&path, &mut |entry| seen.push(entry)).expect("opens");
            assert_eq!(seen, [entry("a", 1)]);
            results.append(&entry("a", 2)).expect("is written");
            assert_eq!(std::fs::read(&path).expect("is there"), whole);
        }
    }

    #[test]
    fn a_bad_line_in_the_middle_is_told_with_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r.jsonl");
        written(&path, &[entry("a", 1)]);
        let mut text = std::fs::read_to_string(&path).expect("is text");
        text.push_str("{\"scenario\": 1}\n");
        std::fs::write(&path, text).expect("is written");
        let error = Results::open(&path, &mut |_| ()).expect_err("is bad").to_string();
        assert!(error.contains("line 2: a result was expected"), "{error}");
    }

    #[test]
    fn two_sweeps_do_not_write_to_one_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r.jsonl");
        let first = Results::open(&path, &mut |_| ()).expect("opens");
        assert!(matches!(Results::open(&path, &mut |_| ()), Err(ResultsError::Busy(_))));
        drop(first);
        Results::open(&path, &mut |_| ()).expect("opens again");
    }

    #[test]
    fn a_merge_is_a_sorted_union_and_contradictions_are_errors() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        written(&path("1"), &[entry("b", 1), entry("a", 10)]);
        // The same run again, as slow as another machine is.
        let slower = Entry { report: Report { wall_time: 9.0, ..entry("b", 1).report }, ..entry("b", 1) };
        written(&path("2"), &[entry("a", 9), slower]);
        let merged = merge(&[path("1"), path("2")]).expect("no contradictions");
        let keys: Vec<_> = merged.iter().map(|entry| (entry.report.name.as_str(), entry.report.seed)).collect();
        assert_eq!(keys, [("a", 9), ("a", 10), ("b", 1)]);

        let mut other = entry("a", 10);
        other.report.trace_hash = Some("1".into());
        written(&path("3"), &[other]);
        let error = merge(&[path("1"), path("3")]).expect_err("contradict each other");
        assert!(matches!(&error, ResultsError::Conflict { name, seed: 10, .. } if name == "a"), "{error}");
        let error = merge(&[path("1"), path("none")]).expect_err("is not there");
        assert!(matches!(error, ResultsError::File { .. }));
    }
}
