//! Scenarios that cannot fail prove nothing. So every fault of the library is removed in turn, and every expectation broken:
//! each time the scenario must fail.

use toml::{Table, Value};
use twinboard_scenarios::language::HostKind;
use twinboard_scenarios::report::{Verdict, human};
use twinboard_scenarios::run::{PrepareError, Settings};

use super::faultless::faultless;
use super::{everywhere, prepare, texts};

/// A regular expression that nothing matches.
const NEVER: &str = "@nothing says this@";

/// So many broken expectations of a scenario with an official image are tried.
const OFFICIAL: usize = 1;

/// A scenario that must fail: what was done to it, and its text.
type Mutant = (String, String);

#[test]
fn without_its_fault_or_with_a_broken_expectation_every_scenario_fails() {
    let mut mutants = Vec::new();
    for (name, text) in texts() {
        match prepare(&name, &text) {
            Err(PrepareError::Skipped(_)) => {
                println!("{name}: skipped");
                continue;
            }
            Ok(prepared) if prepared.scenario.host == HostKind::Vm => {
                println!("{name}: left out: its host is Linux in the virtual machine; tests/vm/scenarios.rs runs it");
                continue;
            }
            _ => {}
        }
        let table: Table = text.parse().expect("TOML");
        let before = mutants.len();
        mutants.extend(faultless(&name, &table).into_iter().map(|(what, mutant)| (what, mutant.to_string())));
        let whole = mutants.len();
        broken(&name, &table, &mut mutants);
        if is_official(&table) && mutants.len() > whole + OFFICIAL {
            println!("{name}: {} mutants left out, emulated chips are slow", mutants.len() - whole - OFFICIAL);
            // The last expectations are what the scenario is about.
            mutants.drain(whole..mutants.len() - OFFICIAL);
        }
        assert!(mutants.len() > before, "{name} expects nothing");
    }
    let survivors = everywhere(&mutants, |(name, text)| {
        let prepared = match prepare(name, text) {
            Ok(prepared) => prepared,
            Err(error) => return Some(format!("{name}: cannot be run: {error}\n{text}")),
        };
        let report = prepared.run(Settings { fast: true, ..Settings::default() }).expect("can be powered").report;
        (report.verdict != Verdict::Fail).then(|| format!("{name}:\n{}", human(&report, true)))
    });
    let survivors: Vec<_> = survivors.into_iter().flatten().collect();
    println!("{} mutants", mutants.len());
    assert!(survivors.is_empty(), "{} of {} mutants pass:\n{}", survivors.len(), mutants.len(), survivors.join("\n"));
}

/// Whether the interface chip runs an official image.
fn is_official(table: &Table) -> bool {
    let interface = table.get("images").and_then(|images| images.get("interface")).and_then(Value::as_str);
    interface.is_some_and(|name| name.starts_with("official:"))
}

/// Each expectation broken in turn.
fn broken(name: &str, table: &Table, mutants: &mut Vec<Mutant>) {
    let v1 = table.get("board").and_then(Value::as_str).is_some_and(|board| board.ends_with("v1"));
    for number in 0.. {
        let mut mutant = table.clone();
        let mut left = number;
        let Some(what) = mutant.get_mut("step").and_then(|steps| break_one(steps, &mut left, v1)) else { return };
        mutants.push((format!("{name} with another {what}"), mutant.to_string()));
    }
}

/// Breaks the `left`-th expectation in `value`; what it was. Counts `left` down otherwise.
fn break_one(value: &mut Value, left: &mut usize, v1: bool) -> Option<String> {
    let text = |text: &str| Value::String(text.into());
    let Value::Table(table) = value else {
        return value.as_array_mut()?.iter_mut().find_map(|value| break_one(value, left, v1));
    };
    let mut here = |value: &mut Value, other: Value| -> bool {
        if *left == 0 {
            *value = other;
            return true;
        }
        *left -= 1;
        false
    };
    if let Some(drop) = table.get_mut("drop").and_then(Value::as_table_mut) {
        let outcome = drop.entry("outcome").or_insert_with(|| text("success"));
        let other = match outcome.as_str() {
            Some("any") => None,
            Some("success") => Some("fail"),
            _ => Some("success"),
        };
        if let Some(other) = other
            && here(outcome, text(other))
        {
            return Some("outcome of a drop".into());
        }
    }
    if let Some(expect) = table.get_mut("expect").and_then(Value::as_table_mut) {
        let not_there = expect.get("exists").and_then(Value::as_bool);
        for (key, value) in expect.iter_mut() {
            let other = match (key.as_str(), &*value) {
                ("fail" | "incident", Value::String(wanted)) if wanted == "none" => text("."),
                ("fail" | "incident" | "contains", _) => text(NEVER),
                ("drive", _) => text("ELSEWHERE"),
                ("exists" | "present", _) => Value::Boolean(value.as_bool() == Some(false)),
                ("flash", _) => text(if v1 { "builtin:v1-echo-9600" } else { "builtin:echo-9600" }),
                ("screen", _) => Value::Array(vec![text("12345"); 5]),
                ("words", Value::Array(words)) => {
                    let first = words.first().and_then(Value::as_integer).unwrap_or(0);
                    Value::Array(vec![Value::Integer(first ^ 1)])
                }
                ("details", Value::Table(details)) => {
                    Value::Table(details.iter().map(|(label, _)| (label.clone(), text(NEVER))).collect())
                }
                _ => continue,
            };
            // That a file is not there says nothing of its contents.
            if !(key == "contains" && not_there == Some(false)) && here(value, other) {
                return Some(format!("expectation of {key}"));
            }
        }
    }
    if let Some(serial) = table.get_mut("serial").and_then(Value::as_table_mut) {
        let short = text("300 ms");
        if let Some(expect) = serial.get_mut("expect")
            && here(expect, text(NEVER))
        {
            serial.insert("within".into(), short);
            return Some("answer on the serial port".into());
        }
        if let Some(never) = serial.get_mut("never")
            && here(never, text(NEVER))
        {
            // Nothing came: then something is expected.
            serial.insert("expect".into(), text(NEVER));
            serial.insert("within".into(), text("300 ms"));
            return Some("silence on the serial port".into());
        }
    }
    if let Some(measure) = table.get_mut("measure").and_then(Value::as_table_mut) {
        for (key, other, opposite) in [("min", 1e12, "max"), ("max", -1e12, "min")] {
            if let Some(value) = measure.get_mut(key)
                && here(value, Value::Float(other))
            {
                // Bounds that exclude each other are found before the run.
                measure.remove(opposite);
                return Some("bound of a measurement".into());
            }
        }
    }
    for verb in ["dap", "gdb"] {
        let Some(exchange) = table.get_mut(verb).and_then(|step| step.get_mut("exchange")) else { continue };
        for one in exchange.as_array_mut()? {
            let Some(expect) = one.get_mut("expect") else { continue };
            let other = match expect.as_str() {
                Some(bytes) if verb == "dap" => {
                    let flipped = if bytes.starts_with("00") { "ff" } else { "00" };
                    flipped.to_string() + bytes.get(2..).unwrap_or("")
                }
                _ => NEVER.to_string(),
            };
            if here(expect, text(&other)) {
                return Some(format!("answer of {verb}"));
            }
        }
    }
    for (verb, inside) in [("repeat", "steps"), ("parallel", "branches")] {
        if let Some(steps) = table.get_mut(verb).and_then(|step| step.get_mut(inside))
            && let Some(what) = break_one(steps, left, v1)
        {
            return Some(what);
        }
    }
    None
}
