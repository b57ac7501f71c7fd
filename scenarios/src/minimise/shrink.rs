//! Shrinking, as property testing does it: something is taken away or made smaller; if it still fails in the same way, the
//! smaller one is gone on with. Knows TOML tables and the shape of scenarios, and nothing of boards.

use std::collections::HashSet;
use std::ops::Range;

use toml::{Table, Value};
use twinboard_sim::time::Span;

use crate::language::units::Duration;

/// How often a fault for ever is tried to be made one of so many times.
const MOST_TIMES: i64 = 256;
/// Parts of a probability.
const MILLION: f64 = 1e6;

/// What became of a smaller scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trial {
    /// It fails in the same way.
    Same,
    /// It passes, or fails in another way.
    Other,
    /// It is no scenario, and was not run.
    Invalid,
}

/// Makes `scenario` smaller as long as `trial` says [`Trial::Same`], with at most `runs` trials that count. Gives the smallest
/// one, and how many trials counted.
pub fn shrink(scenario: Table, runs: u32, trial: &mut dyn FnMut(&Table) -> Trial) -> (Table, u32) {
    let mut shrinker = Shrinker { now: scenario, left: runs, tried: HashSet::new(), trial };
    while shrinker.faults() | shrinker.steps() | shrinker.numbers() {}
    (shrinker.now, runs - shrinker.left)
}

struct Shrinker<'t> {
    /// The smallest one that fails.
    now: Table,
    left: u32,
    /// What was tried, as text.
    tried: HashSet<String>,
    trial: &'t mut dyn FnMut(&Table) -> Trial,
}

impl Shrinker<'_> {
    /// Goes on with `smaller` if it fails in the same way; whether it does.
    fn attempt(&mut self, smaller: Table) -> bool {
        if self.left == 0 || smaller == self.now || !self.tried.insert(smaller.to_string()) {
            return false;
        }
        let trial = (self.trial)(&smaller);
        self.left -= u32::from(trial != Trial::Invalid);
        if trial == Trial::Same {
            self.now = smaller;
        }
        trial == Trial::Same
    }

    /// Takes elements out of a list, first many at once, from the end.
    fn thin(&mut self, length: impl Fn(&Table) -> usize, take: impl Fn(&mut Table, Range<usize>)) -> bool {
        let (mut size, mut changed) = (length(&self.now), false);
        while size > 0 {
            let mut end = length(&self.now);
            while end > 0 {
                let start = end.saturating_sub(size);
                let mut smaller = self.now.clone();
                take(&mut smaller, start..end);
                changed |= self.attempt(smaller);
                end = start;
            }
            size /= 2;
        }
        changed
    }

    fn faults(&mut self) -> bool {
        let length = |table: &Table| table.get("fault").and_then(Value::as_array).map_or(0, Vec::len);
        self.thin(length, |table, range| {
            let Some(faults) = table.get_mut("fault").and_then(Value::as_array_mut) else { return };
            let names: HashSet<String> = faults.drain(range).filter_map(|fault| fault_name(&fault)).collect();
            if let Some(steps) = table.get_mut("step").and_then(Value::as_array_mut) {
                forget(steps, &names);
            }
        })
    }

    fn steps(&mut self) -> bool {
        let (mut number, mut changed) = (0, false);
        while let Some(path) = lists(&self.now).into_iter().nth(number) {
            let length = |table: &Table| follow(table, &path).and_then(Value::as_array).map_or(0, Vec::len);
            changed |= self.thin(length, |table, range| {
                if let Some(list) = follow_mut(table, &path).and_then(Value::as_array_mut) {
                    list.drain(range);
                }
            });
            number += 1;
        }
        changed
    }

    fn numbers(&mut self) -> bool {
        let mut changed = false;
        let faults = self.now.get("fault").and_then(Value::as_array).map_or(0, Vec::len);
        for index in 0..faults {
            let fault = [Part::Key("fault"), Part::Index(index)];
            let path = |key: &'static str| [fault[0], fault[1], Part::Key(key)];
            changed |= self.bound(&fault);
            for key in ["times", "count"] {
                changed |= self.lower(&path(key), Value::as_integer, Value::from);
            }
            for key in ["for", "at", "delay"] {
                changed |= self.lower(&path(key), microseconds, |micros| Value::from(time_text(micros)));
            }
            let millionths = |value: &Value| value.as_float().map(|part| (part * MILLION) as i64);
            changed |= self.lower(&path("probability"), millionths, |part| Value::from(part as f64 / MILLION));
        }
        let repeats: Vec<_> = lists(&self.now).into_iter().filter(|path| path.ends_with(&STEPS)).collect();
        for mut path in repeats {
            path.pop();
            path.push(Part::Key("times"));
            changed |= self.lower(&path, Value::as_integer, Value::from);
        }
        changed
    }

    /// Makes a fault for ever one of so many times.
    fn bound(&mut self, fault: &[Part]) -> bool {
        let mut times = 1;
        while times <= MOST_TIMES {
            let mut smaller = self.now.clone();
            let Some(Value::Table(table)) = follow_mut(&mut smaller, fault) else { return false };
            if table.remove("always") != Some(Value::Boolean(true)) {
                return false;
            }
            table.insert("times".into(), Value::from(times));
            if self.attempt(smaller) {
                return true;
            }
            times *= 4;
        }
        false
    }

    /// Brings a number down, by bisection between what is too small and what fails, to a few per cent.
    fn lower(&mut self, path: &[Part], get: fn(&Value) -> Option<i64>, put: fn(i64) -> Value) -> bool {
        let Some(mut high) = follow(&self.now, path).and_then(get) else { return false };
        let (mut low, mut changed) = (0, false);
        // The smallest there is first: mostly it will do, or the number does not matter.
        let mut next = 1;
        while next > low && next < high {
            let mut smaller = self.now.clone();
            if let Some(value) = follow_mut(&mut smaller, path) {
                *value = put(next);
            }
            if self.attempt(smaller) {
                high = next;
                changed = true;
            } else {
                low = next;
            }
            if high - low <= 1 + high / 32 || self.left == 0 {
                break;
            }
            next = low + (high - low) / 2;
        }
        changed
    }
}

/// A part of the way to a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Key(&'static str),
    Index(usize),
}

/// The end of the way to the steps of a repetition.
const STEPS: [Part; 2] = [Part::Key("repeat"), Part::Key("steps")];

fn follow<'t>(table: &'t Table, path: &[Part]) -> Option<&'t Value> {
    let (Part::Key(first), rest) = path.split_first()? else { return None };
    rest.iter().try_fold(table.get(*first)?, |value, part| match part {
        Part::Key(key) => value.get(key),
        Part::Index(index) => value.get(*index),
    })
}

fn follow_mut<'t>(table: &'t mut Table, path: &[Part]) -> Option<&'t mut Value> {
    let (Part::Key(first), rest) = path.split_first()? else { return None };
    rest.iter().try_fold(table.get_mut(*first)?, |value, part| match part {
        Part::Key(key) => value.get_mut(key),
        Part::Index(index) => value.get_mut(*index),
    })
}

/// The ways to all lists of steps, the outer ones first.
fn lists(table: &Table) -> Vec<Vec<Part>> {
    let mut found = vec![vec![Part::Key("step")]];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        next += 1;
        let steps = follow(table, &path).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (index, step) in steps.iter().enumerate() {
            let inner = |parts: &[Part]| path.iter().chain(&[Part::Index(index)]).chain(parts).copied().collect();
            if step.get("repeat").is_some() {
                found.push(inner(&STEPS));
            }
            let branches = step.get("parallel").and_then(|parallel| parallel.get("branches")).and_then(Value::as_array);
            for branch in 0..branches.map_or(0, Vec::len) {
                found.push(inner(&[Part::Key("parallel"), Part::Key("branches"), Part::Index(branch)]));
            }
        }
    }
    found
}

/// The name by which steps speak of a fault.
fn fault_name(fault: &Value) -> Option<String> {
    fault.get("name").or_else(|| fault.get("point"))?.as_str().map(Into::into)
}

/// Takes out the steps that speak of faults which are no more.
fn forget(steps: &mut Vec<Value>, names: &HashSet<String>) {
    let speaks = |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|name| names.contains(name));
    steps.retain_mut(|step| {
        if speaks(step.get("arm"))
            || speaks(step.get("disarm"))
            || speaks(step.get("wait").and_then(|w| w.get("fault")))
        {
            return false;
        }
        let inner = step.get_mut("repeat").and_then(|repeat| repeat.get_mut("steps")).and_then(Value::as_array_mut);
        inner.into_iter().for_each(|steps| forget(steps, names));
        let branches = step.get_mut("parallel").and_then(|all| all.get_mut("branches")).and_then(Value::as_array_mut);
        branches.into_iter().flatten().filter_map(Value::as_array_mut).for_each(|steps| forget(steps, names));
        true
    });
}

fn microseconds(value: &Value) -> Option<i64> {
    let Duration(span) = value.clone().try_into().ok()?;
    i64::try_from(span.0 / Span::us(1).0).ok()
}

fn time_text(micros: i64) -> String {
    match micros {
        whole if whole % 1_000_000 == 0 => format!("{} s", whole / 1_000_000),
        whole if whole % 1_000 == 0 => format!("{} ms", whole / 1_000),
        micros => format!("{micros} us"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(text: &str) -> Table {
        toml::from_str(text).expect("a table")
    }

    const MANY: &str = r#"
        [[fault]]
        point = "a"
        times = 900
        [[fault]]
        name = "b"
        point = "x"
        for = "2 s"
        probability = 0.5
        [[fault]]
        point = "c"
        always = true
        [[step]]
        arm = "c"
        [[step]]
        drop = { program = "1 KB" }
        [[step]]
        repeat = { times = 50, steps = [{ wait = { fault = "c" } }, { connect = {} }, { disarm = "b" }] }
        [[step]]
        parallel = { branches = [[{ arm = "b" }, { connect = {} }], [{ disarm = "c" }]] }
    "#;

    #[test]
    fn what_does_not_matter_goes_and_what_matters_stays() {
        // It fails as long as b lasts for 300 ms, and something is dropped.
        let mut runs = 0;
        let (small, counted) = shrink(table(MANY), 500, &mut |table| {
            runs += 1;
            let faults = table.get("fault").and_then(Value::as_array).expect("a list");
            let b = faults.iter().find(|fault| fault_name(fault).as_deref() == Some("b"));
            let lasts = b.and_then(|b| microseconds(b.get("for")?)).is_some_and(|micros| micros >= 300_000);
            let steps = table.get("step").and_then(Value::as_array).expect("a list");
            let drops = steps.iter().any(|step| step.get("drop").is_some());
            if lasts && drops { Trial::Same } else { Trial::Other }
        });
        assert_eq!(runs, counted);
        let [fault] = &small["fault"].as_array().expect("a list")[..] else { panic!("one fault: {small}") };
        let micros = fault.get("for").and_then(microseconds).expect("a time");
        assert!((300_000..310_000).contains(&micros), "{fault}");
        assert_eq!(fault.get("probability").and_then(Value::as_float), Some(1e-6));
        let [step] = &small["step"].as_array().expect("a list")[..] else { panic!("one step: {small}") };
        assert!(step.get("drop").is_some());
    }

    #[test]
    fn steps_go_with_the_fault_that_they_speak_of() {
        let mut seen = Vec::new();
        shrink(table(MANY), 1, &mut |table| {
            seen.push(table.clone());
            Trial::Other
        });
        // All faults at once come first.
        assert!(seen[0]["fault"].as_array().expect("a list").is_empty());
        let text = seen[0]["step"].to_string();
        assert!(!text.contains("arm") && !text.contains("wait"), "{text}");
        assert!(text.contains("connect"));
    }

    #[test]
    fn a_fault_for_ever_becomes_one_of_so_many_times() {
        let (small, _) = shrink(table(MANY), 500, &mut |table| {
            let faults = table.get("fault").and_then(Value::as_array).expect("a list");
            let c = faults.iter().find(|fault| fault_name(fault).as_deref() == Some("c"));
            let enough = |c: &Value| c.get("always").is_some() || c.get("times").and_then(Value::as_integer) >= Some(3);
            if c.is_some_and(enough) { Trial::Same } else { Trial::Other }
        });
        let [fault] = &small["fault"].as_array().expect("a list")[..] else { panic!("one fault: {small}") };
        assert_eq!(fault.get("times").and_then(Value::as_integer), Some(3));
    }

    proptest! {
        #[test]
        fn runs_are_bounded_and_the_result_fails(runs in 0u32..60, needs in proptest::collection::vec(any::<bool>(), 3)) {
            let fails = |table: &Table| {
                let names: Vec<_> =
                    table["fault"].as_array().expect("a list").iter().filter_map(fault_name).collect();
                ["a", "b", "c"].iter().zip(&needs).all(|(name, needed)| !needed || names.iter().any(|n| n == name))
            };
            let mut count = 0;
            let (small, counted) = shrink(table(MANY), runs, &mut |table| {
                count += 1;
                if fails(table) { Trial::Same } else { Trial::Other }
            });
            prop_assert!(count == counted && counted <= runs);
            prop_assert!(fails(&small));
            if runs > 30 {
                let left = small["fault"].as_array().expect("a list").len();
                prop_assert_eq!(left, needs.iter().filter(|needed| **needed).count());
            }
        }
    }
}
