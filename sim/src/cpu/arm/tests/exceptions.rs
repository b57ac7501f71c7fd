//! Exceptions: entry, return, priorities, faults, sleep.

use super::*;
use crate::cpu::Stop;
use crate::cpu::arm::{ResetKind, State};

const HANDLER: u32 = CODE + 0x200;

/// Enables interrupt `irq` at `priority`.
fn enable(bench: &mut Bench, irq: u32, priority: u32) {
    bench.write(0xE000_E100, 1 << irq);
    let register = 0xE000_E400 + (irq & !3);
    let old = bench.read(register);
    let shift = (irq & 3) * 8;
    bench.write(register, old & !(0xFF << shift) | priority << shift);
}

#[test]
fn an_interrupt_stacks_eight_words_and_returns() {
    // B1.5.6. Thread: B . ; handler: BX LR.
    let mut bench = Bench::v6m(&[0xE7FE]);
    bench.place(HANDLER, &[0x4770]);
    bench.set(0, 0xA0);
    bench.set(12, 0xAC);
    bench.set(14, 0xAE);
    enable(&mut bench, 3, 0);
    bench.core.set_irq(3, true);
    bench.core.set_irq(3, false);
    bench.core.set_irq(3, true);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x1FF, 19);
    assert_eq!((bench.r(14), bench.r(15)), (0xFFFF_FFF9, HANDLER));
    assert_eq!(bench.core.cycle(), 15, "Cortex-M0+ TRM: 15 cycles");
    let sp = bench.r(13);
    assert_eq!(sp, STACK - 32);
    assert_eq!((bench.word(sp), bench.word(sp + 16), bench.word(sp + 20)), (0xA0, 0xAC, 0xAE));
    assert_eq!((bench.word(sp + 24), bench.word(sp + 28)), (CODE, 0x0100_0000));
    bench.core.set_irq(3, false);
    bench.steps(1);
    assert_eq!((bench.r(13), bench.r(14), bench.r(15), bench.r(16) & 0x1FF), (STACK, 0xAE, CODE, 0));
}

#[test]
fn a_core_that_is_handed_over_begins_at_the_vectors_it_is_given_until_the_next_reset() {
    let mut bench = Bench::v6m(&[0xE7FE]);
    bench.place(0x700, &[0x1000, 0x2000, 0x0601, 0x0000]);
    bench.place(0x600, &[0xE7FE]);
    bench.core.reset(ResetKind::System);
    bench.core.hand_over(0x700);
    bench.steps(1);
    assert_eq!((bench.r(13), bench.r(15)), (RAM + 0x1000, 0x600));
    assert_eq!(bench.read(0xE000_ED08), 0x700, "VTOR");
    bench.core.reset(ResetKind::System);
    bench.steps(1);
    assert_eq!((bench.r(13), bench.r(15), bench.read(0xE000_ED08)), (STACK, CODE, 0));
}

#[test]
fn stacking_aligns_to_eight_bytes_and_tells_so() {
    let mut bench = Bench::v6m(&[0xE7FE]);
    bench.core.step(&mut bench.device);
    bench.set(13, STACK - 4);
    enable(&mut bench, 0, 0);
    bench.core.set_irq(0, true);
    bench.steps(1);
    assert_eq!(bench.r(13), STACK - 4 - 4 - 32);
    assert_eq!(bench.word(bench.r(13) + 28) >> 9 & 1, 1);
    bench.place(HANDLER, &[0x4770]);
    bench.core.set_irq(0, false);
    bench.steps(1);
    assert_eq!(bench.r(13), STACK - 4);
}

#[test]
fn a_pending_interrupt_is_tail_chained() {
    let mut bench = Bench::v7em(&[0xE7FE]);
    bench.place(HANDLER, &[0x4770]);
    enable(&mut bench, 1, 0x20);
    enable(&mut bench, 2, 0x20);
    bench.write(0xE000_E200, 0b110);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x1FF, 17);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x1FF, 18, "the lower number first, the other without unstacking");
    assert_eq!(bench.r(13), STACK - 32);
    bench.steps(1);
    assert_eq!((bench.r(13), bench.r(16) & 0x1FF), (STACK, 0));
}

#[test]
fn a_higher_priority_preempts_and_a_lower_one_waits() {
    let mut bench = Bench::v7em(&[0xE7FE]);
    bench.place(HANDLER, &[0xBF00, 0xBF00, 0x4770]);
    enable(&mut bench, 1, 0x40);
    enable(&mut bench, 2, 0x20);
    enable(&mut bench, 3, 0x60);
    bench.write(0xE000_E200, 1 << 1);
    bench.steps(1);
    bench.write(0xE000_E200, 1 << 2 | 1 << 3);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x1FF, 18);
    assert_eq!(bench.r(14), 0xFFFF_FFF1, "returns to a handler");
    assert_eq!(bench.read(0xE000_E300), 0b110, "both active");
    bench.steps(3);
    assert_eq!(bench.r(16) & 0x1FF, 17);
    bench.steps(3);
    assert_eq!(bench.r(16) & 0x1FF, 19, "the lowest comes last");
}

#[test]
fn an_exception_that_arrives_while_stacking_is_taken_first() {
    // B1.5.11, late arrival: line 0 (priority 0) rises 5 cycles into the entry of interrupt 2.
    let mut bench = Bench::v7em(&[0xE7FE]);
    enable(&mut bench, 0, 0);
    enable(&mut bench, 2, 0x40);
    bench.device.period = 1_000_000;
    bench.device.alarm = 5;
    bench.core.schedule(5);
    bench.write(0xE000_E200, 1 << 2);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x1FF, 16);
    assert_eq!(bench.r(14), 0xFFFF_FFF9, "stacked once, from Thread mode");
    assert_eq!(bench.read(0xE000_E200), 1 << 2, "the other is still pending");
}

#[test]
fn primask_holds_interrupts_back_and_cpsie_lets_them_in() {
    // CPSID i; NOP; CPSIE i; MOVS R0, #1
    let mut bench = Bench::v6m(&[0xB672, 0xBF00, 0xB662, 0x2001]);
    enable(&mut bench, 0, 0);
    bench.steps(1);
    bench.core.set_irq(0, true);
    bench.steps(2);
    assert_eq!(bench.r(16) & 0x1FF, 0);
    bench.steps(1);
    assert_eq!((bench.r(16) & 0x1FF, bench.r(0)), (16, 0), "before the next instruction");
}

#[test]
fn basepri_masks_its_priority_and_below() {
    // MSR BASEPRI, R0; B .
    let mut bench = Bench::v7em(&[0xF380, 0x8811, 0xE7FE]);
    bench.set(0, 0x40);
    enable(&mut bench, 1, 0x40);
    enable(&mut bench, 2, 0x20);
    bench.steps(1);
    bench.write(0xE000_E200, 1 << 1);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x1FF, 0);
    bench.write(0xE000_E200, 1 << 2);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x1FF, 18);
}

#[test]
fn supervisor_call_returns_behind_itself() {
    let mut bench = Bench::v6m(&[0xDF07, 0x2001]); // SVC #7; MOVS R0, #1
    bench.place(HANDLER, &[0x4770]);
    bench.steps(2);
    assert_eq!(bench.r(16) & 0x1FF, 11);
    assert_eq!(bench.word(bench.r(13) + 24), CODE + 2);
    bench.steps(2);
    assert_eq!(bench.r(0), 1);
}

#[test]
fn supervisor_call_with_interrupts_off_is_a_hard_fault() {
    let mut bench = Bench::v7em(&[0xB672, 0xDF00]); // CPSID i; SVC #0
    bench.steps(3);
    assert_eq!(bench.r(16) & 0x1FF, 3);
    assert_eq!(bench.read(0xE000_ED2C), 1 << 30, "FORCED");
}

#[test]
fn a_fault_in_the_hard_fault_handler_locks_up() {
    // UDF; the handler: UDF.
    let mut bench = Bench::v6m(&[0xDE00]);
    bench.place(HANDLER, &[0xDE00]);
    assert_eq!(bench.core.run(&mut bench.device, 100), Stop::LockedUp);
    assert_eq!((bench.core.state(), bench.r(15)), (State::Lockup, 0xFFFF_FFFE));
    assert_eq!(bench.core.run(&mut bench.device, 100), Stop::Reached);
}

#[test]
fn process_stack_is_used_and_restored() {
    // MSR PSP, R0; MOVS R1, #2; MSR CONTROL, R1; SVC #0
    let mut bench = Bench::v6m(&[0xF380, 0x8809, 0x2102, 0xF381, 0x8814, 0xDF00]);
    bench.place(HANDLER, &[0x4770]);
    bench.set(0, RAM + 0x800);
    bench.steps(3);
    assert_eq!(bench.r(13), RAM + 0x800);
    bench.steps(2);
    assert_eq!((bench.r(13), bench.r(14)), (STACK, 0xFFFF_FFFD));
    assert_eq!(bench.r(18), RAM + 0x800 - 32);
    bench.steps(1);
    assert_eq!((bench.r(13), bench.r(17)), (RAM + 0x800, STACK));
}

#[test]
fn a_bad_exc_return_is_an_invalid_pc() {
    // B1.5.8: EXC_RETURN 0xFFFFFFF1 without a nested exception.
    let mut bench = Bench::v7em(&[0xDF00]);
    bench.place(HANDLER, &[0xF1BE, 0x0E08, 0x4770]); // SUBS LR, LR, #8; BX LR
    bench.steps(4);
    assert_eq!(bench.r(16) & 0x1FF, 3);
    assert_eq!(bench.read(0xE000_ED28) >> 16 & 4, 4, "INVPC");
}

#[test]
fn floating_point_state_is_stacked_lazily() {
    // VMOV.F32 S0, #1.0; SVC #0. Handler: VMOV.F32 S0, #2.0; BX LR
    let mut bench = Bench::v7em(&[0xEEB7, 0x0A00, 0xDF00, 0xBF00]);
    bench.place(HANDLER, &[0xEEB0, 0x0A00, 0x4770]);
    bench.write(0xE000_ED88, 0xF << 20);
    bench.steps(3);
    assert_eq!((bench.r(13), bench.r(14)), (STACK - 0x68, 0xFFFF_FFE9));
    assert_eq!(bench.read(0xE000_EF34) & 1, 1, "LSPACT");
    assert_eq!(bench.read(0xE000_EF38), STACK - 0x48, "FPCAR");
    assert_eq!(bench.word(STACK - 0x48), 0, "nothing stored yet");
    bench.steps(1);
    assert_eq!(bench.word(STACK - 0x48), 1.0f32.to_bits());
    assert_eq!(bench.read(0xE000_EF34) & 1, 0);
    assert_eq!(bench.r(0x40), 2.0f32.to_bits());
    bench.steps(1);
    assert_eq!((bench.r(0x40), bench.r(13)), (1.0f32.to_bits(), STACK));
    assert_eq!(bench.r(20) >> 26 & 1, 1, "FPCA again");
}

#[test]
fn systick_interrupts_at_its_period() {
    // Thread: B . ; handler: ADDS R1, #1; BX LR
    let mut bench = Bench::v6m(&[0xE7FE]);
    bench.place(HANDLER, &[0x3101, 0x4770]);
    bench.write(0xE000_E014, 99);
    bench.write(0xE000_E018, 0);
    bench.write(0xE000_E010, 7);
    bench.core.run(&mut bench.device, 1050);
    assert_eq!(bench.r(1), 0, "the registers of the thread come back");
    let mut handled = 0;
    while bench.core.cycle() < 2050 {
        bench.steps(1);
        handled += u32::from(bench.r(15) == HANDLER);
    }
    assert_eq!(handled, 10, "the zeros at 1100 to 2000");
}

#[test]
fn wfi_sleeps_until_an_interrupt_even_a_masked_one() {
    // CPSID i; WFI; MOVS R0, #1
    let mut bench = Bench::v6m(&[0xB672, 0xBF30, 0x2001, 0xE7FE]);
    enable(&mut bench, 0, 0);
    bench.device.period = 500;
    bench.device.alarm = 500;
    bench.core.schedule(500);
    bench.core.run(&mut bench.device, 400);
    assert_eq!(bench.core.state(), State::WaitingForInterrupt);
    assert_eq!(bench.core.next_event(), 500);
    bench.core.run(&mut bench.device, 501);
    assert_eq!((bench.r(0), bench.r(16) & 0x1FF), (1, 0));
}

#[test]
fn a_sleeping_core_is_due_at_once_when_a_line_rises_from_outside() {
    for program in [[0xBF30, 0xE7FE], [0xBF20, 0xE7FE]] {
        let mut bench = Bench::v6m(&program);
        enable(&mut bench, 0, 0);
        bench.core.run(&mut bench.device, 100);
        assert_eq!(bench.core.next_event(), u64::MAX);
        bench.core.set_irq(1, true);
        bench.core.run(&mut bench.device, 110);
        assert_eq!(bench.core.next_event(), u64::MAX, "one that is not enabled wakes nobody");
        bench.core.set_irq(0, true);
        assert_eq!(bench.core.next_event(), 110);
        // Also when it was looked at, but no time was left to act.
        bench.core.run(&mut bench.device, 110);
        assert_eq!(bench.core.next_event(), 110);
    }
}

#[test]
fn wfe_consumes_an_event_and_sleeps_without_one() {
    // SEV; WFE; WFE; MOVS R0, #1
    let mut bench = Bench::v6m(&[0xBF40, 0xBF20, 0xBF20, 0x2001]);
    bench.core.run(&mut bench.device, 50);
    assert_eq!((bench.core.state(), bench.r(15)), (State::WaitingForEvent, CODE + 6));
    bench.core.with_context(|cx| *cx.send_event = true);
    bench.core.run(&mut bench.device, 52);
    assert_eq!(bench.r(0), 1);
}

#[test]
fn sevonpend_makes_a_disabled_interrupt_an_event() {
    // WFE; MOVS R0, #1
    for (sevonpend, woken) in [(0, 0), (1 << 4, 1)] {
        let mut bench = Bench::v6m(&[0xBF20, 0x2001, 0xE7FE]);
        bench.write(0xE000_ED10, sevonpend);
        bench.steps(1);
        bench.core.set_irq(7, true);
        bench.core.run(&mut bench.device, 60);
        assert_eq!(bench.r(0), woken);
    }
}

#[test]
fn sleep_on_exit_returns_to_sleep() {
    let mut bench = Bench::v6m(&[0xE7FE]);
    bench.place(HANDLER, &[0x4770]);
    bench.write(0xE000_ED10, 2);
    enable(&mut bench, 0, 0);
    bench.write(0xE000_E200, 1);
    bench.steps(2);
    assert_eq!(bench.core.state(), State::WaitingForInterrupt);
}

#[test]
fn system_reset_request_is_the_chips_to_grant() {
    // MOVS R2, #1; STR R0, [R1]
    let mut bench = Bench::v6m(&[0x2201, 0x6008]);
    bench.set(0, 0x05FA_0004);
    bench.set(1, 0xE000_ED0C);
    assert_eq!(bench.core.run(&mut bench.device, 100), Stop::Reset);
    bench.core.reset(super::super::ResetKind::System);
    bench.steps(1);
    assert_eq!((bench.r(0), bench.r(2), bench.r(15)), (0, 1, CODE + 2));
}

#[test]
fn unprivileged_code_cannot_reach_the_system_registers() {
    // MOVS R0, #1; MSR CONTROL, R0; LDR R2, [R1]
    let mut bench = Bench::v7em(&[0x2001, 0xF380, 0x8814, 0x680A]);
    bench.set(1, 0xE000_ED00);
    bench.steps(3);
    assert_eq!(bench.r(16) & 0x1FF, 3);
    assert_eq!(bench.read(0xE000_ED28) & 0x8200, 0x8200);
}

#[test]
fn the_mpu_turns_an_access_into_a_memory_management_fault() {
    // STR R0, [R1], with only the flash and the upper RAM allowed.
    let mut bench = Bench::v7em(&[0x6008]);
    bench.set(1, RAM);
    for (number, base, attributes) in [(0, 0, 0x0600_0017), (1, RAM + 0x1000, 0x0300_0017)] {
        bench.write(0xE000_ED98, number);
        bench.write(0xE000_ED9C, base);
        bench.write(0xE000_EDA0, attributes);
    }
    bench.write(0xE000_ED24, 1 << 16);
    bench.write(0xE000_ED94, 1);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x1FF, 4);
    assert_eq!(bench.read(0xE000_ED28), 0x82, "DACCVIOL, MMARVALID");
    assert_eq!(bench.read(0xE000_ED34), RAM);
}

#[test]
fn an_interrupt_waits_for_a_load_multiple() {
    // LDM R0!, {R1-R7}: 8 cycles; line 0 rises in the second one.
    let mut bench = Bench::v7em(&[0xC8FE]);
    bench.set(0, RAM);
    enable(&mut bench, 0, 0);
    bench.device.period = 1_000_000;
    bench.device.alarm = 2;
    bench.core.schedule(2);
    bench.steps(2);
    assert_eq!(bench.core.cycle(), 8 + 12);
    assert_eq!((bench.r(16) & 0x1FF, bench.word(bench.r(13) + 24)), (16, CODE + 2));
    assert_eq!(bench.word(bench.r(13) + 28) & 0x0600_FC00, 0, "no ICI bits");
}

#[test]
fn a_fault_inside_an_it_block_stacks_its_itstate() {
    // ITT EQ; UDF (EQ); NOP. Z is set.
    let mut bench = Bench::v7em(&[0xBF04, 0xDE00, 0xBF00]);
    bench.set(16, 0x4100_0000);
    bench.steps(2);
    let xpsr = bench.word(bench.r(13) + 28);
    assert_eq!(xpsr & 0x0600_FC00, 0x0400, "ITSTATE 0x04 as for the faulting instruction");
    assert_eq!(bench.word(bench.r(13) + 24), CODE + 2);
}

#[test]
fn an_interrupt_in_an_it_block_comes_back_into_it() {
    // CMP R0, R0; ITTE EQ; ADDEQ R1, #1; ADDEQ R1, #1; ADDNE R1, #8; B .
    let mut bench = Bench::v7em(&[0x4280, 0xBF06, 0x3101, 0x3101, 0x3108, 0xE7FE]);
    bench.place(HANDLER, &[0x4770]);
    enable(&mut bench, 0, 0);
    bench.steps(3);
    bench.write(0xE000_E200, 1);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x1FF, 16);
    assert_eq!(bench.r(16) & 0x0600_FC00, 0, "handlers begin outside");
    bench.steps(4);
    assert_eq!((bench.r(1), bench.r(15)), (2, CODE + 10));
}
