//! Halting debug, as a host sees it through the access port.

use super::*;
use crate::cpu::arm::{ResetKind, State};
use crate::cpu::{Cpu, Stop, Watch};

const DFSR: u32 = 0xE000_ED30;
const DHCSR: u32 = 0xE000_EDF0;
const DCRSR: u32 = 0xE000_EDF4;
const DCRDR: u32 = 0xE000_EDF8;
const DEMCR: u32 = 0xE000_EDFC;
const KEY: u32 = 0xA05F_0000;
const S_HALT: u32 = 1 << 17;

/// A core halted by a debugger.
fn halted(code: &[u16]) -> Bench {
    let mut bench = Bench::v7em(code);
    bench.write(DHCSR, KEY | 3);
    bench
}

fn run(bench: &mut Bench, cycles: u64) {
    let until = bench.core.cycle() + cycles;
    while bench.core.run(&mut bench.device, until) != Stop::Reached {}
}

#[test]
fn halt_needs_the_key_and_debugen() {
    let mut bench = Bench::v6m(&[0xE7FE]);
    bench.write(DHCSR, 3);
    assert_eq!(bench.read(DHCSR) & S_HALT, 0);
    bench.write(DHCSR, KEY | 2);
    assert_eq!(bench.read(DHCSR) & S_HALT, 0);
    bench.write(DHCSR, KEY | 3);
    assert_eq!(bench.read(DHCSR) & (S_HALT | 3), S_HALT | 3, "C_HALT reads 1 while halted");
    assert_eq!(bench.read(DFSR), 1, "HALTED");
}

#[test]
fn sticky_bits_are_cleared_by_reading() {
    let mut bench = Bench::v6m(&[0xE7FE]);
    assert_eq!(bench.read(DHCSR) >> 24, 2, "S_RESET_ST after power-on");
    assert_eq!(bench.read(DHCSR) >> 24, 0);
    run(&mut bench, 10);
    assert_eq!(bench.read(DHCSR) >> 24, 1, "S_RETIRE_ST");
    bench.write(DHCSR, KEY | 3);
    bench.read(DHCSR);
    run(&mut bench, 10);
    assert_eq!(bench.read(DHCSR) >> 24, 0, "nothing retires while halted");
}

#[test]
fn registers_read_back_what_was_written() {
    let mut bench = halted(&[0xE7FE]);
    let cases = [
        (0, 0x1234_5678),
        (12, 0xFFFF_FFFF),
        (15, 0x0000_0122),
        (16, 0xD000_0000),
        (17, 0x2000_0FF0),
        (18, 0x2000_0FE0),
        (0x21, 0xD680_008F),
        (0x40, 0x7F80_0001),
        (0x5F, 0xFFFF_FFFF),
        (20, 0x0201_8001),
    ];
    for (register, value) in cases {
        bench.write(DCRDR, value);
        bench.write(DCRSR, 1 << 16 | register);
        bench.write(DCRDR, 0);
        bench.write(DCRSR, register);
        assert_eq!(bench.read(DCRDR), value, "register {register:#x}");
    }
    bench.write(DCRDR, 0x123);
    bench.write(DCRSR, 1 << 16 | 15);
    bench.write(DCRSR, 15);
    assert_eq!(bench.read(DCRDR), 0x122, "bit 0 of the PC reads 0");
}

#[test]
fn a_step_executes_one_instruction() {
    let mut bench = halted(&[0x2001, 0x2002, 0x2003]);
    bench.write(DFSR, 0x1F);
    bench.write(DHCSR, KEY | 5);
    run(&mut bench, 50);
    assert_eq!((bench.r(0), bench.r(15)), (1, CODE + 2));
    assert_eq!(bench.read(DHCSR) & S_HALT, S_HALT);
    assert_eq!(bench.read(DFSR), 1);
}

#[test]
fn a_step_enters_a_pending_interrupt_unless_masked() {
    let mut bench = halted(&[0x2001, 0x2002]);
    bench.write(0xE000_E100, 1);
    bench.write(0xE000_E200, 1);
    bench.write(DHCSR, KEY | 0xB);
    bench.write(DHCSR, KEY | 0xD);
    run(&mut bench, 50);
    assert_eq!(bench.r(15), CODE + 2, "C_MASKINTS");
    bench.write(DHCSR, KEY | 0x3);
    bench.write(DHCSR, KEY | 0x5);
    run(&mut bench, 50);
    assert_eq!((bench.r(15), bench.r(16) & 0x1FF), (CODE + 0x200, 16), "the handler's first instruction is next");
}

#[test]
fn a_breakpoint_instruction_halts_on_itself() {
    let mut bench = Bench::v6m(&[0x2001, 0xBE00, 0x2002]);
    bench.write(DHCSR, KEY | 1);
    run(&mut bench, 50);
    assert_eq!((bench.r(0), bench.r(15)), (1, CODE + 2));
    assert_eq!((bench.read(DHCSR) & (S_HALT | 2), bench.read(DFSR)), (S_HALT | 2, 2));
    // A step stays there; the host moves the PC.
    bench.write(DHCSR, KEY | 5);
    run(&mut bench, 50);
    assert_eq!(bench.r(15), CODE + 2);
    bench.set(15, CODE + 4);
    bench.write(DHCSR, KEY | 5);
    run(&mut bench, 50);
    assert_eq!(bench.r(0), 2);
}

#[test]
fn a_breakpoint_instruction_without_a_debugger_is_a_hard_fault() {
    let mut bench = Bench::v7em(&[0xBE00]);
    bench.place(CODE + 0x200, &[0xE7FE]);
    run(&mut bench, 20);
    assert_eq!(bench.r(16) & 0x1FF, 3);
    assert_eq!((bench.read(0xE000_ED2C), bench.read(DFSR)), (1 << 31, 2), "DEBUGEVT, BKPT");
}

#[test]
fn comparators_halt_before_the_instruction_also_after_it_was_decoded() {
    let mut bench = Bench::v7em(&[0x3001, 0x3101, 0xE7FC]); // ADDS R0, #1; ADDS R1, #1; B back
    bench.write(DHCSR, KEY | 1);
    run(&mut bench, 40);
    bench.write(DHCSR, KEY | 3);
    bench.write(0xE000_2000, 3);
    bench.write(0xE000_2008, 0x8000_0001 | CODE);
    bench.write(DFSR, 0x1F);
    bench.write(DHCSR, KEY | 1);
    run(&mut bench, 40);
    assert_eq!((bench.r(15), bench.r(0)), (CODE + 2, bench.r(1) + 1));
    assert_eq!(bench.read(DFSR), 2);
    bench.write(0xE000_2008, 0);
    bench.write(DHCSR, KEY | 1);
    run(&mut bench, 40);
    assert_eq!(bench.read(DHCSR) & S_HALT, 0);
}

#[test]
fn watchpoints_halt_after_the_access() {
    let mut bench = Bench::v7em(&[0x6008, 0x2207, 0x2208]); // STR R0, [R1]; MOVS R2, #7
    bench.write(DEMCR, 1 << 24);
    bench.write(DHCSR, KEY | 1);
    bench.set(0, 99);
    bench.set(1, RAM + 0x10);
    bench.write(0xE000_1020, RAM + 0x10);
    bench.write(0xE000_1028, 6);
    run(&mut bench, 40);
    assert_eq!((bench.r(15), bench.r(2), bench.word(RAM + 0x10)), (CODE + 2, 0, 99));
    assert_eq!(bench.read(DFSR), 4, "DWTTRAP");
}

#[test]
fn reset_catch_halts_with_nothing_executed() {
    let mut bench = Bench::v7em(&[0x2001, 0xE7FE]);
    bench.write(DHCSR, KEY | 1);
    bench.write(DEMCR, 1);
    run(&mut bench, 10);
    bench.core.reset(ResetKind::System);
    run(&mut bench, 10);
    assert_eq!((bench.r(13), bench.r(15)), (STACK, CODE));
    assert_eq!(bench.read(DHCSR) & (S_HALT | 1 << 25 | 1), S_HALT | 1 << 25 | 1);
    assert_eq!(bench.read(DFSR), 8, "VCATCH");
}

#[test]
fn reset_catch_without_debugen_does_nothing() {
    let mut bench = Bench::v7em(&[0x2001, 0xE7FE]);
    bench.write(DEMCR, 1);
    bench.core.reset(ResetKind::System);
    run(&mut bench, 10);
    assert_eq!(bench.read(DHCSR) & S_HALT, 0);
    assert_eq!(bench.read(DEMCR), 1, "DEMCR survives a system reset");
    bench.core.reset(ResetKind::PowerOn);
    assert_eq!(bench.read(DEMCR), 0);
}

#[test]
fn vector_catch_stops_at_the_hard_fault_handler() {
    let mut bench = Bench::v6m(&[0xDE00]);
    bench.write(DHCSR, KEY | 1);
    bench.write(DEMCR, 1 << 10);
    run(&mut bench, 50);
    assert_eq!((bench.r(15), bench.r(16) & 0x1FF), (CODE + 0x200, 3));
    assert_eq!(bench.read(DFSR), 8);
}

#[test]
fn a_sleeping_core_halts_behind_its_wfi() {
    let mut bench = Bench::v6m(&[0xBF30, 0xE7FE]);
    run(&mut bench, 50);
    assert_eq!(bench.read(DHCSR) >> 18 & 1, 1, "S_SLEEP");
    bench.write(DHCSR, KEY | 3);
    assert_eq!(bench.read(DHCSR) & (S_HALT | 1 << 18), S_HALT);
    assert_eq!(bench.r(15), CODE + 2);
}

#[test]
fn a_locked_up_core_can_be_halted() {
    let mut bench = Bench::v6m(&[0xDE00]);
    bench.place(CODE + 0x200, &[0xDE00]);
    run(&mut bench, 50);
    assert_eq!(bench.read(DHCSR) >> 19 & 1, 1, "S_LOCKUP");
    bench.write(DHCSR, KEY | 3);
    assert_eq!(bench.read(DHCSR) & (S_HALT | 1 << 19), S_HALT);
    assert_eq!(bench.r(15), 0xFFFF_FFFE);
}

#[test]
fn registers_of_a_running_core_are_out_of_reach() {
    let mut bench = Bench::v6m(&[0xE7FE]);
    run(&mut bench, 10);
    bench.write(DCRDR, 7);
    bench.write(DCRSR, 1 << 16);
    assert_eq!(bench.r(0), 0);
}

#[test]
fn an_outside_debugger_stops_the_core_unseen() {
    let mut bench = Bench::v6m(&[0x3001, 0x6008, 0xE7FC]); // ADDS R0, #1; STR R0, [R1]; B back
    bench.set(1, RAM);
    let mut cpu = bench.core.attach(&mut bench.device);
    cpu.set_breakpoint(CODE + 2, true);
    assert_eq!(cpu.run(1000), Stop::Halted);
    assert_eq!((cpu.register(15), cpu.register(0)), (CODE + 2, 1));
    cpu.set_breakpoint(CODE + 2, false);
    cpu.set_watchpoint(Watch { address: RAM, len: 1, read: false, write: true }, true);
    cpu.resume(false);
    assert_eq!(cpu.run(1000), Stop::Halted);
    assert_eq!((cpu.register(15), cpu.register(0)), (CODE + 4, 1));
    cpu.resume(true);
    assert_eq!(cpu.run(1000), Stop::Halted);
    assert_eq!(cpu.register(15), CODE);
    assert_eq!(bench.read(DHCSR) & 1, 0);
    assert_eq!(bench.core.state(), State::Halted);
}

#[test]
fn a_comparator_without_a_debugger_does_nothing() {
    let mut bench = Bench::v7em(&[0x3001, 0xE7FE]);
    bench.write(DEMCR, 1 << 16);
    bench.write(0xE000_2000, 3);
    bench.write(0xE000_2008, 0x4000_0001 | CODE);
    run(&mut bench, 40);
    assert_eq!((bench.r(0), bench.r(16) & 0x1FF, bench.read(DFSR)), (1, 0, 0));
}

#[test]
fn the_monitor_takes_breakpoints_but_does_not_step() {
    // C1.5.4: MON_EN, then BKPT. The handler returns behind it.
    let mut bench = Bench::v7em(&[0xBE00, 0x2001, 0x2002]);
    bench.place(CODE + 0x200, &[0xE7FE]);
    bench.write(DEMCR, 1 << 16 | 1 << 18);
    run(&mut bench, 40);
    assert_eq!((bench.r(16) & 0x1FF, bench.read(DFSR)), (12, 2));
    assert_eq!(bench.word(bench.r(13) + 24), CODE);
    assert_eq!(bench.read(0xE000_ED24) >> 8 & 1, 1, "MONITORACT");
}
