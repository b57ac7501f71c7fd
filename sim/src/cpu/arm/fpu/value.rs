//! Bit patterns to values and back: FPUnpack, FPRound and the rules for NaNs (ARM DDI 0403E, A2.5).

use std::cmp::Ordering;

use super::{DEFAULT_NAN, Fpscr, Rounding};

/// Bits of a single's fraction.
pub(super) const FRACTION_BITS: u32 = 23;
pub(super) const SIGN: u32 = 1 << 31;
pub(super) const INFINITY: u32 = 0x7F80_0000;
const QUIET: u32 = 1 << 22;

/// A single, taken apart.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Unpacked {
    Zero { sign: bool },
    Finite(Finite),
    Infinity { sign: bool },
    Nan(u32),
}

/// ±`mantissa` · 2^`exponent`; the mantissa is not zero. Unpacked singles have it normalised to 24 bits.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Finite {
    pub sign: bool,
    pub mantissa: u64,
    pub exponent: i32,
}

/// True for normal numbers: neither zero, denormal, infinite nor NaN.
#[inline]
pub(super) fn is_normal(bits: u32) -> bool {
    (bits >> FRACTION_BITS & 0xFF).wrapping_sub(1) < 0xFE
}

/// True for normal numbers and zeros: what IEEE 754 arithmetic treats alike everywhere.
#[inline]
pub(super) fn is_plain(bits: u32) -> bool {
    is_normal(bits) || bits << 1 == 0
}

/// True for finite numbers larger in magnitude than the smallest normal one. A result of exactly the smallest normal
/// may have been rounded up to it, which is an underflow.
#[inline]
pub(super) fn is_safely_normal(bits: u32) -> bool {
    (bits & !SIGN).wrapping_sub(0x0080_0001) < INFINITY - 0x0080_0001
}

pub(super) fn signed(sign: bool, magnitude: u32) -> u32 {
    magnitude | if sign { SIGN } else { 0 }
}

/// FPUnpack for singles. A denormal that FZ flushes sets IDC.
pub(super) fn unpack(bits: u32, fpscr: &mut Fpscr) -> Unpacked {
    let sign = bits & SIGN != 0;
    let biased = (bits >> FRACTION_BITS & 0xFF) as i32;
    let fraction = bits & ((1 << FRACTION_BITS) - 1);
    match (biased, fraction) {
        (0, 0) => Unpacked::Zero { sign },
        (0, _) if fpscr.has(Fpscr::FZ) => {
            fpscr.raise(Fpscr::IDC);
            Unpacked::Zero { sign }
        }
        (0, _) => {
            let shift = fraction.leading_zeros() - (31 - FRACTION_BITS);
            let exponent = -149 - shift as i32;
            Unpacked::Finite(Finite { sign, mantissa: u64::from(fraction) << shift, exponent })
        }
        (0xFF, 0) => Unpacked::Infinity { sign },
        (0xFF, _) => Unpacked::Nan(bits),
        _ => {
            let mantissa = u64::from(fraction | 1 << FRACTION_BITS);
            Unpacked::Finite(Finite { sign, mantissa, exponent: biased - 150 })
        }
    }
}

pub(super) fn is_signalling(nan: u32) -> bool {
    nan & QUIET == 0
}

/// FPProcessNaN: the quiet form of a NaN operand, or the default NaN.
pub(super) fn process_nan(nan: u32, fpscr: &mut Fpscr) -> u32 {
    if is_signalling(nan) {
        fpscr.raise(Fpscr::IOC);
    }
    if fpscr.has(Fpscr::DN) { DEFAULT_NAN } else { nan | QUIET }
}

/// FPProcessNaNs and FPProcessNaNs3: of several NaNs the first signalling one wins, then the first quiet one. `None`
/// if there is no NaN among the operands.
pub(super) fn process_nans(operands: &[Unpacked], fpscr: &mut Fpscr) -> Option<u32> {
    let mut nans =
        operands.iter().filter_map(|operand| if let Unpacked::Nan(bits) = operand { Some(*bits) } else { None });
    let first = nans.next()?;
    let chosen = if is_signalling(first) { first } else { nans.find(|nan| is_signalling(*nan)).unwrap_or(first) };
    Some(process_nan(chosen, fpscr))
}

/// The result of an invalid operation: the default NaN, and IOC.
pub(super) fn invalid(fpscr: &mut Fpscr) -> u32 {
    fpscr.raise(Fpscr::IOC);
    DEFAULT_NAN
}

/// Shifts right; bits that fall off are remembered in bit 0, so that rounding sees that there was something.
pub(super) fn shift_right_jam(value: u128, shift: u32) -> u128 {
    match shift {
        0 => value,
        1..=127 => value >> shift | u128::from(value << (128 - shift) != 0),
        _ => u128::from(value != 0),
    }
}

/// A target format of [`round`].
pub(super) struct Format {
    pub fraction_bits: u32,
    /// Smallest exponent of a normal number.
    pub min_exponent: i32,
    /// Bits of the exponent field.
    pub exponent_bits: u32,
}

pub(super) const SINGLE: Format = Format { fraction_bits: FRACTION_BITS, min_exponent: -126, exponent_bits: 8 };
pub(super) const HALF: Format = Format { fraction_bits: 10, min_exponent: -14, exponent_bits: 5 };

/// A magnitude cut to a multiple of its unit in the last place.
pub(super) struct Cut {
    /// The integer part, rounded towards zero.
    pub integer: u128,
    /// The rest, compared to one half.
    pub half: Ordering,
    /// Whether there is a rest.
    pub inexact: bool,
}

impl Cut {
    /// Cuts `mantissa` / 2^`shift`; a negative shift is a multiplication. `mantissa` is below 2^127.
    pub fn new(mantissa: u128, shift: i32) -> Cut {
        match shift {
            ..=0 => Cut { integer: mantissa << -shift, half: Ordering::Less, inexact: false },
            1..=127 => {
                let rest = mantissa & ((1 << shift) - 1);
                Cut { integer: mantissa >> shift, half: rest.cmp(&(1 << (shift - 1))), inexact: rest != 0 }
            }
            _ => Cut { integer: 0, half: Ordering::Less, inexact: mantissa != 0 },
        }
    }

    /// The integer part after rounding the magnitude of a number with this sign.
    pub fn rounded(&self, sign: bool, rounding: Rounding) -> u128 {
        let up = match rounding {
            Rounding::Nearest => match self.half {
                Ordering::Less => false,
                Ordering::Equal => self.integer & 1 == 1,
                Ordering::Greater => true,
            },
            Rounding::PlusInfinity => self.inexact && !sign,
            Rounding::MinusInfinity => self.inexact && sign,
            Rounding::Zero => false,
        };
        self.integer + u128::from(up)
    }
}

/// FPRound: ±`mantissa` · 2^`exponent` as a number of `format`, without its sign, and the flags that go with it. The
/// mantissa is not zero and below 2^127; its bit 0 may stand for everything below ([`shift_right_jam`]).
fn round_magnitude(format: &Format, sign: bool, mantissa: u128, exponent: i32, fpscr: &mut Fpscr) -> u32 {
    let single = format.exponent_bits == 8;
    let fraction_bits = format.fraction_bits;
    let leading = exponent + mantissa.ilog2() as i32;
    let tiny = leading < format.min_exponent;
    if tiny && single && fpscr.has(Fpscr::FZ) {
        fpscr.raise(Fpscr::UFC);
        return 0;
    }
    let last_place = leading.max(format.min_exponent) - fraction_bits as i32;
    let cut = Cut::new(mantissa, last_place - exponent);
    if tiny && cut.inexact {
        fpscr.raise(Fpscr::UFC);
    }
    let rounding = fpscr.rounding();
    let exponent_field = (leading - format.min_exponent).max(0) as u128;
    // The mantissa's leading one adds one to the exponent field; a carry out of the fraction adds one more.
    let bits = (exponent_field << fraction_bits) + cut.rounded(sign, rounding);
    let infinity = ((1 << format.exponent_bits) - 1) << fraction_bits;
    if !single && fpscr.has(Fpscr::AHP) {
        if bits > 0x7FFF {
            fpscr.raise(Fpscr::IOC);
            return 0x7FFF;
        }
    } else if bits >= infinity {
        fpscr.raise(Fpscr::OFC | Fpscr::IXC);
        let to_infinity = match rounding {
            Rounding::Nearest => true,
            Rounding::PlusInfinity => !sign,
            Rounding::MinusInfinity => sign,
            Rounding::Zero => false,
        };
        return (infinity - u128::from(!to_infinity)) as u32;
    }
    if cut.inexact {
        fpscr.raise(Fpscr::IXC);
    }
    bits as u32
}

/// FPRound to a single. `mantissa` is not zero and below 2^127.
pub(super) fn round(sign: bool, mantissa: u128, exponent: i32, fpscr: &mut Fpscr) -> u32 {
    signed(sign, round_magnitude(&SINGLE, sign, mantissa, exponent, fpscr))
}

/// FPRound to a half. `mantissa` is not zero and below 2^127.
pub(super) fn round_half(sign: bool, mantissa: u128, exponent: i32, fpscr: &mut Fpscr) -> u16 {
    round_magnitude(&HALF, sign, mantissa, exponent, fpscr) as u16 | if sign { 0x8000 } else { 0 }
}
