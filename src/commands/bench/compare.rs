//! `bench compare OLD.json NEW.json`.

use std::path::Path;
use std::process::ExitCode;

use miette::{LabeledSpan, NamedSource, miette};

use super::report::{Parts, Report, Row};
use crate::failure::Failure;

/// The largest report that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

pub fn run(old: &Path, new: &Path) -> Result<ExitCode, Failure> {
    let (old, new) = (load(old)?, load(new)?);
    print!("{}", compare(&old, &new));
    Ok(ExitCode::SUCCESS)
}

/// Reads a report.
fn load(path: &Path) -> Result<Report, Failure> {
    let help = "give a file that `twinboard bench flash --json FILE` wrote";
    let wrong = |what: String| Failure::input(format!("{}: {what}", path.display()), help);
    let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size > MAX_FILE {
        return Err(wrong(format!("has {size} bytes, which no report has")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| {
        let label = LabeledSpan::at_offset(offset(&text, error.line(), error.column()), "here");
        Failure::Input(
            miette!(labels = vec![label], help = help, "{}: {error}", path.display())
                .with_source_code(NamedSource::new(path.display().to_string(), text)),
        )
    })
}

/// The byte at a line and a column, both from 1; within the text.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (before + column.saturating_sub(1)).min(text.len().saturating_sub(1))
}

/// The comparison, a line per row.
pub fn compare(old: &Report, new: &Report) -> String {
    let mut text = String::new();
    if old.program_bytes != new.program_bytes {
        text += &format!("the programs have {} and {} bytes\n", old.program_bytes, new.program_bytes);
    }
    text += &format!(
        "{:<22} {:<25} {:<13} {:>8} {:>8} {:>8}  {}\n",
        "board", "firmware", "way", "old", "new", "change", "most of it"
    );
    let (pairs, left) = pair(&old.rows, &new.rows);
    for (old, new) in pairs {
        let firmware = if old.firmware == new.firmware {
            old.firmware.clone()
        } else {
            format!("{} -> {}", old.firmware, new.firmware)
        };
        text += &format!("{:<22} {firmware:<25} {:<13}", old.board, old.way);
        let (Some(before), Some(after)) = (old.measured, new.measured) else {
            text += "  not measured in both\n";
            continue;
        };
        let (was, is) = (before.total.as_secs_f64(), after.total.as_secs_f64());
        let change = (is - was) / was.max(1e-12) * 100.0;
        text += &format!(" {was:>8.3} {is:>8.3} {change:>+7.1}%");
        let differences = before.parts.list().into_iter().zip(after.parts.list());
        let differences = differences.map(|(was, is)| is.as_secs_f64() - was.as_secs_f64());
        let most = differences.zip(Parts::NAMES).max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
        if let Some((difference, name)) = most.filter(|(difference, _)| *difference != 0.0) {
            text += &format!("  {name} {difference:+.3} s");
        }
        text.push('\n');
    }
    for (row, where_) in left {
        text += &format!("only in the {where_} report: {}\n", row.label());
    }
    text
}

type Paired<'a> = (Vec<(&'a Row, &'a Row)>, Vec<(&'a Row, &'static str)>);

/// Rows that belong together, in the order of the old report, and those that have no partner.
fn pair<'a>(old: &'a [Row], new: &'a [Row]) -> Paired<'a> {
    let place = |row: &Row| (row.board.clone(), row.way.clone());
    let same = |a: &Row, b: &Row| place(a) == place(b) && a.firmware == b.firmware;
    let only = |rows: &'a [Row], others: &[Row]| -> Vec<&'a Row> {
        rows.iter().filter(|row| !others.iter().any(|other| same(row, other))).collect()
    };
    let (only_old, only_new) = (only(old, new), only(new, old));
    let alone = |rows: &[&'a Row], row: &Row| -> Option<&'a Row> {
        let mut found = rows.iter().filter(|other| place(other) == place(row));
        found.next().filter(|_| found.next().is_none()).copied()
    };
    let partner = |row: &Row| {
        let equal = new.iter().find(|other| same(row, other));
        equal.or_else(|| alone(&only_old, row).and_then(|_| alone(&only_new, row)))
    };
    let (mut pairs, mut left) = (Vec::new(), Vec::new());
    for row in old {
        match partner(row) {
            Some(other) => pairs.push((row, other)),
            None => left.push((row, "old")),
        }
    }
    let unpaired = only_new.iter().filter(|row| !pairs.iter().any(|(_, other)| std::ptr::eq(*other, **row)));
    left.extend(unpaired.map(|row| (*row, "new")));
    (pairs, left)
}
