//! Random single instructions from random states.

use std::collections::BTreeMap;

use crate::instructions::{Profile, templates};
use crate::oracle::Oracle;
use crate::random::Random;
use crate::state::{CODE, CODE_LEN, DATA, DATA_LEN, START, State};
use crate::subject::Subject;

/// How often each instruction is executed, each time from another state.
const STATES: usize = 8;
/// Instructions between two comparisons of all of the memory.
const MEMORY_INTERVAL: u64 = 64;

/// Executes at least `amount` single instructions on both engines.
///
/// # Panics
/// If they differ; the message has one example of each kind of instruction.
pub fn compare(profile: Profile, amount: u64, seed: u64) {
    let mut random = Random(seed);
    let templates = templates(profile);
    let (mut ours, mut theirs) = (Subject::new(profile), Oracle::new(profile));
    let fill = |random: &mut Random, len: u32| -> Vec<u8> { (0..len).map(|_| random.next() as u8).collect() };
    for (address, bytes) in [(CODE, fill(&mut random, CODE_LEN)), (DATA, fill(&mut random, DATA_LEN))] {
        ours.write(address, &bytes);
        theirs.write(address, &bytes);
    }
    let mut differences: BTreeMap<&str, (u64, String)> = BTreeMap::new();
    let mut executed = 0;
    let mut last_names = Vec::new();
    while executed < amount {
        let template = random.pick(&templates);
        let code = template.instance(&mut random);
        let bytes = if template.wide {
            [((code >> 16) as u16).to_le_bytes(), (code as u16).to_le_bytes()].concat()
        } else {
            (code as u16).to_le_bytes().to_vec()
        };
        ours.write(START, &bytes);
        theirs.write(START, &bytes);
        last_names.push(template.name);
        for _ in 0..STATES {
            let before = State::random(&mut random, profile);
            ours.set(&before);
            theirs.set(&before);
            ours.step();
            let result = theirs.step();
            executed += 1;
            if Oracle::errs(template.name, &before) {
                continue;
            }
            let mut text = ours.get().differences(&theirs.get());
            if let Err(error) = result {
                text += &format!("    Unicorn: {error:?}\n");
            }
            if !text.is_empty() {
                let example = format!("    {code:08x} before: {before:x?}\n{text}");
                differences.entry(template.name).or_insert((0, example)).0 += 1;
            }
        }
        if (executed / STATES as u64).is_multiple_of(MEMORY_INTERVAL) {
            let (a, mut b) = (ours.read(DATA, DATA_LEN), vec![0; DATA_LEN as usize]);
            theirs.read(DATA, &mut b);
            assert!(a == b, "{profile:?}, seed {seed}: memory differs after one of {last_names:?}");
            last_names.clear();
        }
    }
    let report: Vec<String> =
        differences.into_iter().map(|(name, (count, example))| format!("{name} ({count} times)\n{example}")).collect();
    assert!(report.is_empty(), "{profile:?}, seed {seed}: {} kinds differ\n{}", report.len(), report.join("\n"));
    println!("{profile:?}: {executed} single instructions without a difference");
}
