//! The DSP extension of ARMv7E-M: saturating, packing, parallel (SIMD within a register) and fractional multiply
//! instructions, as functions of register contents (ARM DDI 0403E, A7.7, each under its name; terms in A4.4).
//!
//! A register holds one 32-bit number, two half-words (bottom and top) or four bytes. Instructions that can clip or
//! overflow tell so in the sticky flag APSR.Q; parallel additions and subtractions leave one bit per byte in APSR.GE,
//! on which SEL then chooses.

mod multiply;
mod pack;
mod parallel;
mod saturate;

pub use multiply::{
    Half, smla, smlad, smlal, smlald, smlaw, smlsd, smlsld, smmla, smmls, smmul, smuad, smul, smulw, smusd, umaal,
};
pub use pack::{pkhbt, pkhtb, sel, sxtab16, sxtb16, usad8, usada8, uxtab16, uxtb16};
pub use parallel::{Lanes, Variant, parallel};
pub use saturate::{qadd, qdadd, qdsub, qsub, ssat, ssat16, usat, usat16};

/// A result, and whether the instruction sets APSR.Q (it never clears it).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Flagged {
    /// The register's new contents.
    pub value: u32,
    /// Something saturated or overflowed.
    pub q: bool,
}

/// The bottom half-word as a signed number.
fn bottom(register: u32) -> i32 {
    i32::from(register as i16)
}

/// The top half-word as a signed number.
fn top(register: u32) -> i32 {
    register as i32 >> 16
}

/// Two half-words as a register; of each the low 16 bits count.
fn halves(top: i32, bottom: i32) -> u32 {
    (top as u32) << 16 | bottom as u32 & 0xFFFF
}
