//! From a failing scenario to a smaller one that fails for the same reason.
//!
//! The scenario's TOML document is shrunk ([`shrink`]) and run again and again with one seed. Two failures are of one reason
//! if the same kind of step says the same, numbers aside. Comments of the file are lost.

mod shrink;

use std::path::Path;

use toml::{Table, Value};

use crate::language::ScenarioError;
use crate::report::{Report, Verdict};
use crate::run::{Places, PrepareError, Prepared, Settings};
use shrink::{Trial, shrink};

/// A scenario that was made smaller.
#[derive(Clone, PartialEq, Debug)]
pub struct Minimised {
    /// The smaller scenario.
    pub text: String,
    /// The report on the scenario as it was given.
    pub before: Report,
    /// The report on the smaller one.
    pub after: Report,
    /// How often something was run.
    pub runs: u32,
}

/// Why nothing can be made smaller.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum MinimiseError {
    /// The scenario cannot be run.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// It does not fail.
    #[error("it does not fail")]
    Passes(Box<Report>),
}

impl From<ScenarioError> for MinimiseError {
    fn from(error: ScenarioError) -> MinimiseError {
        MinimiseError::Prepare(error.into())
    }
}

/// Makes the scenario `text` smaller with at most `runs` runs, all with `seed` (its own, if none). `told` hears the number of
/// each run. Paths of files become those from `places.folder`, so that the result can be put anywhere.
///
/// # Errors
/// [`MinimiseError`].
pub fn minimise(
    text: &str,
    name: &str,
    places: Places<'_>,
    seed: Option<u64>,
    runs: u32,
    told: &mut dyn FnMut(u32),
) -> Result<Minimised, MinimiseError> {
    let prepared = Prepared::new(text, name, places)?;
    let before = run(&prepared, seed)?;
    let Some(wanted) = reason(&prepared, &before) else { return Err(MinimiseError::Passes(Box::new(before))) };
    let mut table: Table = toml::from_str(text)
        .map_err(|error| ScenarioError { message: error.message().to_string(), span: error.span() })?;
    let integer =
        i64::try_from(before.seed).map_err(|_| ScenarioError::anywhere("seed: at most 2⁶³ − 1 was expected"))?;
    table.insert("seed".into(), integer.into());
    resolve(&mut table, places.folder);
    let mut count = 1;
    let (small, shrinking) = shrink(table, runs.saturating_sub(2), &mut |table| {
        let Ok(prepared) = Prepared::new(&table.to_string(), name, places) else { return Trial::Invalid };
        count += 1;
        told(count);
        let report = run(&prepared, None);
        let same = report.ok().and_then(|report| reason(&prepared, &report)).is_some_and(|reason| reason == wanted);
        if same { Trial::Same } else { Trial::Other }
    });
    let text = small.to_string();
    let after = run(&Prepared::new(&text, name, places)?, None)?;
    Ok(Minimised { text, before, after, runs: shrinking + 2 })
}

fn run(prepared: &Prepared, seed: Option<u64>) -> Result<Report, ScenarioError> {
    Ok(prepared.run(Settings { seed, fast: true, ..Settings::default() })?.report)
}

/// The kind of a failure: the verb of the step that failed, and what it said without its numbers.
fn reason(prepared: &Prepared, report: &Report) -> Option<(&'static str, String)> {
    let reason = report.reason.as_ref().filter(|_| report.verdict == Verdict::Fail)?;
    let step = reason.step.and_then(|number| prepared.scenario.steps.get(number.checked_sub(1)?));
    Some((step.map_or("", |step| step.as_ref().verb()), without_numbers(&reason.message)))
}

/// `#` for each word with a digit in it.
fn without_numbers(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let taken = word.max(if word == 0 { first.len_utf8() } else { 0 });
        let (piece, after) = rest.split_at(taken);
        text.push_str(if piece.bytes().any(|byte| byte.is_ascii_digit()) { "#" } else { piece });
        rest = after;
    }
    text
}

/// Makes paths of files whole.
fn resolve(table: &mut Table, folder: &Path) {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.into());
    let file = |value: Option<&mut Value>, known: bool| {
        let Some(Value::String(name)) = value else { return };
        let path = folder.join(&*name);
        if !name.starts_with("builtin:") && !name.starts_with("official:") && (known || path.is_file()) {
            *name = path.to_string_lossy().into_owned();
        }
    };
    file(table.get_mut("board"), false);
    if let Some(Value::Table(images)) = table.get_mut("images") {
        ["target", "interface", "bootloader", "symbols"].iter().for_each(|key| file(images.get_mut(*key), true));
    }
    fn steps(list: Option<&mut Value>, file: &dyn Fn(Option<&mut Value>, bool)) {
        for step in list.and_then(Value::as_array_mut).into_iter().flatten() {
            file(step.get_mut("drop").and_then(|drop| drop.get_mut("file")), true);
            // `dropped` is no file, unless there is one.
            file(step.get_mut("expect").and_then(|expect| expect.get_mut("flash")), false);
            steps(step.get_mut("repeat").and_then(|repeat| repeat.get_mut("steps")), file);
            let branches = step.get_mut("parallel").and_then(|parallel| parallel.get_mut("branches"));
            for branch in branches.and_then(Value::as_array_mut).into_iter().flatten() {
                steps(Some(branch), file);
            }
        }
    }
    steps(table.get_mut("step"), &file);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of the three faults matters: with it the file does not get into the target.
    const SCENARIO: &str = r#"
learn = "Which of them was it?"
board = "microbit-v2"

[[fault]]
point = "usb.nak"
endpoint = 0x02
count = 5
for = "20 ms"

[[fault]]
name = "wire"
point = "usb.stall"
endpoint = 0x02
count = 200
always = true

[[fault]]
name = "late"
point = "usb.nak"
endpoint = 0x81
count = 9
for = "10 ms"

[[step]]
connect = {}

[[step]]
expect = { fail = "none" }

[[step]]
drop = { program = "20 KB" }

[[step]]
expect = { flash = "dropped" }
"#;

    fn places(folder: &Path) -> Places<'_> {
        Places { folder, images: folder }
    }

    #[test]
    fn the_one_fault_of_three_that_matters_is_found() {
        let here = Path::new(".");
        let minimised = |runs| minimise(SCENARIO, "three", places(here), Some(7), runs, &mut |_| ()).expect("it fails");
        let result = minimised(120);
        let small: Table = toml::from_str(&result.text).expect("is TOML");
        let [fault] = &small["fault"].as_array().expect("a list")[..] else { panic!("one fault:\n{}", result.text) };
        assert_eq!(fault["name"].as_str(), Some("wire"));
        assert!(fault["count"].as_integer() < Some(200), "{}", result.text);
        let [step] = &small["step"].as_array().expect("a list")[..] else { panic!("one step:\n{}", result.text) };
        assert!(step.get("drop").is_some());
        assert_eq!(small["seed"].as_integer(), Some(7));
        assert!(result.runs <= 120);
        let message = |report: &Report| without_numbers(&report.reason.as_ref().expect("fails").message);
        assert_eq!(message(&result.before), message(&result.after));
        assert_eq!(minimised(120).text, result.text, "the same again");
        assert!(minimised(4).runs <= 4);
    }

    #[test]
    fn what_passes_has_no_smaller_failure() {
        let text = "learn = 'x'\nboard = 'microbit-v1'\n[[step]]\nconnect = {}\n";
        let result = minimise(text, "passes", places(Path::new(".")), None, 10, &mut |_| ());
        assert!(matches!(result, Err(MinimiseError::Passes(report)) if report.verdict == Verdict::Pass));
    }

    #[test]
    fn numbers_do_not_make_another_reason() {
        assert_eq!(without_numbers("0x1f of 0x2000 at 2.5 s: fault x1 → α7"), "# of # at #.# s: fault # → α#");
        assert_eq!(without_numbers(""), "");
    }

    #[test]
    fn files_are_found_from_anywhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut table: Table = toml::from_str(
            "board = 'microbit-v2'\nimages = { target = 'a.hex', interface = 'official:b.hex' }\n\
             step = [{ drop = { file = 'c.hex' } }, { expect = { flash = 'dropped' } }, \
             { repeat = { times = 1, steps = [{ drop = { file = 'builtin:demo' } }] } }]",
        )
        .expect("a table");
        resolve(&mut table, folder.path());
        let whole = folder.path().canonicalize().expect("is there");
        assert_eq!(table["board"].as_str(), Some("microbit-v2"));
        assert_eq!(table["images"]["target"].as_str(), whole.join("a.hex").to_str());
        assert_eq!(table["images"]["interface"].as_str(), Some("official:b.hex"));
        assert_eq!(table["step"][0]["drop"]["file"].as_str(), whole.join("c.hex").to_str());
        assert_eq!(table["step"][1]["expect"]["flash"].as_str(), Some("dropped"));
        assert_eq!(table["step"][2]["repeat"]["steps"][0]["drop"]["file"].as_str(), Some("builtin:demo"));
    }
}
