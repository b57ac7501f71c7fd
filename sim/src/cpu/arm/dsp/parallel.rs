//! Parallel addition and subtraction: {S,U,Q,UQ,SH,UH}{ADD8,ADD16,ASX,SAX,SUB8,SUB16}.

/// What is done in which lanes; the encoding's op1 (ARM DDI 0403E, A5.3.13 and A5.3.14).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Lanes {
    /// Four byte additions.
    Add8,
    /// Two half-word additions.
    Add16,
    /// Top: n + exchanged m; bottom: n - exchanged m.
    Asx,
    /// Top: n - exchanged m; bottom: n + exchanged m.
    Sax,
    /// Four byte subtractions.
    Sub8,
    /// Two half-word subtractions.
    Sub16,
}

impl Lanes {
    /// From bits 6:4 of the first half-word (op1).
    #[must_use]
    pub fn from_op1(op1: u32) -> Option<Lanes> {
        Some(match op1 {
            0b000 => Lanes::Add8,
            0b001 => Lanes::Add16,
            0b010 => Lanes::Asx,
            0b110 => Lanes::Sax,
            0b100 => Lanes::Sub8,
            0b101 => Lanes::Sub16,
            _ => return None,
        })
    }
}

/// How lanes are read and results fitted back; the mnemonic's prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Variant {
    /// S: signed, wraps, sets GE where a result is not negative.
    Signed,
    /// Q: signed, saturates.
    SignedSaturating,
    /// SH: signed, halves the result.
    SignedHalving,
    /// U: unsigned, wraps, sets GE on carry (additions) or no borrow (subtractions).
    Unsigned,
    /// UQ: unsigned, saturates.
    UnsignedSaturating,
    /// UH: unsigned, halves the result.
    UnsignedHalving,
}

impl Variant {
    /// From bits 6:4 of the second half-word (bit 6 is unsigned, bits 5:4 are op2).
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Variant> {
        Some(match bits {
            0b000 => Variant::Signed,
            0b001 => Variant::SignedSaturating,
            0b010 => Variant::SignedHalving,
            0b100 => Variant::Unsigned,
            0b101 => Variant::UnsignedSaturating,
            0b110 => Variant::UnsignedHalving,
            _ => return None,
        })
    }
}

/// Performs the instruction on `n` and `m`. `ge` is APSR.GE in bits 3:0; only the variants S and U change it.
#[must_use]
pub fn parallel(lanes: Lanes, variant: Variant, n: u32, m: u32, ge: &mut u32) -> u32 {
    let signed_limits = |bits: u32| (-(1 << (bits - 1)), (1 << (bits - 1)) - 1);
    let unsigned_limits = |bits: u32| (0, (1 << bits) - 1);
    let clamp = |exact: i32, (low, high): (i32, i32)| exact.clamp(low, high);
    // One call for each variant, so that each is compiled for itself.
    match variant {
        Variant::Signed => {
            let (result, flags) = each_lane::<true>(lanes, n, m, |exact, _| exact);
            *ge = flags;
            result
        }
        Variant::Unsigned => {
            let (result, flags) = each_lane::<false>(lanes, n, m, |exact, _| exact);
            *ge = flags;
            result
        }
        Variant::SignedSaturating => each_lane::<true>(lanes, n, m, |exact, bits| clamp(exact, signed_limits(bits))).0,
        Variant::UnsignedSaturating => {
            each_lane::<false>(lanes, n, m, |exact, bits| clamp(exact, unsigned_limits(bits))).0
        }
        Variant::SignedHalving => each_lane::<true>(lanes, n, m, |exact, _| exact >> 1).0,
        Variant::UnsignedHalving => each_lane::<false>(lanes, n, m, |exact, _| exact >> 1).0,
    }
}

/// Adds and subtracts with unbounded integers, fits each result into its lane, and tells the GE flags.
#[inline(always)]
fn each_lane<const SIGNED: bool>(lanes: Lanes, n: u32, m: u32, fit: impl Fn(i32, u32) -> i32) -> (u32, u32) {
    let (mut result, mut flags) = (0, 0);
    let mut lane = |shift: u32, bits: u32, a: u32, b: u32, subtract: bool| {
        let unused = 32 - bits;
        let extend = |value: u32| {
            if SIGNED { (value << unused) as i32 >> unused } else { (value << unused >> unused) as i32 }
        };
        let exact = if subtract { extend(a) - extend(b) } else { extend(a) + extend(b) };
        let flagged = if SIGNED || subtract { exact >= 0 } else { exact >> bits != 0 };
        flags |= if flagged { ((1 << (bits / 8)) - 1) << (shift / 8) } else { 0 };
        result |= (fit(exact, bits) as u32 & ((1 << bits) - 1)) << shift;
    };
    match lanes {
        Lanes::Add8 => [0, 8, 16, 24].into_iter().for_each(|i| lane(i, 8, n >> i, m >> i, false)),
        Lanes::Sub8 => [0, 8, 16, 24].into_iter().for_each(|i| lane(i, 8, n >> i, m >> i, true)),
        Lanes::Add16 => [0, 16].into_iter().for_each(|i| lane(i, 16, n >> i, m >> i, false)),
        Lanes::Sub16 => [0, 16].into_iter().for_each(|i| lane(i, 16, n >> i, m >> i, true)),
        Lanes::Asx | Lanes::Sax => {
            lane(0, 16, n, m >> 16, lanes == Lanes::Asx);
            lane(16, 16, n >> 16, m, lanes == Lanes::Sax);
        }
    }
    (result, flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(lanes: Lanes, variant: Variant, n: u32, m: u32) -> (u32, u32) {
        let mut ge = 0b0101;
        let result = parallel(lanes, variant, n, m, &mut ge);
        (result, ge)
    }

    #[test]
    fn unsigned_byte_addition_flags_carries_per_byte() {
        // A7.7 UADD8: APSR.GE<i> = if sum_i >= 0x100.
        assert_eq!(run(Lanes::Add8, Variant::Unsigned, 0xFF01_8000, 0x0101_80FF), (0x0002_00FF, 0b1010));
    }

    #[test]
    fn signed_byte_addition_flags_results_that_are_not_negative() {
        // A7.7 SADD8: the sum is taken with unbounded integers, so 0x7F + 0x01 = 128 >= 0 although it wraps.
        assert_eq!(run(Lanes::Add8, Variant::Signed, 0x7F80_FF00, 0x0180_00FF), (0x8000_FFFF, 0b1000));
    }

    #[test]
    fn half_word_results_flag_both_bytes() {
        // A7.7 SSUB16.
        assert_eq!(run(Lanes::Sub16, Variant::Signed, 0x0001_0000, 0x0001_0001), (0x0000_FFFF, 0b1100));
        assert_eq!(run(Lanes::Sub16, Variant::Unsigned, 0xFFFF_0000, 0x0001_0000), (0xFFFE_0000, 0b1111));
    }

    #[test]
    fn exchange_pairs_each_half_with_the_other() {
        // A7.7 SASX: diff = bottom(n) - top(m) goes to the bottom, sum = top(n) + bottom(m) to the top.
        assert_eq!(run(Lanes::Asx, Variant::Signed, 0x0010_0020, 0x0003_0005), (0x0015_001D, 0b1111));
        assert_eq!(run(Lanes::Sax, Variant::Signed, 0x0010_0020, 0x0003_0005), (0x000B_0023, 0b1111));
    }

    #[test]
    fn saturating_variants_clip_and_leave_the_flags_alone() {
        assert_eq!(run(Lanes::Add16, Variant::SignedSaturating, 0x7FFF_8000, 0x0001_FFFF), (0x7FFF_8000, 0b0101));
        assert_eq!(run(Lanes::Sub8, Variant::UnsignedSaturating, 0x0110_FF00, 0x0210_0001), (0x0000_FF00, 0b0101));
        assert_eq!(run(Lanes::Add8, Variant::UnsignedSaturating, 0xF000_00FF, 0x2000_0001), (0xFF00_00FF, 0b0101));
    }

    #[test]
    fn halving_variants_keep_the_carry() {
        assert_eq!(run(Lanes::Add16, Variant::UnsignedHalving, 0xFFFF_0001, 0xFFFF_0002), (0xFFFF_0001, 0b0101));
        assert_eq!(run(Lanes::Sub16, Variant::SignedHalving, 0x8000_0000, 0x7FFF_0001), (0x8000_FFFF, 0b0101));
        assert_eq!(run(Lanes::Sub8, Variant::UnsignedHalving, 0x0000_0001, 0x0000_0002), (0x0000_00FF, 0b0101));
    }
}
