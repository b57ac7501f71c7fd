//! What people are told of faults.

use super::super::{Cause, Incident, Raised, ResetKind};
use super::*;

fn incident(raised: Raised, cause: Cause, pc: u32, times: u64) -> (Raised, Cause, u32, u64) {
    (raised, cause, pc, times)
}

fn incidents(bench: &Bench) -> Vec<(Raised, Cause, u32, u64)> {
    let told = |one: &Incident| incident(one.raised, one.cause, one.pc, one.times);
    bench.core.incidents().iter().map(told).collect()
}

#[test]
fn a_store_to_nothing_whose_handler_is_erased_is_a_hard_fault_and_a_lockup() {
    for mut bench in [Bench::v6m(&[0x6008]), Bench::v7em(&[0x6008])] {
        // STR R0, [R1]; the flash behind CODE + 0x200 is erased.
        bench.set(1, 0x6000_0000);
        bench.steps(2);
        let stored = incident(Raised::HardFault, Cause::Store(0x6000_0000), CODE, 1);
        let erased = incident(Raised::Lockup, Cause::Erased, CODE + 0x200, 1);
        assert_eq!(incidents(&bench), [stored, erased]);
    }
}

#[test]
fn the_same_again_is_counted_and_outlives_resets() {
    // MOVS R1, #3; LSLS R1, R1, #29; LDR R0, [R1]
    let mut bench = Bench::v6m(&[0x2103, 0x0749, 0x6808]);
    for _ in 0..3 {
        bench.steps(4);
        bench.core.reset(ResetKind::System);
    }
    let load = incident(Raised::HardFault, Cause::Load(0x6000_0000), CODE + 4, 3);
    let lockup = incident(Raised::Lockup, Cause::Erased, CODE + 0x200, 3);
    assert_eq!(incidents(&bench), [load, lockup]);
}

#[test]
fn a_jump_to_nowhere_tells_where_to_and_where_from() {
    let mut bench = Bench::v7em(&[0x4780]); // BLX R0
    bench.set(0, 0x6000_0001);
    bench.steps(2);
    let first = bench.core.incidents()[0];
    assert_eq!((first.cause, first.pc, first.lr), (Cause::Fetch, 0x6000_0000, CODE + 2 + 1));
}

#[test]
fn a_fault_with_a_handler_of_its_own_is_told_as_what_it_is() {
    let mut bench = Bench::v7em(&[0x6808]);
    bench.set(1, 0x6000_0000);
    bench.write(0xE000_ED24, 1 << 17); // SHCSR.BUSFAULTENA
    bench.steps(1);
    assert_eq!(incidents(&bench), [incident(Raised::BusFault, Cause::Load(0x6000_0000), CODE, 1)]);
}

#[test]
fn a_program_that_goes_wrong_everywhere_costs_no_more_than_32_places() {
    let mut bench = Bench::v6m(&[0xDE00; 0x80]); // UDF
    for place in 0..0x80 {
        bench.core.reset(ResetKind::System);
        bench.steps(1);
        bench.set(15, CODE + 2 * place);
        bench.steps(1);
    }
    assert_eq!(bench.core.incidents().len(), 32);
}
