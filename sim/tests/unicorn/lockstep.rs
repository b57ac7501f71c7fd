//! Random programs in lock step, compared after every unit, and once more in one go on our side only: what a step does
//! a run does too.

use std::collections::BTreeMap;

use crate::instructions::{Profile, templates};
use crate::oracle::Oracle;
use crate::program::Program;
use crate::random::Random;
use crate::state::{CODE, CODE_LEN, DATA, DATA_LEN, START, State};
use crate::subject::Subject;

/// Units in a program.
const LENGTH: usize = 64;
/// How often each program runs, from different states: translating it costs Unicorn more than running it.
const RUNS: usize = 6;
/// Units executed in one run: more than any program needs.
const LIMIT: usize = 1000;
/// More cycles than any program needs; the branch to itself at its end takes the rest.
const LONGEST: u64 = 20_000;
/// Differences shown before giving up, one for each kind of instruction.
const SHOWN: usize = 20;

/// Executes at least `amount` units of random programs on both engines.
///
/// # Panics
/// If they differ; the message says where.
pub fn compare(profile: Profile, amount: u64, seed: u64) {
    let mut random = Random(seed);
    let templates = templates(profile);
    let mut pair = Pair::new(profile, &mut random);
    let mut units = 0;
    let mut programs = 0;
    let mut differences: BTreeMap<String, String> = BTreeMap::new();
    while units < amount && differences.len() < SHOWN {
        let program = Program::random(&templates, profile, LENGTH, &mut random);
        let code: Vec<u8> = program.code.iter().flat_map(|half| half.to_le_bytes()).collect();
        pair.write(START, &code);
        programs += 1;
        for _ in 0..RUNS {
            let start = State::random(&mut random, profile);
            match pair.run(&program, &start) {
                Ok(count) => units += count,
                Err((name, text)) => {
                    differences.entry(name).or_insert(text);
                    break;
                }
            }
        }
    }
    let report: Vec<String> = differences.into_iter().map(|(name, text)| format!("{name}\n{text}")).collect();
    assert!(report.is_empty(), "{profile:?}, seed {seed}: {} differences\n{}", report.len(), report.join("\n"));
    println!("{profile:?}: {programs} programs, {units} units in lock step without a difference");
}

/// Both engines, with the same memories.
struct Pair {
    ours: Subject,
    theirs: Oracle,
    data: Vec<u8>,
}

impl Pair {
    fn new(profile: Profile, random: &mut Random) -> Pair {
        let mut pair = Pair { ours: Subject::new(profile), theirs: Oracle::new(profile), data: Vec::new() };
        let code: Vec<u8> = (0..CODE_LEN).map(|_| random.next() as u8).collect();
        pair.write(CODE, &code);
        pair.data = (0..DATA_LEN).map(|_| random.next() as u8).collect();
        pair
    }

    fn write(&mut self, address: u32, bytes: &[u8]) {
        self.ours.write(address, bytes);
        self.theirs.write(address, bytes);
    }

    /// Runs `program` from `start` with fresh data; how many units it was, or where the engines differ.
    fn run(&mut self, program: &Program, start: &State) -> Result<u64, (String, String)> {
        let data = std::mem::take(&mut self.data);
        self.write(DATA, &data);
        self.data = data;
        self.ours.set(start);
        self.theirs.set(start);
        let mut before = start.clone();
        let mut count = 0;
        for _ in 0..LIMIT {
            let pc = before.r[15];
            if pc == program.end {
                break;
            }
            let unit = program.units.iter().find(|unit| unit.address == pc).expect("both engines are at a unit");
            let theirs = match unit.until {
                Some(until) => {
                    self.ours.step_to(until);
                    self.theirs.run(until)
                }
                None => {
                    self.ours.step();
                    self.theirs.step()
                }
            };
            let at = (pc - START) as usize / 2;
            let place = || {
                format!(
                    "    at {pc:#x}: {:04x?}\n    before: {before:x?}\n",
                    &program.code[at..][..2.min(program.code.len() - at)]
                )
            };
            if let Err(error) = theirs {
                return Err((unit.name.clone(), format!("{}    Unicorn: {error:?}", place())));
            }
            let ours = self.ours.get();
            if Oracle::errs(&unit.name, &before) {
                self.theirs.set(&ours);
                let memory = self.ours.read(DATA, DATA_LEN);
                self.theirs.write(DATA, &memory);
            }
            let differences = ours.differences(&self.theirs.get());
            if !differences.is_empty() {
                return Err((unit.name.clone(), place() + &differences));
            }
            before = ours;
            count += 1;
        }
        let memory = self.ours.read(DATA, DATA_LEN);
        if let Some(text) = self.memory_difference(&memory) {
            return Err(("memory after a program".into(), text));
        }
        self.run_in_one_go(program, start, &before, &memory)?;
        Ok(count)
    }

    fn memory_difference(&self, ours: &[u8]) -> Option<String> {
        let mut theirs = vec![0; ours.len()];
        self.theirs.read(DATA, &mut theirs);
        let at = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs)?;
        Some(format!("    [{:#x}]: ours {:#04x}, Unicorn {:#04x}\n", DATA as usize + at, ours[at], theirs[at]))
    }

    /// What stepping did, running does too.
    fn run_in_one_go(
        &mut self,
        program: &Program,
        start: &State,
        end: &State,
        memory: &[u8],
    ) -> Result<(), (String, String)> {
        if end.r[15] != program.end {
            return Ok(());
        }
        let data = std::mem::take(&mut self.data);
        self.ours.write(DATA, &data);
        self.data = data;
        self.ours.set(start);
        self.ours.run(LONGEST);
        let differences = self.ours.get().differences(end);
        if !differences.is_empty() || self.ours.read(DATA, DATA_LEN) != memory {
            return Err(("run in one go".into(), format!("{:04x?}\n{differences}", program.code)));
        }
        Ok(())
    }
}
