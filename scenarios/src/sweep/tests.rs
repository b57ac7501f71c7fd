//! Small sweeps, run.

use super::progress::{Foreign, Progress};
use super::results::{Results, merge};
use super::shard::Shard;
use super::*;
use crate::report::Verdict;

const SCENARIO: &str = r#"
learn = "A sweep of it is quick."
board = "microbit-v1"

[[step]]
drop = { text = "no program", name = "a.hex", outcome = "any" }
"#;

const MATRIX: &str = r#"
scenarios = ["drop.toml"]
boards = ["microbit-v1", "microbit-v2"]
seeds = { from = 1, to = 3 }

[[faults]]
name = "none"

[[faults]]
name = "busy"
[[faults.fault]]
point = "usb.nak"
endpoint = 0x02
probability = 0.2
for = "200 ms"
"#;

struct Bench {
    folder: tempfile::TempDir,
    sweep: Sweep,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("drop.toml"), SCENARIO).expect("is written");
    std::fs::write(folder.path().join("matrix.toml"), MATRIX).expect("is written");
    let sweep = Sweep::load(&folder.path().join("matrix.toml"), folder.path()).expect("is a matrix");
    Bench { folder, sweep }
}

impl Bench {
    /// Does what is missing of a part, `most` runs at the most.
    fn run(&self, file: &str, shard: Shard, jobs: usize, most: usize) -> PathBuf {
        let path = self.folder.path().join(file);
        let mut progress = Progress::new(&self.sweep);
        let mut results = Results::open(&path, &mut |entry| progress.take(&entry).expect("is of it")).expect("opens");
        let mut missing = progress.missing(shard);
        missing.truncate(most);
        let how = How { jobs, wires: false };
        self.sweep
            .each(&missing, how, |entry| {
                results.append(&entry).expect("is written");
                Ok::<_, SweepError>(())
            })
            .expect("all can be run");
        path
    }
}

fn merged(paths: &[PathBuf]) -> Vec<Entry> {
    let merged = merge(paths).expect("no contradictions");
    merged.into_iter().map(|entry| Entry { report: entry.report.without_wall_time(), ..entry }).collect()
}

#[test]
fn parts_and_interruptions_and_jobs_change_nothing() {
    let bench = bench();
    let all = usize::MAX;
    let whole = merged(&[bench.run("whole", Shard::WHOLE, 1, all)]);
    assert_eq!(whole.len(), 12);
    assert!(whole.iter().all(|entry| entry.report.trace_hash.is_some()));
    let seeds: std::collections::BTreeSet<_> = whole
        .iter()
        .filter(|entry| entry.report.name == "drop/microbit-v2/busy")
        .map(|entry| format!("{:?}", entry.report.faults))
        .collect();
    assert!(seeds.len() > 1, "the seed decides when the drive is busy");

    assert_eq!(merged(&[bench.run("jobs", Shard::WHOLE, 2, all)]), whole);

    let part = |text: &str| text.parse::<Shard>().expect("is a part");
    let parts = ["1/5", "2/5", "3/5", "4/5", "5/5"];
    let files: Vec<_> = parts.iter().map(|text| bench.run(&text.replace('/', "-"), part(text), 1, all)).collect();
    let lines = |path: &PathBuf| std::fs::read_to_string(path).expect("is text").lines().count();
    assert_eq!(files.iter().map(lines).sum::<usize>(), 12, "parts are disjoint");
    assert_eq!(merged(&files), whole);

    bench.run("resumed", Shard::WHOLE, 2, 5);
    let path = bench.folder.path().join("resumed");
    let text = std::fs::read(&path).expect("is there");
    std::fs::write(&path, &text[..text.len() - 10]).expect("is written");
    let path = bench.run("resumed", Shard::WHOLE, 1, all);
    assert_eq!(lines(&path), 12, "the four whole ones were not done again");
    assert_eq!(merged(std::slice::from_ref(&path)), whole);
    let before = std::fs::read(&path).expect("is there");
    bench.run("resumed", Shard::WHOLE, 1, all);
    assert_eq!(std::fs::read(&path).expect("is there"), before, "nothing is left to do");
}

#[test]
fn results_of_another_sweep_are_told_apart() {
    let bench = bench();
    let entry = |name: &str, seed, scenario: &str| Entry {
        scenario: scenario.into(),
        report: Report::skipped(name, "", seed, String::new()),
    };
    let cell = &bench.sweep.cells()[0];
    let mut progress = Progress::new(&bench.sweep);
    progress.take(&entry(&cell.name, 2, &cell.fingerprint)).expect("is of it");
    progress.take(&entry(&cell.name, 2, &cell.fingerprint)).expect("and may come twice");
    assert_eq!(progress.count(Verdict::Skipped), 1);
    assert_eq!(progress.missing(Shard::WHOLE).len(), 11);
    let foreign = progress.take(&entry(&cell.name, 4, &cell.fingerprint));
    assert!(matches!(foreign, Err(Foreign::Unknown { seed: 4, .. })));
    let foreign = progress.take(&entry("other", 1, &cell.fingerprint));
    assert!(matches!(foreign, Err(Foreign::Unknown { seed: 1, .. })));
    let foreign = progress.take(&entry(&cell.name, 1, "0"));
    assert_eq!(foreign, Err(Foreign::Changed(cell.name.clone())));
}

/// The matrix's error, as `file text at its place: message`.
fn wrong(matrix: &str, scenario: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("drop.toml"), scenario).expect("is written");
    std::fs::write(folder.path().join("matrix.toml"), matrix).expect("is written");
    let error = Sweep::load(&folder.path().join("matrix.toml"), folder.path()).and_then(|sweep| sweep.check());
    let error = error.expect_err("something is wrong");
    let place = error.error.span.map_or("", |span| &error.text[span]);
    let file = if error.label.contains("drop.toml") { "drop.toml" } else { "matrix.toml" };
    format!("{file} {place}: {}", error.error.message).replace(&folder.path().display().to_string(), "FOLDER")
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let table = [
        ("scenarios = []", "matrix.toml []: scenarios: at least one"),
        ("scenarios = ['none.toml']", "matrix.toml 'none.toml': FOLDER/none.toml: "),
        ("scenarios = ['drop.toml', 'drop.toml']", "matrix.toml 'drop.toml': scenarios: drop.toml is there twice"),
        ("scenarios = ['drop.toml', './drop.toml']", "two scenarios would be called drop; give their files"),
        ("scenarios = ['drop.toml']\nboards = ['']", "matrix.toml '': boards: a name"),
        ("scenarios = ['drop.toml']\nboards = ['nano']", "drop.toml \"nano\": there is no board nano"),
        ("scenarios = ['drop.toml']\nseeds = []", "matrix.toml []: seeds: 1 to 1000000 different numbers"),
        ("scenarios = ['drop.toml']\nseeds = [1, 1]", "matrix.toml [1, 1]: seeds: 1 to 1000000 different"),
        ("scenarios = ['drop.toml']\nseeds = 'all'", "matrix.toml 'all': seeds: a list of numbers, or {"),
        ("scenarios = ['drop.toml']\nseeds = { from = 2, to = 1 }", "matrix.toml { from = 2, to = 1 }: seeds: 1 to"),
        ("scenarios = ['drop.toml']\nseeds = { from = 0, to = 9000000000000 }", "seeds: 1 to 1000000 seeds"),
        ("scenarios = ['drop.toml']\ncolour = 1", "matrix.toml colour: unknown field `colour`"),
        (
            "scenarios = ['drop.toml']\n[[faults]]\nname = 'f'\nfault = [{ point = 'usb.nuk' }]",
            "drop.toml \"usb.nuk\": there is no fault point usb.nuk",
        ),
        (
            "scenarios = ['drop.toml']\n[[images]]\nname = 'i'\ntarget = 'builtin:none'",
            "drop.toml \"builtin:none\": there is no built-in program none",
        ),
    ];
    for (matrix, expected) in table {
        let told = wrong(matrix, SCENARIO);
        assert!(told.contains(expected), "{matrix}\n  {told}\n  {expected}");
    }
    let told = wrong("scenarios = ['drop.toml']", "learn = 1");
    assert!(told.starts_with("drop.toml 1: invalid type: integer"), "{told}");
    let told = wrong("scenarios = ['drop.toml']", &format!("host = 'vm'\n{SCENARIO}"));
    assert!(told.contains("scenarios of a sweep run in process"), "{told}");
}

#[test]
fn the_matrix_of_the_handbook_can_be_run() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sweep/matrix.toml");
    let sweep = Sweep::load(&path, Path::new(".")).expect("is a matrix");
    sweep.check().expect("all can be run");
    assert_eq!(sweep.len(), 600);
}
