//! Slices do not matter, and neither does the skipping of waiting loops.

use super::*;
use proptest::prelude::*;

/// Writes a line's worth of busy cycles to the device, polls it, counts, and does so again; an interrupt counts too.
///
/// ```text
///     movs r0, #200 ; str r0, [r1, #8]
/// 1:  ldr r2, [r1, #8] ; cmp r2, #0 ; beq 1b
///     str r3, [r1] ; adds r3, #1 ; b 0
/// handler: str r0, [r1, #12] ; ldr r2, [r6] ; adds r2, #1 ; str r2, [r6] ; bx lr
/// ```
fn poller(config: CoreConfig, period: u32) -> Bench {
    let mut bench = Bench::new(config, &[0x20C8, 0x6088, 0x688A, 0x2A00, 0xD0FC, 0x600B, 0x3301, 0xE7F7]);
    bench.place(CODE + 0x200, &[0x60C8, 0x6832, 0x3201, 0x6032, 0x4770]);
    bench.set(1, DEVICE);
    bench.set(6, RAM);
    bench.write(0xE000_E100, 1);
    if period != 0 {
        bench.write(DEVICE + 4, period);
    }
    bench
}

type Snapshot = (u64, Vec<u32>, Vec<(u64, u32)>, u32);

fn snapshot(bench: &Bench) -> Snapshot {
    let registers = (0..=18).map(|index| bench.r(index)).collect();
    (bench.core.cycle(), registers, bench.device.log.clone(), bench.word(RAM))
}

proptest! {
    #[test]
    fn slices_do_not_matter(period in 0u32..700, cuts in prop::collection::vec(1u64..400, 1..40), v7: bool) {
        let config = if v7 { config::M4F } else { config::M0PLUS };
        let total: u64 = cuts.iter().sum();
        let mut whole = poller(config, period);
        whole.core.run(&mut whole.device, total);
        let mut sliced = poller(config, period);
        let mut until = 0;
        for cut in cuts {
            until += cut;
            sliced.core.run(&mut sliced.device, until);
        }
        prop_assert_eq!(snapshot(&whole), snapshot(&sliced));
    }

    #[test]
    fn skipping_is_exact(period in 0u32..700, total in 1u64..20_000, v7: bool) {
        let config = if v7 { config::M4F } else { config::M0PLUS };
        let mut skipping = poller(config, period);
        skipping.core.run(&mut skipping.device, total);
        let mut patient = poller(config, period);
        patient.core.set_spin_skipping(false);
        patient.core.run(&mut patient.device, total);
        prop_assert_eq!(snapshot(&skipping), snapshot(&patient));
    }
}

/// Polls a word of RAM through a function that keeps its return address on the stack; the interrupt's handler counts
/// in that word. Between two interrupts it also waits in a delay loop of `step`s, by the condition in `branch`.
///
/// ```text
/// 0:  movs r4, #200 ; 2: subs r4, #step ; b<c> 2b
///     movs r5, #90
/// 1:  bl get ; cmp r0, r7 ; bne 3f ; adds r3, #1 ; b 1b
/// 3:  mov r7, r0 ; str r3, [r1] ; b 0b
/// get: push {r4, lr} ; ldr r0, [r6] ; pop {r4, pc}
/// handler: str r0, [r1, #12] ; ldr r2, [r6] ; adds r2, #1 ; str r2, [r6] ; bx lr
/// ```
fn ram_poller(config: CoreConfig, period: u32, step: u16, branch: u16, counting: bool) -> Bench {
    let turn = if counting { 0x3301 } else { 0xBF00 };
    let code = [
        0x24C8,
        0x3C00 | step,
        branch,
        0x255A, // 0x400
        0xF000,
        0xF807,
        0x42B8,
        0xD101,
        turn,
        0xE7F9, // 0x408
        0x4607,
        0x600B,
        0xE7F2,
        0xBF00, // 0x414
        0xB510,
        0x6830,
        0xBD10, // 0x41C
    ];
    let mut bench = Bench::new(config, &code);
    bench.place(CODE + 0x200, &[0x60C8, 0x6832, 0x3201, 0x6032, 0x4770]);
    bench.set(1, DEVICE);
    bench.set(6, RAM);
    bench.write(0xE000_E100, 1);
    bench.write(DEVICE + 4, period);
    bench
}

/// `b<c>` to the half-word before it, for the conditions NE, CS, PL, HI, GE and GT, which end a delay loop.
fn delay_branch() -> impl Strategy<Value = u16> {
    prop::sample::select(vec![0xD1FD, 0xD2FD, 0xD5FD, 0xD8FD, 0xDAFD, 0xDCFD])
}

proptest! {
    #[test]
    fn skipping_of_loops_that_poll_ram_or_count_is_exact(
        period in 40u32..6_000, total in 1u64..60_000, branch in delay_branch(), step in 1u16..=200, v7: bool,
        counting: bool,
    ) {
        let config = if v7 { config::M4F } else { config::M0PLUS };
        let mut skipping = ram_poller(config, period, step, branch, counting);
        skipping.core.run(&mut skipping.device, total);
        let mut patient = ram_poller(config, period, step, branch, counting);
        patient.core.set_spin_skipping(false);
        // A core that is asked for every cycle has no time to skip anything.
        for until in 1..=total {
            patient.core.run(&mut patient.device, until);
        }
        prop_assert_eq!(snapshot(&skipping), snapshot(&patient));
    }
}

#[test]
fn waiting_for_a_word_in_ram_costs_no_work() {
    // An interrupt each twenty million cycles, a thousand of them; the time that this takes shows if none is skipped.
    let mut bench = ram_poller(config::M4F, 20_000_000, 1, 0xD1FD, false);
    bench.core.run(&mut bench.device, 20_000_500_000);
    assert_eq!(bench.word(RAM), 1000);
}

#[test]
fn waiting_costs_no_work() {
    // Busy for two thousand million cycles: a handful of reads instead of hundreds of millions.
    let mut bench = poller(config::M0PLUS, 0);
    bench.set(0, 0);
    bench.core.step(&mut bench.device);
    bench.set(0, 2_000_000_000);
    bench.core.run(&mut bench.device, 2_000_000_100);
    assert_eq!(bench.device.log.len(), 1);
    assert!(bench.device.reads < 100, "{} reads", bench.device.reads);
}

/// Sleeps, with PRIMASK set if so wished; the handler acknowledges the interrupt of line 0.
fn sleeper(masked: bool) -> Bench {
    let mut bench = Bench::v6m(&[if masked { 0xB672 } else { 0xBF00 }, 0xBF30, 0xE7FD]); // CPSID i or NOP; WFI; B .-2
    bench.place(CODE + 0x200, &[0x60C8, 0x4770]); // STR R0, [R1, #12]; BX LR
    bench.set(1, DEVICE);
    bench.write(0xE000_E100, 1);
    bench
}

#[test]
fn an_interrupt_at_the_very_end_of_a_slice_is_the_next_event_of_a_sleeping_core() {
    for masked in [false, true] {
        let mut bench = sleeper(masked);
        bench.write(DEVICE + 4, 100);
        let at = bench.device.alarm;
        bench.core.run(&mut bench.device, at - 1);
        assert_eq!(bench.core.next_event(), at);
        bench.core.run(&mut bench.device, at);
        assert_eq!((bench.core.cycle(), bench.core.next_event()), (at, at), "masked: {masked}");
    }
}

#[test]
fn a_line_that_is_raised_from_outside_is_the_next_event_of_a_sleeping_core() {
    let mut bench = sleeper(false);
    bench.core.run(&mut bench.device, 50);
    assert_eq!(bench.core.next_event(), u64::MAX);
    bench.core.with_context(|cx| cx.irq.set(0, true));
    assert_eq!(bench.core.next_event(), 50);
    // A line that nobody listens to wakes nobody, once it has been looked at.
    let mut bench = sleeper(false);
    bench.core.run(&mut bench.device, 50);
    bench.core.with_context(|cx| cx.irq.set(1, true));
    bench.core.run(&mut bench.device, 60);
    assert_eq!(bench.core.next_event(), u64::MAX);
}
