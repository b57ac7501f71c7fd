//! Stretches that only look: recalled or not, everything is the same.

use super::*;
use proptest::prelude::*;

/// A list of nodes in RAM: next node, key.
const NODES: u32 = RAM + 0x20;
const COUNT: u32 = 20;
/// Where the program is if it is in RAM.
const CODE_RAM: u32 = RAM + 0x800;
/// Of the program: `ldr r0, [r0]`, which goes to the next node, and what makes the list end there, `movs r0, #0`.
const TO_NEXT: u32 = 0xC;
const ENDS: u16 = 0x2000;

/// Looks for a node with the key in R4, again and again, and counts. An interrupt's handler counts too, gives its count to
/// the first node as its key, and to the half-word at R5 what differs by the word at RAM + 16.
///
/// ```text
/// 0:  ldr r0, [r6, #4]
/// 1:  cmp r0, #0 ; beq 2f ; ldrh r2, [r0, #4] ; cmp r2, r4 ; beq 2f ; ldr r0, [r0] ; b 1b
/// 2:  str r0, [r6, #8] ; adds r7, #1 ; str r7, [r6, #12] ; b 0b
/// handler: str r0, [r1, #12] ; ldr r2, [r6] ; adds r2, #1 ; str r2, [r6] ; strh r2, [r6, #36]
///          ldrh r2, [r5] ; ldr r3, [r6, #16] ; eors r2, r3 ; strh r2, [r5] ; bx lr
/// ```
fn searcher(config: CoreConfig, period: u32, key: u32, at: u32, changed: (u32, u32)) -> Bench {
    let code = [0x6870, 0x2800, 0xD004, 0x8882, 0x42A2, 0xD001, 0x6800, 0xE7F8, 0x60B0, 0x3701, 0x60F7, 0xE7F3];
    let mut bench = Bench::new(config, &code);
    bench.place(at, &code);
    bench.place(CODE + 0x200, &[0x60C8, 0x6832, 0x3201, 0x6032, 0x84B2, 0x882A, 0x6933, 0x405A, 0x802A, 0x4770]);
    for node in 0..COUNT {
        let address = NODES + 8 * node;
        bench.write(address, if node + 1 == COUNT { 0 } else { address + 8 });
        bench.write(address + 4, 100 + node);
    }
    bench.write(RAM + 4, NODES);
    bench.write(RAM + 16, changed.1);
    for (register, value) in [(1, DEVICE), (4, key), (5, changed.0), (6, RAM), (15, at)] {
        bench.set(register, value);
    }
    bench.write(0xE000_E100, 1);
    if period != 0 {
        bench.write(DEVICE + 4, period);
    }
    bench
}

type Snapshot = (u64, Vec<u32>, Vec<u32>);

fn snapshot(bench: &Bench) -> Snapshot {
    let registers = (0..=18).map(|index| bench.r(index)).collect();
    (bench.core.cycle(), registers, (0..COUNT * 2 + 8).map(|word| bench.word(RAM + 4 * word)).collect())
}

fn config(v7: bool) -> CoreConfig {
    if v7 { config::M4F } else { config::M0PLUS }
}

#[test]
fn a_search_that_finds_what_it_found_before_is_recalled() {
    for at in [CODE, CODE_RAM] {
        let mut bench = searcher(config::M4F, 3_000, 110, at, (RAM + 18, 0));
        bench.core.run(&mut bench.device, 1_000_000);
        let recalled = bench.core.recall.recalled;
        assert!(recalled > 500_000, "{recalled} of a million cycles");
    }
}

#[test]
fn a_core_that_is_stepped_recalls_nothing() {
    let mut bench = searcher(config::M4F, 0, 110, CODE, (RAM + 18, 0));
    bench.core.run(&mut bench.device, 100_000);
    let before = bench.core.recall.recalled;
    bench.steps(1_000);
    assert_eq!(bench.core.recall.recalled, before);
}

proptest! {
    #[test]
    fn recalling_is_exact(
        period in prop_oneof![Just(0u32), 200u32..4_000], key in 0u32..125, cuts in prop::collection::vec(1u64..20_000, 1..20),
        v7: bool, in_ram: bool, changes_code: bool,
    ) {
        let at = if in_ram { CODE_RAM } else { CODE };
        let changed = if in_ram && changes_code { (at + TO_NEXT, 0x6800 ^ u32::from(ENDS)) } else { (RAM + 18, 0) };
        let mut recalling = searcher(config(v7), period, key, at, changed);
        let mut patient = searcher(config(v7), period, key, at, changed);
        patient.core.set_recalling(false);
        let mut until = recalling.core.cycle();
        for cut in cuts {
            until += cut;
            recalling.core.run(&mut recalling.device, until);
            patient.core.run(&mut patient.device, until);
            prop_assert_eq!(snapshot(&recalling), snapshot(&patient));
        }
        prop_assert_eq!(patient.core.recall.recalled, 0);
    }

    #[test]
    fn what_was_found_is_forgotten_when_flash_or_breakpoints_change(key in 0u32..125, until in 50_000u64..90_000, v7: bool) {
        let mut recalling = searcher(config(v7), 2_000, key, CODE, (RAM + 18, 0));
        let mut patient = searcher(config(v7), 2_000, key, CODE, (RAM + 18, 0));
        patient.core.set_recalling(false);
        for bench in [&mut recalling, &mut patient] {
            bench.core.run(&mut bench.device, until);
            bench.place(CODE + TO_NEXT, &[ENDS]);
            bench.core.run(&mut bench.device, 2 * until);
            bench.core.breakpoints.push(CODE + TO_NEXT);
            bench.core.breakpoints_changed();
            bench.core.run(&mut bench.device, 3 * until);
        }
        prop_assert_eq!(snapshot(&recalling), snapshot(&patient));
    }
}
