//! The examples that hand a sweep to other engines (`docs/sweep`): their own commands, as they stand there, in the place
//! that each engine gives them, over a matrix with fewer seeds.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Two boards, three kinds of faults, two seeds.
const RUNS: usize = 12;

/// A checkout with the examples in it, and twinboard in the path.
struct Checkout(TempDir);

impl Checkout {
    fn new() -> Checkout {
        let folder = TempDir::new().expect("a folder");
        let (from, to) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sweep"), folder.path().join("docs/sweep"));
        fs::create_dir_all(&to).expect("a folder");
        for name in ["drop.toml", "slurm.sh"] {
            fs::copy(from.join(name), to.join(name)).expect("a copy");
        }
        let matrix = fs::read_to_string(from.join("matrix.toml")).expect("a matrix");
        let fewer = matrix.replace("seeds = { from = 1, to = 100 }", "seeds = { from = 1, to = 2 }");
        assert_ne!(matrix, fewer, "fewer seeds");
        fs::write(to.join("matrix.toml"), fewer).expect("a matrix");
        symlink(env!("CARGO_BIN_EXE_twinboard"), folder.path().join("twinboard")).expect("a link");
        Checkout(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs `script` in the checkout, as a shell that ends at the first error.
    fn shell(&self, script: &str, environment: &[(&str, &str)]) {
        let path = format!("{}:{}", self.path().display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", script]).current_dir(self.path()).env("PATH", path);
        let output = shell.envs(environment.iter().copied()).output().expect("a shell");
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The merge's JUnit file tells of every run, and of no failure.
    fn is_complete(&self) {
        let report = fs::read_to_string(self.path().join("sweep.xml")).expect("a JUnit file");
        assert_eq!(report.matches("<testcase ").count(), RUNS, "{report}");
        assert!(!report.contains("<failure") && !report.contains("<error"), "{report}");
    }
}

fn example(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sweep").join(name);
    fs::read_to_string(path).expect("an example")
}

/// What stands between `before` and `after` at their first place in `text`.
fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {text}")).1;
    rest.split_once(after).unwrap_or_else(|| panic!("no {after:?} behind {before:?}")).0
}

#[test]
fn the_slurm_array_does_every_run_and_the_merge_finds_them_all() {
    let (script, checkout) = (example("slurm.sh"), Checkout::new());
    let parts: usize = between(&script, "--array=1-", "\n").parse().expect("a number");
    for part in 1..=parts {
        let (part, parts) = (part.to_string(), parts.to_string());
        let environment =
            [("SLURM_ARRAY_TASK_ID", &*part), ("SLURM_ARRAY_TASK_COUNT", &*parts), ("SLURM_CPUS_PER_TASK", "2")];
        checkout.shell("sh docs/sweep/slurm.sh", &environment);
    }
    checkout.shell(between(&script, "--wrap '", "'"), &[]);
    checkout.is_complete();
}

#[test]
fn the_kubernetes_job_does_every_run_and_the_merge_finds_them_all() {
    let (manifest, checkout) = (example("kubernetes.yaml"), Checkout::new());
    fs::create_dir(checkout.path().join("results")).expect("a folder");
    // The volumes of the containers.
    let volumes = |script: &str| script.replace("/sweep/", "docs/sweep/").replace("/results/", "results/");
    let script = volumes(between(&manifest, "- |\n", "          resources:"));
    let completions: usize = between(&manifest, "completions: ", "\n").parse().expect("a number");
    let parts = between(&manifest, "name: PARTS, value: \"", "\"");
    for index in 0..completions {
        checkout.shell(&script, &[("JOB_COMPLETION_INDEX", &index.to_string()), ("PARTS", parts)]);
    }
    checkout.shell(&volumes(between(&manifest, "#   ", "\n")), &[]);
    checkout.is_complete();
}

#[test]
fn the_workflow_of_github_actions_does_every_run_and_the_merge_finds_them_all() {
    let (workflow, checkout) = (example("github-actions.yml"), Checkout::new());
    let matrix = between(&workflow, "MATRIX: ", "\n");
    let parts = between(&workflow, "matrix: { part: [", "]");
    let job = |name: &str| {
        let body = workflow.split_once(&format!("\n  {name}:\n")).expect("a job").1;
        let steps = body.lines().take_while(|line| line.starts_with("    "));
        steps.filter_map(|line| line.trim_start().strip_prefix("- run: ")).collect::<Vec<_>>()
    };
    assert_eq!((job("part").len(), job("merge").len()), (2, 2), "make it executable, and run it");
    for part in parts.split(", ") {
        for step in job("part") {
            checkout.shell(&step.replace("${{ matrix.part }}", part), &[("MATRIX", matrix)]);
        }
    }
    for step in job("merge") {
        checkout.shell(step, &[("MATRIX", matrix)]);
    }
    checkout.is_complete();
}
