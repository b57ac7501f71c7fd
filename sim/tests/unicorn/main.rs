//! The cores against the Unicorn engine: random programs in lock step, and random single instructions from random
//! states. Compared are all registers, the flags with Q and GE, FPSCR and S0 to S31, and memory.
//!
//! ```text
//! cargo test -p twinboard-sim --features unicorn --test unicorn
//! TWINBOARD_DIFF=1000000 cargo test -p twinboard-sim --features unicorn --test unicorn -- --nocapture
//! ```
//!
//! `TWINBOARD_DIFF` is the number of lock-step instructions and of single instructions per profile;
//! `TWINBOARD_DIFF_SEED` is where the random numbers start.
//!
//! # Where Unicorn is not asked
//!
//! Its M profile has no NVIC, so in programs nothing faults, waits, changes the mode, or accesses memory unaligned. IT
//! blocks are compared as a whole: it cannot be stopped inside one. At SVC and UDF it tells the registers that an
//! exception finds, which `exceptions` compares with the frame and with what comes back; what it has nothing to say
//! about is decided by the manual and pinned in `cpu::arm::tests::exceptions`:
//!
//! | what | who says (ARM DDI 0403E) | test |
//! |---|---|---|
//! | priorities, preemption, tail-chaining, late arrival | B1.5.4, B1.5.12 | `a_pending_interrupt_is_tail_chained`, `a_higher_priority_preempts_and_a_lower_one_waits`, `an_exception_that_arrives_while_stacking_is_taken_first` |
//! | stacks, SPSEL, and EXC_RETURN of the process stack | B1.5.8 | `process_stack_is_used_and_restored` |
//! | EXC_RETURN with reserved values | B1.5.8 | `a_bad_exc_return_is_an_invalid_pc` |
//! | FPCCR.LSPACT and the cycles of lazy stacking | B1.5.7 | `floating_point_state_is_stacked_lazily` |
//! | ITSTATE in the frame | B1.5.6 | `an_interrupt_in_an_it_block_comes_back_into_it`, `a_fault_inside_an_it_block_stacks_its_itstate` |
//! | escalation, lockup | B1.5.14, B1.5.15 | `supervisor_call_with_interrupts_off_is_a_hard_fault`, `a_fault_in_the_hard_fault_handler_locks_up` |
//! | PRIMASK, BASEPRI, WFI, WFE, SEVONPEND | B1.5.4, B1.5.17 to B1.5.19 | `primask_holds_interrupts_back_and_cpsie_lets_them_in` and those that follow it |
//!
//! # Where Unicorn is wrong
//!
//! | what | who says | what is done about it |
//! |---|---|---|
//! | the M0 model executes Thumb-2 instructions (MOVW) and unaligned accesses | ARM DDI 0419E, A5.3, A3.2.1 | not generated |
//! | the M4 model executes floating-point instructions with the coprocessor disabled | ARM DDI 0403E, B3.2.20 | CPACR is set on our side |
//! | the M0 model has the Q flag | ARM DDI 0419E, B1.4.2 | Q is cleared |
//! | VCVT from fixed point rounds as FPSCR.RMode says; it rounds to nearest | ARM DDI 0403E, A7.7 VCVT (`round_nearest = TRUE`) | not compared with another RMode |
//! | SMLAD sets Q when the sum of the products overflows, although the accumulator undoes it | ARM DDI 0403E, A7.7 SMLAD (one sum, `result != SInt(result<31:0>)`) | not compared with such operands |
#![cfg(feature = "unicorn")]

mod exceptions;
mod instructions;
mod lockstep;
mod oracle;
mod program;
mod random;
mod single;
mod state;
mod subject;
mod template;

use instructions::Profile;

/// How much to compare: `TWINBOARD_DIFF`, or what takes a second.
fn amount() -> u64 {
    std::env::var("TWINBOARD_DIFF").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

/// Where the random numbers start: `TWINBOARD_DIFF_SEED`, or always at the same place.
fn seed() -> u64 {
    std::env::var("TWINBOARD_DIFF_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

#[test]
fn armv6m_programs_run_as_on_unicorn() {
    lockstep::compare(Profile::V6M, amount(), seed());
}

#[test]
fn armv7m_programs_run_as_on_unicorn() {
    lockstep::compare(Profile::V7M, amount(), seed());
}

#[test]
fn armv7em_programs_with_fpu_run_as_on_unicorn() {
    lockstep::compare(Profile::V7EMF, amount(), seed());
}

#[test]
fn armv6m_instructions_do_what_unicorn_does() {
    single::compare(Profile::V6M, amount(), seed());
}

#[test]
fn armv7m_instructions_do_what_unicorn_does() {
    single::compare(Profile::V7M, amount(), seed());
}

#[test]
fn armv7em_instructions_with_fpu_do_what_unicorn_does() {
    single::compare(Profile::V7EMF, amount(), seed());
}

#[test]
fn exceptions_stack_and_restore_what_unicorn_has_in_its_registers() {
    for profile in [Profile::V6M, Profile::V7M, Profile::V7EMF] {
        exceptions::compare(profile, amount() / 20, seed());
    }
}
