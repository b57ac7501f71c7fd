//! Signed multiplies of half-words and most significant words, alone and accumulating.

use super::{Flagged, bottom, top};

/// Which half-word an operand is: the B or T of a mnemonic.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Half {
    /// B.
    Bottom,
    /// T.
    Top,
}

impl Half {
    fn of(self, register: u32) -> i32 {
        match self {
            Half::Bottom => bottom(register),
            Half::Top => top(register),
        }
    }
}

/// A sum that sets Q if it does not fit 32 bits; the value wraps.
fn accumulate(sum: i64) -> Flagged {
    Flagged { value: sum as u32, q: i64::from(sum as i32) != sum }
}

/// The products of both bottoms and of both tops, `m` exchanged first for the X forms.
fn dual(n: u32, m: u32, exchange: bool) -> (i64, i64) {
    let m = if exchange { m.rotate_right(16) } else { m };
    (i64::from(bottom(n) * bottom(m)), i64::from(top(n) * top(m)))
}

fn wide(register: u32) -> i64 {
    i64::from(register as i32)
}

/// SMULBB, SMULBT, SMULTB, SMULTT.
#[must_use]
pub fn smul(n: u32, n_half: Half, m: u32, m_half: Half) -> u32 {
    (n_half.of(n) * m_half.of(m)) as u32
}

/// SMLABB, SMLABT, SMLATB, SMLATT: `a +` the product.
#[must_use]
pub fn smla(n: u32, n_half: Half, m: u32, m_half: Half, a: u32) -> Flagged {
    accumulate(i64::from(n_half.of(n) * m_half.of(m)) + wide(a))
}

/// SMLALBB, SMLALBT, SMLALTB, SMLALTT: 64-bit `a +` the product, wrapping.
#[must_use]
pub fn smlal(n: u32, n_half: Half, m: u32, m_half: Half, a: u64) -> u64 {
    a.wrapping_add(i64::from(n_half.of(n) * m_half.of(m)) as u64)
}

/// SMULWB, SMULWT: bits 47:16 of the word times the half-word.
#[must_use]
pub fn smulw(n: u32, m: u32, m_half: Half) -> u32 {
    ((wide(n) * i64::from(m_half.of(m))) >> 16) as u32
}

/// SMLAWB, SMLAWT: `a +` [`smulw`].
#[must_use]
pub fn smlaw(n: u32, m: u32, m_half: Half, a: u32) -> Flagged {
    accumulate(((wide(n) * i64::from(m_half.of(m))) >> 16) + wide(a))
}

/// SMUAD, SMUADX: the sum of both products.
#[must_use]
pub fn smuad(n: u32, m: u32, exchange: bool) -> Flagged {
    smlad(n, m, 0, exchange)
}

/// SMUSD, SMUSDX: the bottom product minus the top one, which always fits.
#[must_use]
pub fn smusd(n: u32, m: u32, exchange: bool) -> u32 {
    smlsd(n, m, 0, exchange).value
}

/// SMLAD, SMLADX: `a +` both products.
#[must_use]
pub fn smlad(n: u32, m: u32, a: u32, exchange: bool) -> Flagged {
    let (low, high) = dual(n, m, exchange);
    accumulate(low + high + wide(a))
}

/// SMLSD, SMLSDX: `a +` the bottom product minus the top one.
#[must_use]
pub fn smlsd(n: u32, m: u32, a: u32, exchange: bool) -> Flagged {
    let (low, high) = dual(n, m, exchange);
    accumulate(low - high + wide(a))
}

/// SMLALD, SMLALDX: 64-bit `a +` both products, wrapping.
#[must_use]
pub fn smlald(n: u32, m: u32, a: u64, exchange: bool) -> u64 {
    let (low, high) = dual(n, m, exchange);
    a.wrapping_add((low + high) as u64)
}

/// SMLSLD, SMLSLDX: 64-bit `a +` the bottom product minus the top one, wrapping.
#[must_use]
pub fn smlsld(n: u32, m: u32, a: u64, exchange: bool) -> u64 {
    let (low, high) = dual(n, m, exchange);
    a.wrapping_add((low - high) as u64)
}

/// The most significant word, truncated, or rounded for the R forms.
fn most_significant(value: i64, round: bool) -> u32 {
    (value.wrapping_add(if round { 0x8000_0000 } else { 0 }) >> 32) as u32
}

/// SMMUL, SMMULR: the top word of the product.
#[must_use]
pub fn smmul(n: u32, m: u32, round: bool) -> u32 {
    most_significant(wide(n) * wide(m), round)
}

/// SMMLA, SMMLAR: the top word of `a` : 0 plus the product.
#[must_use]
pub fn smmla(n: u32, m: u32, a: u32, round: bool) -> u32 {
    most_significant((wide(a) << 32).wrapping_add(wide(n) * wide(m)), round)
}

/// SMMLS, SMMLSR: the top word of `a` : 0 minus the product.
#[must_use]
pub fn smmls(n: u32, m: u32, a: u32, round: bool) -> u32 {
    most_significant((wide(a) << 32).wrapping_sub(wide(n) * wide(m)), round)
}

/// UMAAL: `n · m + high + low`, which always fits 64 bits.
#[must_use]
pub fn umaal(n: u32, m: u32, high: u32, low: u32) -> u64 {
    u64::from(n) * u64::from(m) + u64::from(high) + u64::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Half::{Bottom, Top};

    const MINUS_ONE: u32 = u32::MAX;

    #[test]
    fn halves_multiply_as_signed_numbers() {
        assert_eq!(smul(0x0002_FFFF, Bottom, 0x0003_0005, Top), -3i32 as u32);
        assert_eq!(smul(0x8000_0000, Top, 0x0000_8000, Bottom), 0x4000_0000);
    }

    #[test]
    fn accumulation_that_overflows_wraps_and_sets_q() {
        // A7.7 SMLABB: "if result != SInt(result<31:0>) then APSR.Q = '1'".
        assert_eq!(smla(1, Bottom, 1, Bottom, 0x7FFF_FFFF), Flagged { value: 0x8000_0000, q: true });
        assert_eq!(smlaw(0x0001_0000, 1, Bottom, 0x7FFF_FFFF), Flagged { value: 0x8000_0000, q: true });
        assert_eq!(smla(MINUS_ONE, Bottom, 1, Bottom, 1), Flagged { value: 0, q: false });
    }

    #[test]
    fn only_all_minimal_halves_overflow_a_dual_sum() {
        assert_eq!(smuad(0x8000_8000, 0x8000_8000, false), Flagged { value: 0x8000_0000, q: true });
        assert_eq!(smusd(0x8000_8000, 0x8000_7FFF, false), (-0x3FFF_8000i32 - 0x4000_0000) as u32);
    }

    #[test]
    fn intermediate_overflow_that_the_accumulator_undoes_sets_no_q() {
        // A7.7 SMLAD: product1 + product2 + accumulator is one unbounded sum.
        assert_eq!(smlad(0x8000_8000, 0x8000_8000, MINUS_ONE, false), Flagged { value: 0x7FFF_FFFF, q: false });
    }

    #[test]
    fn exchange_swaps_the_halves_of_the_second_operand() {
        assert_eq!(smuad(0x0002_0003, 0x0005_0007, true).value, 2 * 7 + 3 * 5);
        assert_eq!(smlsd(0x0002_0003, 0x0005_0007, 1, true).value, 1 + 3 * 5 - 2 * 7);
    }

    #[test]
    fn long_accumulation_carries_into_the_upper_word() {
        assert_eq!(smlal(MINUS_ONE, Bottom, 1, Bottom, 0), u64::MAX);
        assert_eq!(smlald(0x0001_0001, 0x0001_0001, 0xFFFF_FFFF, false), 0x1_0000_0001);
        assert_eq!(smlsld(0x0001_0000, 0x0001_0000, 0, false), u64::MAX);
    }

    #[test]
    fn word_by_half_keeps_bits_47_to_16() {
        assert_eq!(smulw(0x0001_0000, 0xFFFF_0000, Top), MINUS_ONE);
        assert_eq!(smulw(MINUS_ONE, 1, Bottom), MINUS_ONE);
    }

    #[test]
    fn most_significant_word_truncates_or_rounds() {
        assert_eq!(smmul(0x4000_0000, 2, false), 0);
        assert_eq!(smmul(0x4000_0000, 2, true), 1);
        assert_eq!(smmla(0x4000_0000, 4, 5, false), 6);
        // A7.7 SMMLS: the product is taken from the accumulator before the word is cut off, so the rest borrows.
        assert_eq!(smmls(1, 1, 5, false), 4);
        assert_eq!(smmls(1, 1, 5, true), 5);
    }

    #[test]
    fn largest_operands_fit_umaal() {
        assert_eq!(umaal(u32::MAX, u32::MAX, u32::MAX, u32::MAX), u64::MAX);
    }
}
