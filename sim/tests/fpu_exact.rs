//! The floating-point unit against arithmetic that rounds in a different way.
//!
//! The unit rounds by cutting bits off. Here the correctly rounded result is *searched*: the exact value of an
//! operation is known only through comparisons (exact ones, in integers or in doubles that cannot round), the two
//! neighbouring singles are found by bisection, and the rounding mode chooses between them. Flags follow from the
//! definitions in ARM DDI 0403E, A2.5.

use std::cmp::Ordering;

use proptest::prelude::*;
use twinboard_sim::cpu::arm::fpu::{self, Fixed, Fpscr, Rounding};

/// A number that can be compared with doubles exactly.
trait Exact {
    fn compare(&self, with: f64) -> Ordering;
}

/// `mantissa` · 2^`exponent`.
#[derive(Clone, Copy, Debug)]
struct Dyadic {
    mantissa: i128,
    exponent: i32,
}

impl Dyadic {
    fn of(value: f64) -> Dyadic {
        if value == 0.0 {
            return Dyadic { mantissa: 0, exponent: 0 };
        }
        // Every value here is a single or a midpoint between two, or a product: far from a double's denormals.
        let bits = value.to_bits();
        let mantissa = (bits & ((1 << 52) - 1) | 1 << 52) as i128;
        let sign = if value < 0.0 { -1 } else { 1 };
        let zeros = mantissa.trailing_zeros();
        Dyadic { mantissa: sign * (mantissa >> zeros), exponent: (bits >> 52 & 0x7FF) as i32 - 1075 + zeros as i32 }
    }

    /// The sum, if it fits 127 bits.
    fn plus(self, other: Dyadic) -> Option<Dyadic> {
        if self.mantissa == 0 || other.mantissa == 0 {
            return Some(if self.mantissa == 0 { other } else { self });
        }
        let exponent = self.exponent.min(other.exponent);
        let scaled = |d: Dyadic| {
            let shift = (d.exponent - exponent) as u32;
            (shift < 126 - d.mantissa.unsigned_abs().ilog2()).then(|| d.mantissa << shift)
        };
        Some(Dyadic { mantissa: scaled(self)? + scaled(other)?, exponent })
    }
}

impl Exact for Dyadic {
    fn compare(&self, with: f64) -> Ordering {
        let with = Dyadic::of(with);
        let (a, b) = (self.mantissa, with.mantissa);
        if a.signum() != b.signum() || a == 0 {
            return a.signum().cmp(&b.signum());
        }
        let magnitude = |d: &Dyadic| d.exponent + d.mantissa.unsigned_abs().ilog2() as i32;
        let by_magnitude = magnitude(self).cmp(&magnitude(&with));
        let order = by_magnitude.then_with(|| {
            // The same leading place: one shift makes the exponents equal, and it fits.
            let shift = self.exponent - with.exponent;
            let (a, b) = (a.unsigned_abs(), b.unsigned_abs());
            if shift >= 0 { (a << shift).cmp(&b) } else { a.cmp(&(b << -shift)) }
        });
        if a < 0 { order.reverse() } else { order }
    }
}

/// `dividend` / `divisor`, of singles.
struct Quotient(f64, f64);

impl Exact for Quotient {
    fn compare(&self, with: f64) -> Ordering {
        // a / b < c  <=>  a < c · b for positive b; a midpoint times a single has 49 bits.
        let order = self.0.total_cmp(&(with * self.1));
        let order = if self.0 == with * self.1 { Ordering::Equal } else { order };
        if self.1 < 0.0 { order.reverse() } else { order }
    }
}

/// The square root of a positive single.
struct Root(f64);

impl Exact for Root {
    fn compare(&self, with: f64) -> Ordering {
        // A midpoint has 25 bits, its square 50.
        if with <= 0.0 { Ordering::Greater } else { self.0.total_cmp(&(with * with)) }
    }
}

/// Singles in the order of their values: 0 is +0, 1 the smallest denormal, -1 its negative.
fn nth(n: i64) -> f64 {
    let magnitude = f64::from(f32::from_bits(n.unsigned_abs() as u32));
    if n < 0 { -magnitude } else { magnitude }
}

const LARGEST: i64 = 0x7F7F_FFFF;

/// What an operation must give: its bits and the flags it raises.
fn rounded(exact: &impl Exact, rounding: Rounding, flush: bool) -> (u32, u32) {
    let sign = exact.compare(0.0);
    let negative = sign == Ordering::Less;
    let bits = |n: i64| n.unsigned_abs() as u32 | if negative { 1 << 31 } else { 0 };
    if sign == Ordering::Equal {
        return (if rounding == Rounding::MinusInfinity { 1 << 31 } else { 0 }, 0);
    }
    let smallest_normal = f64::from(f32::MIN_POSITIVE);
    let tiny = exact.compare(smallest_normal).is_lt() && exact.compare(-smallest_normal).is_gt();
    if tiny && flush {
        return (bits(0), Fpscr::UFC);
    }
    let two_to_128 = 2f64.powi(128);
    let beyond = exact.compare(two_to_128).is_ge() || exact.compare(-two_to_128).is_le();
    let away = match rounding {
        Rounding::PlusInfinity => Some(!negative),
        Rounding::MinusInfinity => Some(negative),
        Rounding::Zero => Some(false),
        Rounding::Nearest => None,
    };
    if beyond {
        let largest = away == Some(false);
        return (bits(if largest { LARGEST } else { LARGEST + 1 }), Fpscr::OFC | Fpscr::IXC);
    }
    // Bisection: the largest single that is not above the value.
    let (mut low, mut high) = (-LARGEST - 1, LARGEST + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if exact.compare(nth(middle)).is_ge() { low = middle } else { high = middle }
    }
    let value_of = |n: i64| if n.abs() > LARGEST { two_to_128 * n.signum() as f64 } else { nth(n) };
    if low >= -LARGEST && exact.compare(nth(low)).is_eq() {
        return (bits(low), 0);
    }
    let (inner, outer) = if negative { (high, low) } else { (low, high) };
    let goes_out = away.unwrap_or_else(|| {
        let order = exact.compare((value_of(low) + value_of(high)) / 2.0);
        let outwards = if negative { order.reverse() } else { order };
        outwards.is_gt() || outwards.is_eq() && inner % 2 != 0
    });
    let result = if goes_out { outer } else { inner };
    let mut flags = Fpscr::IXC;
    if tiny {
        flags |= Fpscr::UFC;
    }
    if result.abs() > LARGEST {
        flags |= Fpscr::OFC;
    }
    (bits(result), flags)
}

/// Finite singles: anything, and clusters where rounding is interesting.
fn single() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => any::<u32>(),
        4 => (any::<bool>(), 110u32..145, any::<u32>()).prop_map(|(s, e, f)| u32::from(s) << 31 | e << 23 | f & 0x7F_FFFF),
        2 => (any::<bool>(), 110u32..145, 0u32..24, 0u32..4).prop_map(|(s, e, shift, f)| {
            u32::from(s) << 31 | e << 23 | f << shift & 0x7F_FFFF
        }),
        1 => (any::<bool>(), 0u32..30, any::<u32>()).prop_map(|(s, e, f)| u32::from(s) << 31 | e << 23 | f & 0x7F_FFFF),
        1 => (any::<bool>(), 235u32..255, any::<u32>()).prop_map(|(s, e, f)| u32::from(s) << 31 | e << 23 | f & 0x7F_FFFF),
        1 => (any::<bool>(), 58u32..70, any::<u32>()).prop_map(|(s, e, f)| u32::from(s) << 31 | e << 23 | f & 0x7F_FFFF),
    ]
    .prop_filter("finite", |bits| f32::from_bits(*bits).is_finite())
}

/// An FPSCR with any rounding mode and FZ, and the two as the tests use them.
fn mode() -> impl Strategy<Value = (Fpscr, Rounding, bool)> {
    (prop_oneof![3 => Just(0u32), 1 => 0u32..4], any::<bool>()).prop_map(|(rmode, flush)| {
        let fpscr = Fpscr(rmode << Fpscr::RMODE_SHIFT | if flush { Fpscr::FZ } else { 0 });
        (fpscr, fpscr.rounding(), flush)
    })
}

/// An operand's value, after FZ, and IDC if it was flushed.
fn operand(bits: u32, flush: bool) -> (f64, u32) {
    let value = f32::from_bits(bits);
    if flush && value.is_subnormal() { (0.0_f64.copysign(value.into()), Fpscr::IDC) } else { (value.into(), 0) }
}

fn flags(fpscr: Fpscr) -> u32 {
    fpscr.0 & (Fpscr::IDC | Fpscr::IXC | Fpscr::UFC | Fpscr::OFC | Fpscr::DZC | Fpscr::IOC)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, max_global_rejects: u32::MAX, ..ProptestConfig::default() })]

    #[test]
    fn addition_and_subtraction_round_once((n, m) in (single(), single()), (mut fpscr, rounding, flush) in mode()) {
        let ((a, a_flag), (b, b_flag)) = (operand(n, flush), operand(m, flush));
        let exact = Dyadic::of(a).plus(Dyadic::of(-b));
        prop_assume!(exact.is_some() && (a != 0.0 || b != 0.0));
        let (bits, raised) = rounded(&exact.unwrap(), rounding, flush);
        prop_assert_eq!((fpu::vsub(n, m, &mut fpscr), flags(fpscr)), (bits, raised | a_flag | b_flag));
        fpscr.0 &= !0xFF;
        prop_assert_eq!((fpu::vadd(n, m ^ 1 << 31, &mut fpscr), flags(fpscr)), (bits, raised | a_flag | b_flag));
    }

    #[test]
    fn multiplication_rounds_once((n, m) in (single(), single()), (mut fpscr, rounding, flush) in mode()) {
        let ((a, a_flag), (b, b_flag)) = (operand(n, flush), operand(m, flush));
        prop_assume!(a != 0.0 && b != 0.0);
        let (bits, raised) = rounded(&Dyadic::of(a * b), rounding, flush);
        prop_assert_eq!((fpu::vmul(n, m, &mut fpscr), flags(fpscr)), (bits, raised | a_flag | b_flag));
    }

    #[test]
    fn division_rounds_once((n, m) in (single(), single()), (mut fpscr, rounding, flush) in mode()) {
        let ((a, a_flag), (b, b_flag)) = (operand(n, flush), operand(m, flush));
        prop_assume!(a != 0.0 && b != 0.0);
        let (bits, raised) = rounded(&Quotient(a, b), rounding, flush);
        prop_assert_eq!((fpu::vdiv(n, m, &mut fpscr), flags(fpscr)), (bits, raised | a_flag | b_flag));
    }

    #[test]
    fn square_root_rounds_once(m in single(), (mut fpscr, rounding, flush) in mode()) {
        let m = m & !(1 << 31);
        let (a, a_flag) = operand(m, flush);
        prop_assume!(a != 0.0);
        let (bits, raised) = rounded(&Root(a), rounding, flush);
        prop_assert_eq!((fpu::vsqrt(m, &mut fpscr), flags(fpscr)), (bits, raised | a_flag));
    }

    #[test]
    fn fused_multiply_add_rounds_once(
        (n, m) in (single(), single()), d in single(), near in any::<bool>(), ulps in 0u32..4,
        (mut fpscr, rounding, flush) in mode(),
    ) {
        // Half of the addends lie next to the negated product, so that almost all of it cancels.
        let cancelling = (-f32::from_bits(n) * f32::from_bits(m)).to_bits().wrapping_add(ulps);
        let d = if near && f32::from_bits(cancelling).is_finite() { cancelling } else { d };
        let ((a, fa), (b, fb), (c, fc)) = (operand(n, flush), operand(m, flush), operand(d, flush));
        let exact = Dyadic::of(a * b).plus(Dyadic::of(c));
        prop_assume!(exact.is_some() && (a * b != 0.0 || c != 0.0));
        let (bits, raised) = rounded(&exact.unwrap(), rounding, flush);
        prop_assert_eq!((fpu::vfma(d, n, m, &mut fpscr), flags(fpscr)), (bits, raised | fa | fb | fc));
    }

    #[test]
    fn chained_multiply_add_is_two_roundings(n in single(), m in single(), d in single(), (fpscr, ..) in mode()) {
        let (mut once, mut twice) = (fpscr, fpscr);
        let product = fpu::vmul(n, m, &mut twice);
        prop_assert_eq!(fpu::vmla(d, n, m, &mut once), fpu::vadd(d, product, &mut twice));
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn comparison_orders_as_values_do(n in single(), m in single(), (mut fpscr, _, flush) in mode()) {
        let ((a, a_flag), (b, b_flag)) = (operand(n, flush), operand(m, flush));
        fpu::vcmpe(n, m, &mut fpscr);
        let nzcv = match a.partial_cmp(&b) {
            Some(Ordering::Less) => 0b1000,
            Some(Ordering::Equal) => 0b0110,
            Some(Ordering::Greater) => 0b0010,
            None => 0b0011,
        };
        prop_assert_eq!((fpscr.0 >> 28, flags(fpscr)), (nzcv, a_flag | b_flag));
    }

    #[test]
    fn integers_become_the_nearest_single_of_the_mode(value in any::<i32>(), shift in 0u32..31, (mut fpscr, rounding, _) in mode()) {
        let value = value >> shift;
        let exact = Dyadic::of(value.into());
        let expected = if value == 0 { (0, 0) } else { rounded(&exact, rounding, false) };
        prop_assert_eq!((fpu::from_integer(value as u32, true, &mut fpscr), flags(fpscr)), expected);
        let unsigned = value as u32;
        fpscr.0 &= !0xFF;
        let expected = if value == 0 { (0, 0) } else { rounded(&Dyadic::of(unsigned.into()), rounding, false) };
        prop_assert_eq!((fpu::from_integer(unsigned, false, &mut fpscr), flags(fpscr)), expected);
    }

    #[test]
    fn fixed_point_comes_back_from_a_single_that_can_hold_it(
        value in -0x80_0000i32..0x80_0000, signed in any::<bool>(), fraction_bits in 0u32..=32,
    ) {
        let format = Fixed { signed, bits: 32, fraction_bits };
        let value = if signed { value } else { value.abs() } as u32;
        let mut fpscr = Fpscr::default();
        let single = fpu::from_fixed(value, format, &mut fpscr);
        let expected = if signed { f64::from(value as i32) } else { f64::from(value) } / 2f64.powi(fraction_bits as i32);
        prop_assert_eq!(f64::from(f32::from_bits(single)), expected);
        prop_assert_eq!(fpu::to_fixed(single, format, &mut fpscr), value);
        prop_assert_eq!(flags(fpscr), 0);
    }

    #[test]
    fn fixed_point_truncates_and_saturates(m in single(), signed in any::<bool>(), wide in any::<bool>(), fraction in 0u32..=16) {
        let format = Fixed { signed, bits: if wide { 32 } else { 16 }, fraction_bits: fraction };
        let mut fpscr = Fpscr::default();
        // A single times 2^16 is exact in a double, and so is everything up to 2^33 in its whole part.
        let scaled = f64::from(f32::from_bits(m)) * 2f64.powi(fraction as i32);
        let (low, high) = match (signed, wide) {
            (true, true) => (f64::from(i32::MIN), f64::from(i32::MAX)),
            (true, false) => (f64::from(i16::MIN), f64::from(i16::MAX)),
            (false, true) => (0.0, f64::from(u32::MAX)),
            (false, false) => (0.0, f64::from(u16::MAX)),
        };
        let whole = scaled.trunc();
        let expected = (whole.clamp(low, high) as i64 as u32, if whole < low || whole > high {
            Fpscr::IOC
        } else if whole != scaled {
            Fpscr::IXC
        } else {
            0
        });
        prop_assert_eq!((fpu::to_fixed(m, format, &mut fpscr), flags(fpscr)), expected);
        if wide && fraction == 0 {
            let mut fpscr = Fpscr::default();
            prop_assert_eq!((fpu::to_integer(m, signed, true, &mut fpscr), flags(fpscr)), expected);
        }
    }
}

#[test]
fn every_half_survives_the_way_to_single_and_back() {
    for alternative in [0, Fpscr::AHP] {
        for half in 0..=u16::MAX {
            let mut fpscr = Fpscr(alternative);
            let single = fpu::half_to_single(half, &mut fpscr);
            let is_nan = alternative == 0 && half & 0x7FFF > 0x7C00;
            let expected = if is_nan { half | 0x200 } else { half };
            assert_eq!(fpu::single_to_half(single, &mut fpscr), expected);
            let signalling = is_nan && half & 0x200 == 0;
            assert_eq!(flags(fpscr), if signalling { Fpscr::IOC } else { 0 }, "{half:#06x}");
        }
    }
}
