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
//! Its M profile has no exceptions, so nothing here faults, waits, changes the mode, or accesses memory unaligned. IT
//! blocks are compared as a whole: it cannot be stopped inside one.
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
