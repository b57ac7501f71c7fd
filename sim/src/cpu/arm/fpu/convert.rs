//! Conversions: integers, fixed point, half precision, and the constants of VMOV (ARM DDI 0403E, A2.5: FPToFixed,
//! FixedToFP, FPHalfToSingle, FPSingleToHalf, VFPExpandImm).

use super::value::{Cut, HALF, INFINITY, SIGN, Unpacked, is_normal, is_signalling, round, round_half, signed, unpack};
use super::{DEFAULT_NAN, Fpscr, Rounding};

/// A fixed-point format of VCVT.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Fixed {
    /// Two's complement (S16, S32) or unsigned (U16, U32).
    pub signed: bool,
    /// Width in bits: 16 or 32.
    pub bits: u32,
    /// How many of them lie behind the point, 0 to `bits`.
    pub fraction_bits: u32,
}

impl Fixed {
    const fn integer(signed: bool) -> Fixed {
        Fixed { signed, bits: 32, fraction_bits: 0 }
    }

    fn range(self) -> (i128, i128) {
        if self.signed { (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1) } else { (0, (1 << self.bits) - 1) }
    }
}

/// VCVT, VCVTR to integer: `toward_zero` for VCVT, the FPSCR's mode for VCVTR. Out of range saturates with
/// IOC, a NaN gives 0.
#[must_use]
#[inline]
pub fn to_integer(m: u32, signed: bool, toward_zero: bool, fpscr: &mut Fpscr) -> u32 {
    let value = f32::from_bits(m);
    if toward_zero && is_normal(m) && value.abs() < 2_147_483_648.0 && (signed || m & SIGN == 0) {
        let integer = value as i32;
        fpscr.raise_inexact_if(|| f64::from(integer) != f64::from(value));
        return integer as u32;
    }
    to_fixed_point(m, Fixed::integer(signed), toward_zero, fpscr)
}

/// VCVT from integer, rounded as the FPSCR says.
#[must_use]
#[inline]
pub fn from_integer(value: u32, signed: bool, fpscr: &mut Fpscr) -> u32 {
    if fpscr.rounds_to_nearest() {
        let (single, exact) =
            if signed { (value as i32 as f32, f64::from(value as i32)) } else { (value as f32, f64::from(value)) };
        fpscr.raise_inexact_if(|| f64::from(single) != exact);
        return single.to_bits();
    }
    from_fixed_point(value, Fixed::integer(signed), fpscr.rounding(), fpscr)
}

/// VCVT to fixed point: rounds towards zero, saturates with IOC. The result is extended to 32 bits.
#[must_use]
pub fn to_fixed(d: u32, format: Fixed, fpscr: &mut Fpscr) -> u32 {
    to_fixed_point(d, format, true, fpscr)
}

/// VCVT from fixed point: rounds to nearest whatever the FPSCR says. Of `d` the low `format.bits` count.
#[must_use]
pub fn from_fixed(d: u32, format: Fixed, fpscr: &mut Fpscr) -> u32 {
    from_fixed_point(d, format, Rounding::Nearest, fpscr)
}

fn to_fixed_point(operand: u32, format: Fixed, toward_zero: bool, fpscr: &mut Fpscr) -> u32 {
    let rounding = if toward_zero { Rounding::Zero } else { fpscr.rounding() };
    let (low, high) = format.range();
    let saturate = |sign: bool, fpscr: &mut Fpscr| {
        fpscr.raise(Fpscr::IOC);
        (if sign { low } else { high }) as u32
    };
    match unpack(operand, fpscr) {
        Unpacked::Zero { .. } => 0,
        Unpacked::Nan(_) => {
            fpscr.raise(Fpscr::IOC);
            0
        }
        Unpacked::Infinity { sign } => saturate(sign, fpscr),
        Unpacked::Finite(value) => {
            let exponent = value.exponent + format.fraction_bits as i32;
            if exponent > 40 {
                return saturate(value.sign, fpscr);
            }
            let cut = Cut::new(value.mantissa.into(), -exponent);
            let magnitude = cut.rounded(value.sign, rounding) as i128;
            let integer = if value.sign { -magnitude } else { magnitude };
            if integer < low || integer > high {
                return saturate(value.sign, fpscr);
            }
            if cut.inexact {
                fpscr.raise(Fpscr::IXC);
            }
            integer as u32
        }
    }
}

fn from_fixed_point(operand: u32, format: Fixed, rounding: Rounding, fpscr: &mut Fpscr) -> u32 {
    let unused = 32 - format.bits;
    let value = if format.signed {
        i64::from((operand << unused) as i32 >> unused)
    } else {
        i64::from(operand << unused >> unused)
    };
    // Up to 24 bits are exact in any mode. Dividing by a power of two is exact too: 2^-32 is far from denormal.
    let scale = |single: f32| (single * f32::from_bits((127 - format.fraction_bits) << 23)).to_bits();
    if value.unsigned_abs() < 1 << 24 {
        return scale(value as f32);
    }
    if rounding == Rounding::Nearest {
        let single = value as f32;
        fpscr.raise_inexact_if(|| f64::from(single) != value as f64);
        return scale(single);
    }
    round(value < 0, value.unsigned_abs().into(), -(format.fraction_bits as i32), fpscr)
}

/// VCVTB, VCVTT from half (FPHalfToSingle). FPSCR.AHP chooses the format; FZ does not matter to halves.
#[must_use]
pub fn half_to_single(half: u16, fpscr: &mut Fpscr) -> u32 {
    let sign = half & 0x8000 != 0;
    let exponent = i32::from(half >> 10 & 0x1F);
    let fraction = u32::from(half & 0x3FF);
    match (exponent, fraction) {
        (0, 0) => signed(sign, 0),
        (0, _) => round(sign, fraction.into(), HALF.min_exponent - 10, fpscr),
        (0x1F, _) if !fpscr.has(Fpscr::AHP) => {
            if fraction == 0 {
                return signed(sign, INFINITY);
            }
            let quiet = 1 << 9;
            if fraction & quiet == 0 {
                fpscr.raise(Fpscr::IOC);
            }
            if fpscr.has(Fpscr::DN) { DEFAULT_NAN } else { signed(sign, INFINITY | (fraction | quiet) << 13) }
        }
        _ => signed(sign, ((exponent - 15 + 127) as u32) << 23 | fraction << 13),
    }
}

/// VCVTB, VCVTT to half (FPSingleToHalf), rounded as the FPSCR says. The alternative format (AHP) has no
/// infinities and NaNs: those give its largest number and zero, with IOC.
#[must_use]
pub fn single_to_half(single: u32, fpscr: &mut Fpscr) -> u16 {
    let alternative = fpscr.has(Fpscr::AHP);
    let with_sign = |sign: bool, magnitude: u16| magnitude | if sign { 0x8000 } else { 0 };
    match unpack(single, fpscr) {
        Unpacked::Nan(bits) => {
            if alternative || is_signalling(bits) {
                fpscr.raise(Fpscr::IOC);
            }
            let sign = bits & SIGN != 0;
            if alternative {
                with_sign(sign, 0)
            } else if fpscr.has(Fpscr::DN) {
                0x7E00
            } else {
                with_sign(sign, 0x7E00 | (bits >> 13 & 0x1FF) as u16)
            }
        }
        Unpacked::Infinity { sign } if alternative => {
            fpscr.raise(Fpscr::IOC);
            with_sign(sign, 0x7FFF)
        }
        Unpacked::Infinity { sign } => with_sign(sign, 0x7C00),
        Unpacked::Zero { sign } => with_sign(sign, 0),
        Unpacked::Finite(value) => round_half(value.sign, value.mantissa.into(), value.exponent, fpscr),
    }
}

/// The constant of VMOV (immediate), VFPExpandImm of A6.4.1: `abcdefgh` stands for sign a, exponent NOT(b):bbbbb:cd and
/// fraction efgh.
#[must_use]
pub fn vfp_expand_imm(imm8: u8) -> u32 {
    let imm = u32::from(imm8);
    let exponent = if imm & 0x40 != 0 { 0b0111_1100 } else { 0b1000_0000 } | imm >> 4 & 3;
    (imm & 0x80) << 24 | exponent << 23 | (imm & 0xF) << 19
}
