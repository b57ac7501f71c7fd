//! Addition to square root (FPAdd, FPMul, FPDiv, FPMulAdd, FPSqrt of ARM DDI 0403E, A2.5).

use super::value::{
    Finite, INFINITY, SIGN, Unpacked, invalid, is_normal, is_plain, is_safely_normal, process_nans, round,
    shift_right_jam, signed, unpack,
};
use super::{Fpscr, Rounding};

/// VADD.
#[must_use]
#[inline]
pub fn vadd(n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    if is_plain(n) && is_plain(m) && fpscr.rounds_to_nearest() {
        let (a, b) = (f32::from_bits(n), f32::from_bits(m));
        let sum = a + b;
        // A sum is zero only if it is exactly that: singles are multiples of the smallest denormal.
        if is_safely_normal(sum.to_bits()) || sum == 0.0 {
            // Knuth's TwoSum: the rounding error of a sum is itself a float.
            fpscr.raise_inexact_if(|| {
                let b_part = sum - a;
                (a - (sum - b_part)) + (b - b_part) != 0.0
            });
            return sum.to_bits();
        }
    }
    add_exactly(n, m, fpscr)
}

/// VSUB: `n - m`. FPSub differs from FPAdd of the negated operand only for NaNs, whose sign it keeps.
#[must_use]
#[inline]
pub fn vsub(n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    let is_nan = m & !SIGN > INFINITY;
    vadd(n, if is_nan { m } else { m ^ SIGN }, fpscr)
}

/// VMUL.
#[must_use]
#[inline]
pub fn vmul(n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    if is_plain(n) && is_plain(m) && fpscr.rounds_to_nearest() {
        let (a, b) = (f32::from_bits(n), f32::from_bits(m));
        let product = a * b;
        if is_safely_normal(product.to_bits()) || a == 0.0 || b == 0.0 {
            // 24 · 24 bits fit the 53 of a double.
            fpscr.raise_inexact_if(|| f64::from(a) * f64::from(b) != f64::from(product));
            return product.to_bits();
        }
    }
    multiply_exactly(n, m, fpscr)
}

/// VDIV: `n / m`.
#[must_use]
#[inline]
pub fn vdiv(n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    if is_normal(n) && is_normal(m) && fpscr.rounds_to_nearest() {
        let (a, b) = (f32::from_bits(n), f32::from_bits(m));
        let quotient = a / b;
        if is_safely_normal(quotient.to_bits()) {
            fpscr.raise_inexact_if(|| f64::from(quotient) * f64::from(b) != f64::from(a));
            return quotient.to_bits();
        }
    }
    divide_exactly(n, m, fpscr)
}

/// VSQRT.
#[must_use]
#[inline]
pub fn vsqrt(m: u32, fpscr: &mut Fpscr) -> u32 {
    if is_normal(m) && m & SIGN == 0 && fpscr.rounds_to_nearest() {
        let root = f32::from_bits(m).sqrt();
        fpscr.raise_inexact_if(|| f64::from(root) * f64::from(root) != f64::from(f32::from_bits(m)));
        return root.to_bits();
    }
    square_root_exactly(m, fpscr)
}

/// VABS: clears the sign, of NaNs too.
#[must_use]
#[inline]
pub fn vabs(m: u32) -> u32 {
    m & !SIGN
}

/// VNEG: inverts the sign, of NaNs too.
#[must_use]
#[inline]
pub fn vneg(m: u32) -> u32 {
    m ^ SIGN
}

/// VNMUL: `-(n · m)`.
#[must_use]
pub fn vnmul(n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    vneg(vmul(n, m, fpscr))
}

/// VMLA: `d + n · m`, the product rounded first.
#[must_use]
#[inline]
pub fn vmla(d: u32, n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    let product = vmul(n, m, fpscr);
    vadd(d, product, fpscr)
}

/// VMLS: `d - n · m`, the product rounded first.
#[must_use]
#[inline]
pub fn vmls(d: u32, n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    let product = vmul(n, m, fpscr);
    vadd(d, vneg(product), fpscr)
}

/// VNMLA: `-d - n · m`, the product rounded first.
#[must_use]
pub fn vnmla(d: u32, n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    let product = vmul(n, m, fpscr);
    vadd(vneg(d), vneg(product), fpscr)
}

/// VNMLS: `-d + n · m`, the product rounded first.
#[must_use]
pub fn vnmls(d: u32, n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    let product = vmul(n, m, fpscr);
    vadd(vneg(d), product, fpscr)
}

/// VFMA: `d + n · m`, rounded once.
#[must_use]
#[inline]
pub fn vfma(d: u32, n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    if is_plain(d) && is_plain(n) && is_plain(m) && fpscr.rounds_to_nearest() {
        let addend = f64::from(f32::from_bits(d));
        let product = f64::from(f32::from_bits(n)) * f64::from(f32::from_bits(m));
        let sum = addend + product;
        let product_part = sum - addend;
        let error = (addend - (sum - product_part)) + (product - product_part);
        // Rounding twice is harmless if the first time goes to odd; the error says which way the truth lies.
        let odd = if error == 0.0 || sum.to_bits() & 1 == 1 {
            sum
        } else {
            let towards_error = (error > 0.0) == (sum > 0.0);
            f64::from_bits(if towards_error { sum.to_bits() + 1 } else { sum.to_bits() - 1 })
        };
        let result = odd as f32;
        if is_safely_normal(result.to_bits()) || odd == 0.0 {
            fpscr.raise_inexact_if(|| f64::from(result) != odd);
            return result.to_bits();
        }
    }
    multiply_add_exactly(d, n, m, fpscr)
}

/// VFMS: `d - n · m`, rounded once.
#[must_use]
#[inline]
pub fn vfms(d: u32, n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    vfma(d, vneg(n), m, fpscr)
}

/// VFNMA: `-d - n · m`, rounded once.
#[must_use]
pub fn vfnma(d: u32, n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    vfma(vneg(d), vneg(n), m, fpscr)
}

/// VFNMS: `-d + n · m`, rounded once.
#[must_use]
pub fn vfnms(d: u32, n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    vfma(vneg(d), n, m, fpscr)
}

/// The zero of a sum of opposites: negative only when rounding towards minus infinity.
fn cancelled(fpscr: &Fpscr) -> u32 {
    signed(fpscr.rounding() == Rounding::MinusInfinity, 0)
}

/// A term of a sum: a number below 2^48, or zero.
type Term = Option<Finite>;

/// The sum of two terms, not both zero, rounded.
fn round_sum(a: Term, b: Term, fpscr: &mut Fpscr) -> u32 {
    /// Distance up to which the larger term is moved to the smaller one's exponent; both then fit 127 bits.
    const REACH: u32 = 75;
    let (high, low) = match (a, b) {
        (Some(a), Some(b)) if a.exponent >= b.exponent => (a, b),
        (Some(a), Some(b)) => (b, a),
        (Some(only), None) | (None, Some(only)) => return round(only.sign, only.mantissa.into(), only.exponent, fpscr),
        (None, None) => return cancelled(fpscr),
    };
    let distance = (high.exponent - low.exponent) as u32;
    let up = distance.min(REACH);
    let high_mantissa = u128::from(high.mantissa) << up;
    let low_mantissa = shift_right_jam(low.mantissa.into(), distance - up);
    let exponent = high.exponent - up as i32;
    if high.sign == low.sign {
        return round(high.sign, high_mantissa + low_mantissa, exponent, fpscr);
    }
    let difference = high_mantissa.abs_diff(low_mantissa);
    if difference == 0 {
        return cancelled(fpscr);
    }
    round(high.sign == (high_mantissa > low_mantissa), difference, exponent, fpscr)
}

fn term(value: Unpacked) -> Term {
    if let Unpacked::Finite(finite) = value { Some(finite) } else { None }
}

#[cold]
fn add_exactly(n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    let operands = [unpack(n, fpscr), unpack(m, fpscr)];
    if let Some(nan) = process_nans(&operands, fpscr) {
        return nan;
    }
    match (operands[0], operands[1]) {
        (Unpacked::Infinity { sign: a }, Unpacked::Infinity { sign: b }) if a != b => invalid(fpscr),
        (Unpacked::Infinity { sign }, _) | (_, Unpacked::Infinity { sign }) => signed(sign, INFINITY),
        (Unpacked::Zero { sign: a }, Unpacked::Zero { sign: b }) if a == b => signed(a, 0),
        (a, b) => round_sum(term(a), term(b), fpscr),
    }
}

/// The sign of a value that is not a NaN.
fn sign_of(value: Unpacked) -> bool {
    match value {
        Unpacked::Zero { sign } | Unpacked::Infinity { sign } => sign,
        Unpacked::Finite(finite) => finite.sign,
        Unpacked::Nan(bits) => bits & SIGN != 0,
    }
}

#[cold]
fn multiply_exactly(n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    let operands = [unpack(n, fpscr), unpack(m, fpscr)];
    if let Some(nan) = process_nans(&operands, fpscr) {
        return nan;
    }
    let sign = sign_of(operands[0]) != sign_of(operands[1]);
    match (operands[0], operands[1]) {
        (Unpacked::Infinity { .. }, Unpacked::Zero { .. }) | (Unpacked::Zero { .. }, Unpacked::Infinity { .. }) => {
            invalid(fpscr)
        }
        (Unpacked::Infinity { .. }, _) | (_, Unpacked::Infinity { .. }) => signed(sign, INFINITY),
        (Unpacked::Finite(a), Unpacked::Finite(b)) => {
            round(sign, u128::from(a.mantissa * b.mantissa), a.exponent + b.exponent, fpscr)
        }
        _ => signed(sign, 0),
    }
}

#[cold]
fn divide_exactly(n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    /// Enough for a 24-bit quotient, a rounding bit and a sticky one.
    const EXTRA_BITS: i32 = 38;
    let operands = [unpack(n, fpscr), unpack(m, fpscr)];
    if let Some(nan) = process_nans(&operands, fpscr) {
        return nan;
    }
    let sign = sign_of(operands[0]) != sign_of(operands[1]);
    match (operands[0], operands[1]) {
        (Unpacked::Infinity { .. }, Unpacked::Infinity { .. }) | (Unpacked::Zero { .. }, Unpacked::Zero { .. }) => {
            invalid(fpscr)
        }
        (Unpacked::Infinity { .. }, _) => signed(sign, INFINITY),
        (_, Unpacked::Zero { .. }) => {
            fpscr.raise(Fpscr::DZC);
            signed(sign, INFINITY)
        }
        (Unpacked::Finite(a), Unpacked::Finite(b)) => {
            let dividend = a.mantissa << EXTRA_BITS;
            let quotient = (dividend / b.mantissa) | u64::from(!dividend.is_multiple_of(b.mantissa));
            round(sign, quotient.into(), a.exponent - b.exponent - EXTRA_BITS, fpscr)
        }
        _ => signed(sign, 0),
    }
}

#[cold]
fn square_root_exactly(m: u32, fpscr: &mut Fpscr) -> u32 {
    let operand = unpack(m, fpscr);
    if let Some(nan) = process_nans(&[operand], fpscr) {
        return nan;
    }
    match operand {
        Unpacked::Zero { sign } => signed(sign, 0),
        Unpacked::Infinity { sign: false } => INFINITY,
        Unpacked::Finite(Finite { sign: false, mantissa, exponent }) => {
            // An even exponent, and enough bits for 24 of the root, a rounding bit and a sticky one.
            let shift = 30 + (exponent & 1);
            let radicand = mantissa << shift;
            let root = radicand.isqrt();
            round(false, (root | u64::from(root * root != radicand)).into(), (exponent - shift) / 2, fpscr)
        }
        _ => invalid(fpscr),
    }
}

#[cold]
fn multiply_add_exactly(d: u32, n: u32, m: u32, fpscr: &mut Fpscr) -> u32 {
    use Unpacked::{Infinity, Nan, Zero};
    let operands = [unpack(d, fpscr), unpack(n, fpscr), unpack(m, fpscr)];
    let [addend, a, b] = operands;
    let nan = process_nans(&operands, fpscr);
    let infinity_by_zero = matches!((a, b), (Infinity { .. }, Zero { .. }) | (Zero { .. }, Infinity { .. }));
    if infinity_by_zero && !matches!(addend, Nan(bits) if super::value::is_signalling(bits)) {
        return invalid(fpscr);
    }
    if let Some(nan) = nan {
        return nan;
    }
    let product_sign = sign_of(a) != sign_of(b);
    let product_infinite = matches!(a, Infinity { .. }) || matches!(b, Infinity { .. });
    match (addend, product_infinite) {
        (Infinity { sign }, true) if sign != product_sign => return invalid(fpscr),
        (Infinity { sign }, _) => return signed(sign, INFINITY),
        (_, true) => return signed(product_sign, INFINITY),
        _ => {}
    }
    let product = match (a, b) {
        (Unpacked::Finite(a), Unpacked::Finite(b)) => {
            Some(Finite { sign: product_sign, mantissa: a.mantissa * b.mantissa, exponent: a.exponent + b.exponent })
        }
        _ => None,
    };
    match addend {
        Zero { sign } if product.is_none() && sign == product_sign => signed(sign, 0),
        _ => round_sum(term(addend), product, fpscr),
    }
}
