//! Packing, extending, selecting, and sums of absolute differences.

use super::halves;

/// PKHBT: bottom of `n`, top of the shifted operand.
#[must_use]
pub fn pkhbt(n: u32, operand: u32) -> u32 {
    operand & 0xFFFF_0000 | n & 0xFFFF
}

/// PKHTB: top of `n`, bottom of the shifted operand.
#[must_use]
pub fn pkhtb(n: u32, operand: u32) -> u32 {
    n & 0xFFFF_0000 | operand & 0xFFFF
}

/// SXTB16 of the rotated operand: bytes 0 and 2, sign-extended to half-words.
#[must_use]
pub fn sxtb16(rotated: u32) -> u32 {
    sxtab16(0, rotated)
}

/// UXTB16 of the rotated operand: bytes 0 and 2, zero-extended to half-words.
#[must_use]
pub fn uxtb16(rotated: u32) -> u32 {
    rotated & 0x00FF_00FF
}

/// SXTAB16: half-words of `n` plus the bytes of [`sxtb16`], each sum modulo 2^16.
#[must_use]
pub fn sxtab16(n: u32, rotated: u32) -> u32 {
    let byte = |shift: u32| i32::from((rotated >> shift) as i8);
    halves((n >> 16) as i32 + byte(16), n as u16 as i32 + byte(0))
}

/// UXTAB16: half-words of `n` plus the bytes of [`uxtb16`], each sum modulo 2^16.
#[must_use]
pub fn uxtab16(n: u32, rotated: u32) -> u32 {
    let byte = |shift: u32| i32::from((rotated >> shift) as u8);
    halves((n >> 16) as i32 + byte(16), n as u16 as i32 + byte(0))
}

/// SEL: byte i from `n` where bit i of `ge` (APSR.GE in bits 3:0) is set, else from `m`.
#[must_use]
pub fn sel(n: u32, m: u32, ge: u32) -> u32 {
    let mask: u32 = (0..4).filter(|i| ge >> i & 1 == 1).map(|i| 0xFF << (8 * i)).sum();
    n & mask | m & !mask
}

/// USAD8: the sum of the four absolute differences of bytes.
#[must_use]
pub fn usad8(n: u32, m: u32) -> u32 {
    n.to_le_bytes().iter().zip(m.to_le_bytes()).map(|(a, b)| u32::from(a.abs_diff(b))).sum()
}

/// USADA8: [`usad8`] plus `a`.
#[must_use]
pub fn usada8(n: u32, m: u32, a: u32) -> u32 {
    usad8(n, m).wrapping_add(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_takes_one_half_of_each() {
        assert_eq!(pkhbt(0x1111_2222, 0x3333_4444), 0x3333_2222);
        assert_eq!(pkhtb(0x1111_2222, 0x3333_4444), 0x1111_4444);
    }

    #[test]
    fn extending_takes_bytes_0_and_2() {
        assert_eq!(sxtb16(0x12_80_34_7F), 0xFF80_007F);
        assert_eq!(uxtb16(0x12_80_34_7F), 0x0080_007F);
    }

    #[test]
    fn adding_half_words_does_not_carry_between_them() {
        assert_eq!(sxtab16(0x0000_0000, 0x0001_00FF), 0x0001_FFFF);
        assert_eq!(uxtab16(0x0000_FFFF, 0x0000_0001), 0x0000_0000);
    }

    #[test]
    fn selection_follows_ge_byte_by_byte() {
        assert_eq!(sel(0x1122_3344, 0x5566_7788, 0b1010), 0x1166_3388);
    }

    #[test]
    fn absolute_differences_are_unsigned() {
        assert_eq!(usad8(0xFF00_0102, 0x00FF_0201), 255 + 255 + 1 + 1);
        assert_eq!(usada8(0x0000_0001, 0, 0xFFFF_FFFF), 0);
    }
}
