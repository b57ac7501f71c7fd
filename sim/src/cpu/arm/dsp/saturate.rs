//! Saturation: QADD, QSUB, QDADD, QDSUB, SSAT, USAT, SSAT16, USAT16 (SignedSatQ and UnsignedSatQ of A2.2.1).

use super::{Flagged, bottom, halves, top};

fn signed_sat(value: i64, bits: u32) -> (i32, bool) {
    let limit = 1i64 << (bits - 1);
    let clipped = value.clamp(-limit, limit - 1);
    (clipped as i32, clipped != value)
}

fn unsigned_sat(value: i64, bits: u32) -> (i32, bool) {
    let clipped = value.clamp(0, (1i64 << bits) - 1);
    (clipped as i32, clipped != value)
}

fn flagged((value, q): (i32, bool)) -> Flagged {
    Flagged { value: value as u32, q }
}

fn wide(register: u32) -> i64 {
    i64::from(register as i32)
}

/// QADD: `m + n`.
#[must_use]
pub fn qadd(m: u32, n: u32) -> Flagged {
    flagged(signed_sat(wide(m) + wide(n), 32))
}

/// QSUB: `m - n`.
#[must_use]
pub fn qsub(m: u32, n: u32) -> Flagged {
    flagged(signed_sat(wide(m) - wide(n), 32))
}

/// QDADD: `m + sat(2n)`.
#[must_use]
pub fn qdadd(m: u32, n: u32) -> Flagged {
    let (doubled, q) = signed_sat(2 * wide(n), 32);
    let sum = qadd(m, doubled as u32);
    Flagged { q: sum.q | q, ..sum }
}

/// QDSUB: `m - sat(2n)`.
#[must_use]
pub fn qdsub(m: u32, n: u32) -> Flagged {
    let (doubled, q) = signed_sat(2 * wide(n), 32);
    let difference = qsub(m, doubled as u32);
    Flagged { q: difference.q | q, ..difference }
}

/// SSAT of the shifted operand to `bits`, 1 to 32.
#[must_use]
pub fn ssat(operand: u32, bits: u32) -> Flagged {
    flagged(signed_sat(wide(operand), bits))
}

/// USAT of the shifted operand, a signed number, to `bits`, 0 to 31.
#[must_use]
pub fn usat(operand: u32, bits: u32) -> Flagged {
    flagged(unsigned_sat(wide(operand), bits))
}

fn both_halves(n: u32, saturate: impl Fn(i64) -> (i32, bool)) -> Flagged {
    let (bottom, bottom_q) = saturate(bottom(n).into());
    let (top, top_q) = saturate(top(n).into());
    Flagged { value: halves(top, bottom), q: bottom_q | top_q }
}

/// SSAT16: both half-words to `bits`, 1 to 16.
#[must_use]
pub fn ssat16(n: u32, bits: u32) -> Flagged {
    both_halves(n, |value| signed_sat(value, bits))
}

/// USAT16: both half-words, signed numbers, to `bits`, 0 to 15.
#[must_use]
pub fn usat16(n: u32, bits: u32) -> Flagged {
    both_halves(n, |value| unsigned_sat(value, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_clip_at_the_ends_of_32_bits() {
        assert_eq!(qadd(0x7FFF_FFFF, 1), Flagged { value: 0x7FFF_FFFF, q: true });
        assert_eq!(qsub(0x8000_0000, 1), Flagged { value: 0x8000_0000, q: true });
        assert_eq!(qsub(3, 5), Flagged { value: -2i32 as u32, q: false });
    }

    #[test]
    fn doubling_that_saturates_sets_q_even_if_the_sum_does_not() {
        // A7.7 QDADD: (doubled, sat1) and (result, sat2); Q if either.
        assert_eq!(qdadd(-1i32 as u32, 0x4000_0000), Flagged { value: 0x7FFF_FFFE, q: true });
        assert_eq!(qdsub(-1i32 as u32, 0xC000_0000), Flagged { value: 0x7FFF_FFFF, q: false });
    }

    #[test]
    fn saturation_to_a_width_takes_signed_operands() {
        assert_eq!(ssat(0x80, 8), Flagged { value: 0x7F, q: true });
        assert_eq!(ssat(-1i32 as u32, 1), Flagged { value: -1i32 as u32, q: false });
        assert_eq!(ssat(0x8000_0000, 32), Flagged { value: 0x8000_0000, q: false });
        assert_eq!(usat(-1i32 as u32, 8), Flagged { value: 0, q: true });
        assert_eq!(usat(256, 8), Flagged { value: 255, q: true });
        assert_eq!(usat(1, 0), Flagged { value: 0, q: true });
    }

    #[test]
    fn half_words_saturate_apart_and_share_q() {
        assert_eq!(ssat16(0x7FFF_FFFE, 8), Flagged { value: 0x007F_FFFE, q: true });
        assert_eq!(usat16(0x8000_0012, 8), Flagged { value: 0x0000_0012, q: true });
    }
}
