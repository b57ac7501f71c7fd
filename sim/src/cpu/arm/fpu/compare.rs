//! Comparison (FPCompare of ARM DDI 0403E, A2.5).

use std::cmp::Ordering;

use super::Fpscr;
use super::value::{Unpacked, is_plain, is_signalling, unpack};

const NEGATIVE: u32 = 0b1000 << 28;
const ZERO_CARRY: u32 = 0b0110 << 28;
const CARRY: u32 = 0b0010 << 28;
const CARRY_OVERFLOW: u32 = 0b0011 << 28;

fn compare(d: u32, m: u32, quiet_nan_invalid: bool, fpscr: &mut Fpscr) {
    let operands = [unpack(d, fpscr), unpack(m, fpscr)];
    let nzcv = if let Some(order) = order(operands) {
        match order {
            Ordering::Less => NEGATIVE,
            Ordering::Equal => ZERO_CARRY,
            Ordering::Greater => CARRY,
        }
    } else {
        let signalling = |value: &Unpacked| matches!(value, Unpacked::Nan(bits) if is_signalling(*bits));
        if quiet_nan_invalid || operands.iter().any(signalling) {
            fpscr.raise(Fpscr::IOC);
        }
        CARRY_OVERFLOW
    };
    fpscr.0 = fpscr.0 & !Fpscr::NZCV | nzcv;
}

/// How two values compare; `None` if one is a NaN.
fn order(operands: [Unpacked; 2]) -> Option<Ordering> {
    // Sign and magnitude as a two's complement number: it grows as the value does.
    let key = |value: Unpacked| {
        let (sign, magnitude) = match value {
            Unpacked::Zero { .. } => (false, 0),
            Unpacked::Infinity { sign } => (sign, i64::MAX),
            Unpacked::Finite(finite) => {
                (finite.sign, i64::from(finite.exponent + 1000) << 24 | (finite.mantissa & 0xFF_FFFF) as i64)
            }
            Unpacked::Nan(_) => return None,
        };
        Some(if sign { -magnitude } else { magnitude })
    };
    Some(key(operands[0])?.cmp(&key(operands[1])?))
}

#[inline]
fn compare_fast(d: u32, m: u32, quiet_nan_invalid: bool, fpscr: &mut Fpscr) {
    if is_plain(d) && is_plain(m) {
        let (a, b) = (f32::from_bits(d), f32::from_bits(m));
        let nzcv = if a < b {
            NEGATIVE
        } else if a > b {
            CARRY
        } else {
            ZERO_CARRY
        };
        fpscr.0 = fpscr.0 & !Fpscr::NZCV | nzcv;
    } else {
        compare(d, m, quiet_nan_invalid, fpscr);
    }
}

/// VCMP: compares `d` with `m` (0 for the form with zero) and sets N, Z, C, V. Only a signalling NaN is an
/// invalid operation.
#[inline]
pub fn vcmp(d: u32, m: u32, fpscr: &mut Fpscr) {
    compare_fast(d, m, false, fpscr);
}

/// VCMPE: as [`vcmp`]; every NaN is an invalid operation.
#[inline]
pub fn vcmpe(d: u32, m: u32, fpscr: &mut Fpscr) {
    compare_fast(d, m, true, fpscr);
}
