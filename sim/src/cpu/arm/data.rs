//! Data processing in its general form: any operation, any shift, any register (ARMv7-M ARM A5.3.1, A5.3.11, A7.4).

use super::Core;
use super::decode::{dp, shift};
use super::op::{Op, kind};

/// Shift_C (A7.4.2): the result and the carry out. An amount of 0 with ROR is RRX.
pub(super) fn shift_c(value: u32, kind: u32, amount: u32, carry: bool) -> (u32, bool) {
    let bit = |n: u32| n < 32 && value >> n & 1 == 1;
    match (kind, amount) {
        (shift::ROR, 0) => (value >> 1 | u32::from(carry) << 31, value & 1 == 1),
        (_, 0) => (value, carry),
        (shift::LSL, 1..=31) => (value << amount, bit(32 - amount)),
        (shift::LSL, _) => (0, amount == 32 && bit(0)),
        (shift::LSR, 1..=31) => (value >> amount, bit(amount - 1)),
        (shift::LSR, _) => (0, amount == 32 && bit(31)),
        (shift::ASR, 1..=31) => ((value as i32 >> amount) as u32, bit(amount - 1)),
        (shift::ASR, _) => ((value as i32 >> 31) as u32, bit(31)),
        _ => {
            let result = value.rotate_right(amount & 31);
            (result, result >> 31 == 1)
        }
    }
}

/// AddWithCarry (A2.2.1): result, carry, and overflow in bit 31.
fn add_with_carry(x: u32, y: u32, carry: bool) -> (u32, bool, u32) {
    let wide = u64::from(x) + u64::from(y) + u64::from(carry);
    let result = wide as u32;
    (result, wide >> 32 != 0, (x ^ result) & (y ^ result))
}

impl Core {
    /// `DP_IMM`, `DP_IMM_C`, `DP_SHIFT`. Answers with the cycles.
    pub(super) fn data_processing(&mut self, op: Op, kind: u8) -> u32 {
        let carry = self.regs.flags.c;
        let first = self.operand(op.b());
        if kind == kind::DP_SHIFT {
            let imm = op.imm();
            let (operand, carry) = shift_c(self.operand(op.c()), imm >> 4 & 3, imm >> 8 & 0x3F, carry);
            return self.data_operation(op, imm & 15, first, operand, carry);
        }
        let carry = if kind == kind::DP_IMM_C { op.imm() >> 31 == 1 } else { carry };
        // ADR and ADDW, SUBW with the PC as base use it word-aligned (A7.7.7); ADD PC, Rm does not (A7.7.4).
        let operation = op.c() as u32;
        let aligns = op.b() == 15 && matches!(operation, dp::ADD | dp::SUB);
        self.data_operation(op, operation, if aligns { first & !3 } else { first }, op.imm(), carry)
    }

    /// A register as an operand: R15 reads as the instruction's address + 4.
    fn operand(&self, register: usize) -> u32 {
        self.regs.r[register & 15]
    }

    fn data_operation(&mut self, op: Op, operation: u32, first: u32, operand: u32, shift_carry: bool) -> u32 {
        let (d, n, s) = (op.a(), op.b(), op.s());
        let carry = self.regs.flags.c;
        let logical = |value| (value, shift_carry, None);
        let arithmetic = |x, y, c| {
            let (value, carry, overflow) = add_with_carry(x, y, c);
            (value, carry, Some(overflow))
        };
        let (result, carry, overflow) = match operation {
            dp::AND => logical(first & operand),
            dp::BIC => logical(first & !operand),
            dp::ORR if n == 15 => logical(operand),
            dp::ORR => logical(first | operand),
            dp::ORN if n == 15 => logical(!operand),
            dp::ORN => logical(first | !operand),
            dp::EOR => logical(first ^ operand),
            dp::ADD => arithmetic(first, operand, false),
            dp::ADC => arithmetic(first, operand, carry),
            dp::SBC => arithmetic(first, !operand, carry),
            dp::SUB => arithmetic(first, !operand, true),
            _ => arithmetic(!first, operand, true),
        };
        if s {
            let flags = &mut self.regs.flags;
            flags.set_nz(result);
            flags.c = carry;
            if let Some(overflow) = overflow {
                flags.v = overflow;
            }
        }
        match d {
            // TST, TEQ, CMN and CMP.
            15 if s => 1,
            15 => {
                self.pc = result & !1;
                u32::from(self.config.timing.branch_register)
            }
            _ => {
                self.regs.set(d, result);
                1
            }
        }
    }

    /// `LSLS_REG` and its like, and `SHIFT_REG`: the amount is the lowest byte of register c.
    #[inline(never)]
    pub(super) fn shift_by_register(&mut self, op: Op, s: bool) {
        let amount = self.regs.r[op.c()] & 0xFF;
        let value = self.regs.r[op.b()];
        let (result, carry) = match amount {
            0 => (value, self.regs.flags.c),
            _ => shift_c(value, op.imm(), amount, false),
        };
        if s {
            self.regs.flags.set_nz(result);
            self.regs.flags.c = carry;
        }
        self.regs.set(op.a(), result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_by_32_and_more_follow_the_pseudocode() {
        // A2.2.1: LSL_C, LSR_C and ASR_C extend the value by the amount.
        assert_eq!(shift_c(0x8000_0001, shift::LSL, 32, false), (0, true));
        assert_eq!(shift_c(0x8000_0001, shift::LSL, 33, true), (0, false));
        assert_eq!(shift_c(0x8000_0001, shift::LSR, 32, false), (0, true));
        assert_eq!(shift_c(0x8000_0001, shift::LSR, 33, true), (0, false));
        assert_eq!(shift_c(0x8000_0001, shift::ASR, 200, false), (u32::MAX, true));
        assert_eq!(shift_c(0x8000_0001, shift::ROR, 32, false), (0x8000_0001, true));
        assert_eq!(shift_c(0x0000_0001, shift::ROR, 0, true), (0x8000_0000, true));
    }

    #[test]
    fn addition_reports_carry_and_overflow() {
        let overflow = |x, y, c| add_with_carry(x, y, c).2 >> 31;
        assert_eq!(add_with_carry(u32::MAX, 0, true).0, 0);
        assert!(add_with_carry(u32::MAX, 0, true).1);
        assert_eq!(overflow(0x7FFF_FFFF, 1, false), 1);
        assert_eq!(overflow(0x7FFF_FFFF, !1, true), 0);
        assert_eq!(overflow(0x8000_0000, !1, true), 1);
    }
}
