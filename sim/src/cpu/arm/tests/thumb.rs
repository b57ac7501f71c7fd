//! Instructions, one program each.

use super::*;
use crate::cpu::arm::State;

#[test]
fn reset_loads_stack_pointer_and_program_counter() {
    // B1.5.5.
    let mut bench = Bench::v6m(&[0x2005]); // MOVS R0, #5
    bench.steps(1);
    assert_eq!((bench.r(13), bench.r(0), bench.r(15)), (STACK, 5, CODE + 2));
}

#[test]
fn a_program_counter_that_is_set_right_after_a_reset_is_where_the_core_begins() {
    let mut bench = Bench::v6m(&[0x2005, 0x2106]); // MOVS R0, #5; MOVS R1, #6
    bench.set(13, STACK - 64);
    bench.set(15, CODE + 2);
    bench.steps(1);
    assert_eq!((bench.r(13), bench.r(0), bench.r(1)), (STACK - 64, 0, 6));
}

#[test]
fn a_counted_loop_takes_the_documented_cycles() {
    // Cortex-M0+ TRM table 3-1: SUBS 1, BNE taken 2, not taken 1.
    let code = [0x2064, 0x3801, 0xD1FD, 0xE7FE]; // MOVS R0, #100; SUBS R0, #1; BNE .-2; B .
    let mut bench = Bench::v6m(&code);
    bench.core.run(&mut bench.device, 300);
    assert_eq!((bench.r(0), bench.r(15)), (0, CODE + 6));
    let mut bench = Bench::v6m(&code);
    bench.steps(1 + 2 * 100);
    assert_eq!(bench.core.cycle(), 1 + 99 * 3 + 2);
    // Cortex-M0: BNE taken 3.
    let mut bench = Bench::new(config::M0, &code);
    bench.steps(1 + 2 * 100);
    assert_eq!(bench.core.cycle(), 1 + 99 * 4 + 2);
}

#[test]
fn flags_of_subtraction_are_those_of_comparison() {
    // CMP R0, R1 with 1 and 2: N, no Z, no C (borrow), no V.
    let mut bench = Bench::v6m(&[0x4288]);
    bench.set(0, 1);
    bench.set(1, 2);
    bench.steps(1);
    assert_eq!(bench.r(16) >> 28, 0b1000);
    let mut bench = Bench::v6m(&[0x4288]);
    bench.set(0, 0x8000_0000);
    bench.set(1, 1);
    bench.steps(1);
    assert_eq!(bench.r(16) >> 28, 0b0011, "carry and overflow");
}

#[test]
fn push_and_pop_return_from_a_call() {
    // BL f; B .; f: PUSH {R4, LR}; MOVS R4, #7; POP {R4, PC}
    let mut bench = Bench::v6m(&[0xF000, 0xF801, 0xE7FE, 0xB510, 0x2407, 0xBD10]);
    bench.set(4, 0x1234);
    bench.steps(2);
    assert_eq!(bench.r(13), STACK - 8);
    assert_eq!((bench.word(STACK - 8), bench.word(STACK - 4)), (0x1234, CODE + 4 + 1));
    bench.steps(2);
    assert_eq!((bench.r(4), bench.r(13), bench.r(15)), (0x1234, STACK, CODE + 4));
}

#[test]
fn pc_relative_loads_use_the_word_aligned_pc() {
    // NOP; LDR R0, [PC, #0]; then the word at CODE + 4.
    let mut bench = Bench::v6m(&[0xBF00, 0x4800, 0x5678, 0x1234]);
    bench.steps(2);
    assert_eq!(bench.r(0), 0x1234_5678);
}

#[test]
fn add_to_the_pc_uses_its_own_address_plus_four_unaligned() {
    // A6.7.4 (ARMv6-M) ADD (register) T2; ADR is the one that aligns (A6.7.6).
    for nops in [0, 1] {
        let mut code = vec![0xBF00; nops];
        code.extend([0x2002, 0x4487, 0x2101, 0x2102, 0x2103]); // MOVS R0, #2; ADD PC, R0; MOVS R1, #1, #2, #3
        let mut bench = Bench::v6m(&code);
        bench.steps(nops as u32 + 3);
        assert_eq!(bench.r(1), 3, "behind {nops}");
    }
}

#[test]
fn it_block_executes_by_condition_and_leaves_flags_alone() {
    // A7.7.37: CMP R0, #0; ITE EQ; MOVEQ R1, #1; MOVNE R1, #2; ADDS R2, #1
    let code = [0x2800, 0xBF0C, 0x2101, 0x2102, 0x3201];
    let mut bench = Bench::v7em(&code);
    bench.steps(4);
    assert_eq!((bench.r(1), bench.r(16) >> 28), (1, 0b0110));
    bench.steps(1);
    assert_eq!((bench.r(2), bench.r(16) >> 28), (1, 0));
    let mut bench = Bench::v7em(&code);
    bench.set(0, 9);
    bench.steps(5);
    assert_eq!(bench.r(1), 2);
}

#[test]
fn it_block_can_be_left_and_entered_with_itstate() {
    // ITTT EQ; ADDEQ R1, #1 three times. Written from outside, xPSR says two instructions are left.
    let mut bench = Bench::v7em(&[0xBF02, 0x3101, 0x3101, 0x3101, 0x3101]);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x0600_FC00, 0x0400_0000, "ITSTATE 0x02");
    bench.set(16, 0x0100_0000);
    // Outside an IT block the same encoding sets flags: R1 = 0xFFFFFFFF + 1 is zero.
    bench.set(1, u32::MAX);
    bench.steps(1);
    assert_eq!((bench.r(1), bench.r(16) >> 28), (0, 0b0110));
    assert_eq!(bench.r(15), CODE + 4);
}

#[test]
fn wide_moves_and_bit_fields_work_on_parts_of_registers() {
    let mut bench = Bench::v7em(&[
        0xF241, 0x2034, // MOVW R0, #0x1234
        0xF6CA, 0x30CD, // MOVT R0, #0xABCD
        0xF3C0, 0x2107, // UBFX R1, R0, #8, #8
        0xF340, 0x4207, // SBFX R2, R0, #16, #8
        0xF361, 0x1304, // BFI R3, R1, #4, #1
        0xF36F, 0x000F, // BFC R0, #0, #16
    ]);
    bench.steps(6);
    assert_eq!(bench.r(1), 0x12);
    assert_eq!(bench.r(2), 0xFFFF_FFCD);
    assert_eq!(bench.r(0), 0xABCD_0000);
}

#[test]
fn table_branch_goes_forward_by_twice_the_entry() {
    // TBB [PC, R0]; bytes 2, 3; MOVS R1, #1; MOVS R1, #2
    let mut bench = Bench::v7em(&[0xE8DF, 0xF000, 0x0201, 0x2101, 0x2102]);
    bench.set(0, 1);
    bench.steps(2);
    assert_eq!(bench.r(1), 2);
}

#[test]
fn division_by_zero_is_zero_unless_trapped() {
    // UDIV R0, R1, R2
    let mut bench = Bench::v7em(&[0xFBB1, 0xF0F2, 0xFBB1, 0xF0F2]);
    bench.set(1, 100);
    bench.steps(1);
    assert_eq!(bench.r(0), 0);
    bench.set(2, 7);
    bench.steps(1);
    assert_eq!(bench.r(0), 14);
}

#[test]
fn thumb_2_is_undefined_on_armv6m() {
    // MOVW R0, #0x1234: HardFault.
    let mut bench = Bench::v6m(&[0xF241, 0x2034]);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x1FF, 3);
}

#[test]
fn the_pc_where_it_is_unpredictable_is_undefined() {
    // MLS R3, R0, R0, PC; SMULL R3, R2, R0, PC; SXTB R0, PC; UBFX PC, R0, #0, #1.
    for code in [[0xFB00, 0xF310], [0xFB80, 0x320F], [0xFA4F, 0xF08F], [0xF3C0, 0x0F00]] {
        let mut bench = Bench::v7em(&code);
        bench.write(0xE000_ED24, 1 << 18);
        bench.steps(1);
        assert_eq!(bench.r(16) & 0x1FF, 6);
        assert_eq!(bench.read(0xE000_ED28) >> 16, 1, "UNDEFINSTR");
    }
}

#[test]
fn a_branch_in_the_middle_of_an_it_block_is_undefined() {
    // MOVS R0, #0; ITT EQ; B .+4; ADDEQ R1, #1; and the same the other way round.
    let cases = [([0x2000, 0xBF04, 0xE000, 0x3101], 3, 6), ([0x2000, 0xBF04, 0x3101, 0xE000], 4, 0)];
    for (code, steps, exception) in cases {
        let mut bench = Bench::v7em(&code);
        bench.write(0xE000_ED24, 1 << 18);
        bench.steps(steps);
        assert_eq!(bench.r(16) & 0x1FF, exception);
    }
}

#[test]
fn floating_point_needs_cpacr() {
    // VADD.F32 S0, S0, S0
    let mut bench = Bench::v7em(&[0xEE30, 0x0A00]);
    bench.write(0xE000_ED24, 1 << 18);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x1FF, 6);
    assert_eq!(bench.read(0xE000_ED28) >> 16, 1 << 3, "NOCP");
    let mut bench = Bench::v7em(&[0xEE30, 0x0A00]);
    bench.write(0xE000_ED88, 0xF << 20);
    bench.set(0x40, 1.5f32.to_bits());
    bench.steps(1);
    assert_eq!(f32::from_bits(bench.r(0x40)), 3.0);
    assert_eq!(bench.r(20) >> 26 & 1, 1, "CONTROL.FPCA");
}

#[test]
fn a_branch_to_itself_passes_time_at_once() {
    let mut bench = Bench::v6m(&[0xE7FE]);
    bench.core.run(&mut bench.device, 1_000_000_001);
    assert_eq!(bench.core.cycle(), 1_000_000_002, "whole turns of two cycles");
    assert_eq!((bench.core.state(), bench.r(15)), (State::Running, CODE));
}
