//! The floating-point unit of the Cortex-M4F: FPv4-SP, single precision on 32-bit patterns.
//!
//! Everything here is a pure function of its operands and the FPSCR, as the pseudocode of ARM DDI 0403E, A2.5 says
//! ("FPAdd", "FPRound" and so on) and A7.7 uses it, under each instruction's name. Registers are not its business: a
//! core passes the contents of the S registers as bit patterns and gets bit patterns back.
//!
//! What makes this unit different from a host's: cumulative exception flags, four rounding modes, flush-to-zero (a
//! denormal operand counts as zero and sets IDC, a denormal result becomes zero and sets UFC but not IXC), default-NaN
//! mode, the rules which of several NaNs is returned, and underflow that is detected *before* rounding.
//!
//! Each operation has two ways. Operands and results that are normal numbers or zeros, rounded to nearest (nearly all
//! there ever are), go through the host's arithmetic, which IEEE 754 makes the same, and whether the result was exact is
//! found without the host's flags, by error-free transformations. Everything else goes through integers.

mod arith;
mod compare;
mod convert;
mod value;

pub use arith::{vabs, vadd, vdiv, vfma, vfms, vfnma, vfnms, vmla, vmls, vmul, vneg, vnmla, vnmls, vnmul, vsqrt, vsub};
pub use compare::{vcmp, vcmpe};
pub use convert::{
    Fixed, from_fixed, from_integer, half_to_single, single_to_half, to_fixed, to_integer, vfp_expand_imm,
};

/// The default NaN (ARM DDI 0403E, A2.5.3): what an invalid operation gives.
pub const DEFAULT_NAN: u32 = 0x7FC0_0000;

/// FPSCR.RMode: how a result that does not fit is rounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Rounding {
    /// RN: to nearest, ties to even.
    Nearest,
    /// RP: towards plus infinity.
    PlusInfinity,
    /// RM: towards minus infinity.
    MinusInfinity,
    /// RZ: towards zero.
    Zero,
}

/// Floating-point Status and Control Register (ARM DDI 0403E, A2.5.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Fpscr(pub u32);

impl Fpscr {
    /// Condition flags N, Z, C, V of the last comparison, at their places in the APSR.
    pub const NZCV: u32 = 0xF000_0000;
    /// AHP: the alternative half-precision format, without infinities and NaNs.
    pub const AHP: u32 = 1 << 26;
    /// DN: every NaN result is the default NaN.
    pub const DN: u32 = 1 << 25;
    /// FZ: flush-to-zero.
    pub const FZ: u32 = 1 << 24;
    /// RMode, two bits from this one.
    pub const RMODE_SHIFT: u32 = 22;
    /// IDC: input denormal, cumulative.
    pub const IDC: u32 = 1 << 7;
    /// IXC: inexact, cumulative.
    pub const IXC: u32 = 1 << 4;
    /// UFC: underflow, cumulative.
    pub const UFC: u32 = 1 << 3;
    /// OFC: overflow, cumulative.
    pub const OFC: u32 = 1 << 2;
    /// DZC: division by zero, cumulative.
    pub const DZC: u32 = 1 << 1;
    /// IOC: invalid operation, cumulative.
    pub const IOC: u32 = 1;
    /// The bits that exist; the others read as zero.
    pub const MASK: u32 = 0xF7C0_009F;

    /// The rounding mode.
    #[must_use]
    pub fn rounding(self) -> Rounding {
        match self.0 >> Self::RMODE_SHIFT & 3 {
            0 => Rounding::Nearest,
            1 => Rounding::PlusInfinity,
            2 => Rounding::MinusInfinity,
            _ => Rounding::Zero,
        }
    }

    #[inline]
    fn rounds_to_nearest(self) -> bool {
        self.0 >> Self::RMODE_SHIFT & 3 == 0
    }

    #[inline]
    fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    #[inline]
    fn raise(&mut self, flags: u32) {
        self.0 |= flags;
    }

    /// Sets IXC if `inexact`; the check is not evaluated when the flag is set already.
    #[inline]
    fn raise_inexact_if(&mut self, inexact: impl FnOnce() -> bool) {
        if !self.has(Self::IXC) && inexact() {
            self.raise(Self::IXC);
        }
    }
}

#[cfg(test)]
mod tests;
