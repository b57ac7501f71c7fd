//! Scenarios whose host is Linux in the virtual machine: those of the library, and what a failing one leaves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use toml::{Table, Value};

use super::beside_others;
use super::faultless::faultless;

/// A regular expression that nothing matches.
const NEVER: &str = "@nothing says this@";

fn temporary(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // What an earlier run left, if there was one.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("cargo's folder can be written");
    folder
}

fn scenario_run(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_twinboard"));
    command.args(["scenario", "run"]).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Name and text of the library's scenarios with Linux as host. Their files are named from the repository's root.
fn library() -> Vec<(String, Table)> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    let files = fs::read_dir(format!("{root}scenarios/library")).expect("a folder");
    let mut all: Vec<_> = files
        .map(|file| file.expect("a file").path())
        .filter_map(|path| {
            let text = fs::read_to_string(&path).expect("UTF-8").replace("../../", root);
            let table: Table = text.parse().expect("TOML");
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (table.get("host").and_then(Value::as_str) == Some("vm")).then_some((name, table))
        })
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

#[test]
#[ignore = "boots virtual machines; ./test runs it"]
fn scenarios_with_linux_as_host_pass_and_fail_without_their_fault_or_with_another_expectation() {
    let _machine = beside_others();
    let library = library();
    assert!(library.len() >= 2, "there are {}", library.len());
    let mut wanted = Vec::new();
    for (name, table) in &library {
        wanted.push((name.clone(), "pass", table.clone()));
        let before = wanted.len();
        wanted.extend(faultless(name, table).into_iter().map(|(what, mutant)| (what, "fail", mutant)));
        broken(name, table, &mut wanted);
        assert!(wanted.len() >= before + 2, "{name} expects nothing");
    }
    let folder = temporary("vm-scenarios");
    for (number, (_, _, table)) in wanted.iter().enumerate() {
        let mut table = table.clone();
        table.insert("name".into(), Value::String(format!("{number}")));
        fs::write(folder.join(format!("{number:03}.toml")), table.to_string()).expect("is written");
    }
    let output = scenario_run(&[folder.to_str().expect("text"), "--json", "--no-evidence"]).output().expect("runs");
    let reports: Vec<Json> = serde_json::from_slice(&output.stdout).expect("reports");
    assert_eq!(reports.len(), wanted.len());
    let mut wrong = Vec::new();
    for ((what, verdict, _), report) in wanted.iter().zip(&reports) {
        let why = report["reason"]["message"].as_str().unwrap_or_default();
        let first = why.lines().next().unwrap_or_default();
        println!("{what}: {}, {} s: {first}", report["verdict"], report["wall_time"]);
        assert_eq!((&report["host"], &report["trace_hash"]), (&Json::from("vm"), &Json::Null), "{what}");
        // A machine that does not come up is no verdict on the scenario.
        if report["verdict"] != *verdict || why.contains("the virtual machine") {
            wrong.push(format!("{what}: {verdict} was expected: {report:#}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

type Wanted = (String, &'static str, Table);

/// Each expectation broken in turn.
fn broken(name: &str, table: &Table, wanted: &mut Vec<Wanted>) {
    for number in 0.. {
        let (mut mutant, mut left) = (table.clone(), number);
        let Some(what) = break_one(mutant.get_mut("step").expect("steps"), &mut left) else { return };
        wanted.push((format!("{name} with another {what}"), "fail", mutant));
    }
}

/// Breaks the `left`-th expectation in `value`; what it was. Counts `left` down otherwise.
fn break_one(value: &mut Value, left: &mut usize) -> Option<&'static str> {
    let Value::Table(table) = value else {
        return value.as_array_mut()?.iter_mut().find_map(|value| break_one(value, left));
    };
    let text = |text: &str| Value::String(text.into());
    let mut turn = || std::mem::replace(left, left.wrapping_sub(1)) == 0;
    if let Some(shell) = table.get_mut("shell").and_then(Value::as_table_mut) {
        if turn() {
            shell.insert("status".into(), Value::Integer(77));
            return Some("status of a command");
        }
        if shell.contains_key("expect") && turn() {
            shell.insert("expect".into(), text(NEVER));
            return Some("output of a command");
        }
    }
    if let Some(expect) = table.get_mut("expect").and_then(Value::as_table_mut) {
        let others = [("flash", text("builtin:echo-9600")), ("screen", Value::Array(vec![text("12345"); 5]))];
        for (key, other) in others {
            if expect.contains_key(key) && turn() {
                expect.insert(key.into(), other);
                expect.insert("within".into(), text("1 s"));
                return Some("expectation of the board");
            }
        }
    }
    let branches = table.get_mut("parallel").and_then(|parallel| parallel.get_mut("branches"));
    branches.and_then(|branches| break_one(branches, left))
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn a_failing_command_is_told_with_its_line_and_leaves_evidence() {
    let _machine = beside_others();
    let folder = temporary("vm-evidence");
    let (file, junit) = (folder.join("failing.toml"), folder.join("junit.xml"));
    let scenario = r#"
learn = "What a failing command leaves."
board = "microbit-v2"
host = "vm"

[[step]]
power-cut = { for = "500 ms" }

[[step]]
connect = {}

[[step]]
shell = { run = '''
cp /media/MICROBIT/DETAILS.TXT "$TWINBOARD_OUT"
"$TWINBOARD" ctl - press A --ms 50
pwd
false
echo not reached''' }
"#;
    fs::write(&file, scenario.trim_start()).expect("is written");
    let text = |path: &Path| path.to_str().expect("cargo's folders are text").to_string();
    let output = scenario_run(&[&text(&file), "--junit", &text(&junit), "--evidence", &text(&folder)]).output();
    let output = output.expect("runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let reason = format!(
        "step 3, line 11: the command ended with status 1, 0 was expected; it printed:\n      {}",
        text(&folder)
    );
    assert!(told.contains(&reason), "{told}");
    assert!(!told.contains("not reached\n"), "{told}");
    let read = |name: &str| fs::read_to_string(folder.join("failing-0").join(name)).expect(name);
    assert!(read("files/DETAILS.TXT").contains("Unique ID: "));
    assert!(
        read("shell.log").contains("> false") && read("shell.log").contains("[status 1, "),
        "{}",
        read("shell.log")
    );
    assert!(read("state/board.txt").starts_with("time "));
    assert!(read("wires.vcd").contains("$enddefinitions"));
    assert!(fs::metadata(folder.join("failing-0/usb.pcapng")).expect("a capture").len() > 10_000);
    assert!(
        fs::read_to_string(&junit).expect("a report").contains("<failure message=\"the command ended with status 1")
    );
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn ctrl_c_ends_scenario_and_machine() {
    let _machine = beside_others();
    let folder = temporary("vm-interrupted");
    let file = folder.join("long.toml");
    let scenario = "learn = 'x'\nboard = 'microbit-v2'\nhost = 'vm'\n[[step]]\nshell = { run = 'sleep 1000', within = '20 min' }\n";
    fs::write(&file, scenario).expect("is written");
    let mut twinboard = scenario_run(&[file.to_str().expect("text")]).spawn().expect("it starts");
    let children = format!("/proc/{0}/task/{0}/children", twinboard.id());
    let machine = || fs::read_to_string(&children).unwrap_or_default().trim().to_string();
    let deadline = Instant::now() + Duration::from_secs(60);
    while machine().is_empty() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
    let qemu = machine();
    assert!(!qemu.is_empty(), "no machine was started");
    assert!(Command::new("kill").args(["-INT", &twinboard.id().to_string()]).status().expect("kill runs").success());
    // A machine that boots is waited for.
    assert_eq!(twinboard.wait().expect("it was started").code(), Some(130));
    let lives = fs::read_to_string(format!("/proc/{qemu}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(!lives, "the machine runs on");
}
