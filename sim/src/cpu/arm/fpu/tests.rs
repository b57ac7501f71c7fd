//! The special cases of A2.5: zeros, infinities, NaNs, modes. Rounding has its own tests in `sim/tests`.

use super::*;

const ONE: u32 = 0x3F80_0000;
const MINUS_ONE: u32 = 0xBF80_0000;
const MINUS_ZERO: u32 = 0x8000_0000;
const INFINITY: u32 = 0x7F80_0000;
const MINUS_INFINITY: u32 = 0xFF80_0000;
const SMALLEST: u32 = 0x0000_0001;
const SMALLEST_NORMAL: u32 = 0x0080_0000;
const LARGEST: u32 = 0x7F7F_FFFF;
const SIGNALLING: u32 = 0xFF80_1234;
const QUIET: u32 = 0x7FC0_5678;

fn mode(rounding: Rounding) -> Fpscr {
    Fpscr((rounding as u32) << Fpscr::RMODE_SHIFT)
}

/// A result and the FPSCR after it.
fn with(mut fpscr: Fpscr, operation: impl FnOnce(&mut Fpscr) -> u32) -> (u32, Fpscr) {
    let result = operation(&mut fpscr);
    (result, fpscr)
}

/// The result and the raised flags with a default FPSCR.
fn plain(operation: impl FnOnce(&mut Fpscr) -> u32) -> (u32, u32) {
    let (result, fpscr) = with(Fpscr::default(), operation);
    (result, fpscr.0)
}

#[test]
fn opposites_cancel_to_plus_zero_except_towards_minus_infinity() {
    // FPAdd: result_sign = if rounding_mode == '10' then '1' else '0'.
    for rounding in [Rounding::Nearest, Rounding::PlusInfinity, Rounding::Zero] {
        assert_eq!(with(mode(rounding), |f| vadd(ONE, MINUS_ONE, f)).0, 0);
        assert_eq!(with(mode(rounding), |f| vadd(0, MINUS_ZERO, f)).0, 0);
    }
    assert_eq!(with(mode(Rounding::MinusInfinity), |f| vadd(ONE, MINUS_ONE, f)).0, MINUS_ZERO);
    assert_eq!(with(mode(Rounding::MinusInfinity), |f| vfma(ONE, ONE, MINUS_ONE, f)).0, MINUS_ZERO);
    assert_eq!(plain(|f| vadd(MINUS_ZERO, MINUS_ZERO, f)), (MINUS_ZERO, 0));
}

#[test]
fn invalid_operations_give_the_default_nan_and_ioc() {
    let invalid = (DEFAULT_NAN, Fpscr::IOC);
    assert_eq!(plain(|f| vadd(INFINITY, MINUS_INFINITY, f)), invalid);
    assert_eq!(plain(|f| vsub(INFINITY, INFINITY, f)), invalid);
    assert_eq!(plain(|f| vmul(0, MINUS_INFINITY, f)), invalid);
    assert_eq!(plain(|f| vdiv(0, MINUS_ZERO, f)), invalid);
    assert_eq!(plain(|f| vdiv(INFINITY, INFINITY, f)), invalid);
    assert_eq!(plain(|f| vsqrt(MINUS_ONE, f)), invalid);
    assert_eq!(plain(|f| vfma(MINUS_INFINITY, INFINITY, ONE, f)), invalid);
}

#[test]
fn division_by_zero_is_an_exact_infinity_with_dzc() {
    assert_eq!(plain(|f| vdiv(MINUS_ONE, 0, f)), (MINUS_INFINITY, Fpscr::DZC));
    assert_eq!(plain(|f| vdiv(INFINITY, 0, f)), (INFINITY, 0));
}

#[test]
fn square_root_of_minus_zero_is_minus_zero() {
    assert_eq!(plain(|f| vsqrt(MINUS_ZERO, f)), (MINUS_ZERO, 0));
    assert_eq!(plain(|f| vsqrt(INFINITY, f)), (INFINITY, 0));
}

#[test]
fn a_signalling_nan_wins_over_an_earlier_quiet_one_and_is_quietened() {
    // FPProcessNaNs: signalling operands first, in order, then quiet ones.
    assert_eq!(plain(|f| vadd(QUIET, SIGNALLING, f)), (SIGNALLING | 1 << 22, Fpscr::IOC));
    assert_eq!(plain(|f| vmul(ONE, QUIET, f)), (QUIET, 0));
    assert_eq!(plain(|f| vdiv(QUIET, QUIET + 1, f)), (QUIET, 0));
    assert_eq!(with(Fpscr(Fpscr::DN), |f| vadd(QUIET, ONE, f)).0, DEFAULT_NAN);
}

#[test]
fn fused_multiply_add_looks_at_the_addend_first() {
    assert_eq!(plain(|f| vfma(QUIET + 1, QUIET, ONE, f)), (QUIET + 1, 0));
    // FPMulAdd: a quiet NaN as addend does not hide infinity times zero.
    assert_eq!(plain(|f| vfma(QUIET, INFINITY, 0, f)), (DEFAULT_NAN, Fpscr::IOC));
    assert_eq!(plain(|f| vfma(SIGNALLING, INFINITY, 0, f)), (SIGNALLING | 1 << 22, Fpscr::IOC));
}

#[test]
fn subtraction_keeps_the_sign_of_a_nan_and_negation_inverts_it() {
    assert_eq!(plain(|f| vsub(ONE, QUIET, f)), (QUIET, 0));
    assert_eq!(plain(|f| vfms(ONE, QUIET, ONE, f)), (QUIET | 1 << 31, 0));
    assert_eq!(vneg(QUIET), QUIET | 1 << 31);
    assert_eq!(vabs(SIGNALLING), SIGNALLING & !(1 << 31));
}

#[test]
fn flush_to_zero_takes_denormal_operands_for_zero_and_sets_idc() {
    let (result, fpscr) = with(Fpscr(Fpscr::FZ), |f| vadd(SMALLEST, MINUS_ZERO, f));
    assert_eq!((result, fpscr.0), (0, Fpscr::FZ | Fpscr::IDC));
    let (result, fpscr) = with(Fpscr(Fpscr::FZ), |f| vdiv(ONE, SMALLEST | 1 << 31, f));
    assert_eq!((result, fpscr.0), (MINUS_INFINITY, Fpscr::FZ | Fpscr::IDC | Fpscr::DZC));
}

#[test]
fn flush_to_zero_makes_tiny_results_zero_with_ufc_alone() {
    let half = 0x3F00_0000;
    let (result, fpscr) = with(Fpscr(Fpscr::FZ), |f| vmul(SMALLEST_NORMAL | 1 << 31, half, f));
    assert_eq!((result, fpscr.0), (MINUS_ZERO, Fpscr::FZ | Fpscr::UFC));
}

#[test]
fn an_exact_denormal_is_no_underflow() {
    let half = 0x3F00_0000;
    assert_eq!(plain(|f| vmul(SMALLEST_NORMAL, half, f)), (0x0040_0000, 0));
    assert_eq!(plain(|f| vmul(SMALLEST, half, f)), (0, Fpscr::UFC | Fpscr::IXC));
}

#[test]
fn underflow_is_detected_before_rounding() {
    // (1 - 2^-24) · 2^-126 rounds up to the smallest normal number, and underflows nevertheless.
    let below_one = 0x3F7F_FFFF;
    assert_eq!(plain(|f| vmul(SMALLEST_NORMAL, below_one, f)), (SMALLEST_NORMAL, Fpscr::UFC | Fpscr::IXC));
}

#[test]
fn overflow_goes_to_infinity_or_to_the_largest_number_by_mode() {
    let expected = [
        (Rounding::Nearest, INFINITY, MINUS_INFINITY),
        (Rounding::PlusInfinity, INFINITY, LARGEST | 1 << 31),
        (Rounding::MinusInfinity, LARGEST, MINUS_INFINITY),
        (Rounding::Zero, LARGEST, LARGEST | 1 << 31),
    ];
    for (rounding, positive, negative) in expected {
        let (result, fpscr) = with(mode(rounding), |f| vadd(LARGEST, LARGEST, f));
        assert_eq!((result, fpscr.0 & 0xFF), (positive, Fpscr::OFC | Fpscr::IXC));
        assert_eq!(with(mode(rounding), |f| vmul(LARGEST, LARGEST | 1 << 31, f)).0, negative);
    }
}

#[test]
fn comparison_with_a_nan_is_unordered() {
    let mut fpscr = Fpscr::default();
    vcmp(QUIET, ONE, &mut fpscr);
    assert_eq!(fpscr.0, 0b0011 << 28);
    vcmpe(ONE, QUIET, &mut fpscr);
    assert_eq!(fpscr.0, 0b0011 << 28 | Fpscr::IOC);
    vcmp(0, MINUS_ZERO, &mut fpscr);
    assert_eq!(fpscr.0, 0b0110 << 28 | Fpscr::IOC, "zeros are equal; IOC stays");
    vcmp(MINUS_INFINITY, LARGEST | 1 << 31, &mut fpscr);
    assert_eq!(fpscr.0 >> 28, 0b1000);
}

#[test]
fn conversion_to_integer_saturates_with_ioc_and_takes_nan_for_zero() {
    let two_to_31 = 0x4F00_0000;
    assert_eq!(plain(|f| to_integer(two_to_31, true, true, f)), (0x7FFF_FFFF, Fpscr::IOC));
    assert_eq!(plain(|f| to_integer(two_to_31 | 1 << 31, true, true, f)), (0x8000_0000, 0));
    assert_eq!(plain(|f| to_integer(MINUS_ONE, false, true, f)), (0, Fpscr::IOC));
    assert_eq!(plain(|f| to_integer(MINUS_INFINITY, true, true, f)), (0x8000_0000, Fpscr::IOC));
    assert_eq!(plain(|f| to_integer(QUIET, true, true, f)), (0, Fpscr::IOC));
    // -0.5 rounds to zero, which an unsigned integer holds: inexact, not invalid.
    assert_eq!(plain(|f| to_integer(0xBF00_0000, false, true, f)), (0, Fpscr::IXC));
}

#[test]
fn vcvtr_rounds_as_the_fpscr_says_and_vcvt_towards_zero() {
    let two_and_a_half = 0x4020_0000;
    let values = [Rounding::Nearest, Rounding::PlusInfinity, Rounding::MinusInfinity, Rounding::Zero]
        .map(|rounding| with(mode(rounding), |f| to_integer(two_and_a_half, true, false, f)).0);
    assert_eq!(values, [2, 3, 2, 2]);
    assert_eq!(with(mode(Rounding::PlusInfinity), |f| to_integer(two_and_a_half, true, true, f)).0, 2);
}

#[test]
fn fixed_point_of_16_bits_is_extended() {
    let format = Fixed { signed: true, bits: 16, fraction_bits: 8 };
    assert_eq!(plain(|f| to_fixed(MINUS_ONE, format, f)), (0xFFFF_FF00, 0));
    assert_eq!(plain(|f| from_fixed(0x1234_FF00, format, f)), (MINUS_ONE, 0));
}

#[test]
fn halves_of_the_alternative_format_have_no_infinity() {
    assert_eq!(with(Fpscr(Fpscr::AHP), |f| half_to_single(0x7C00, f)), (0x4780_0000, Fpscr(Fpscr::AHP)));
    let (result, fpscr) = with(Fpscr(Fpscr::AHP), |f| single_to_half(MINUS_INFINITY, f).into());
    assert_eq!((result, fpscr.0), (0xFFFF, Fpscr::AHP | Fpscr::IOC));
    let (result, fpscr) = with(Fpscr(Fpscr::AHP), |f| single_to_half(QUIET, f).into());
    assert_eq!((result, fpscr.0), (0, Fpscr::AHP | Fpscr::IOC));
}

#[test]
fn half_precision_results_are_denormal_even_with_flush_to_zero() {
    // FPRound: "if FPSCR.FZ == '1' && N != 16".
    let two_to_minus_24 = 0x3380_0000;
    assert_eq!(with(Fpscr(Fpscr::FZ), |f| single_to_half(two_to_minus_24, f).into()).0, 1);
    assert_eq!(plain(|f| single_to_half(LARGEST, f).into()), (0x7C00, Fpscr::OFC | Fpscr::IXC));
}

#[test]
fn immediates_expand_to_small_numbers() {
    assert_eq!(vfp_expand_imm(0x70), ONE);
    assert_eq!(vfp_expand_imm(0xF0), MINUS_ONE);
    assert_eq!(vfp_expand_imm(0x00), 0x4000_0000);
    assert_eq!(vfp_expand_imm(0x3F), 31.0f32.to_bits());
    assert_eq!(vfp_expand_imm(0x40), 0.125f32.to_bits());
}
