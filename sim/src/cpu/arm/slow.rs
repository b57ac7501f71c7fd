//! Instructions that the inner loop does not do in place.

use super::Core;
use super::faults::Fault;
use super::op::{Op, kind};
use crate::cpu::Mmio;

/// Whether a branch to `target` is nothing more: neither a change of state nor, in Handler mode, a return from an exception.
#[inline(always)]
pub(super) const fn is_plain_target(target: u32) -> bool {
    target & 1 == 1 && target < 0xF000_0000
}

impl Core {
    /// Executes `op`, with PC and cycle count in place before and after.
    #[inline(never)]
    pub(super) fn execute_slow<M: Mmio>(&mut self, mmio: &mut M, op: Op) {
        let at = self.pc;
        self.regs.r[15] = at.wrapping_add(4);
        self.pc = at.wrapping_add(op.len());
        let result = self.execute(mmio, op);
        self.conclude(op, at, result);
    }

    /// Counts the cycles of the instruction at `at`, or raises its fault.
    #[inline(always)]
    fn conclude(&mut self, op: Op, at: u32, result: Result<u32, Fault>) {
        match result {
            Ok(cycles) => self.cycle += u64::from(cycles),
            Err(fault) => {
                self.pc = at;
                self.fault_in(op, fault);
            }
        }
    }

    /// Answers with the cycles. The PC is the next instruction's already, R15 reads as the operand PC.
    #[inline(always)]
    fn execute<M: Mmio>(&mut self, mmio: &mut M, op: Op) -> Result<u32, Fault> {
        let kind = op.kind();
        let r = &mut self.regs.r;
        let (a, b, c, d) = (op.a(), op.b(), op.c(), op.imm() as usize & 15);
        match kind {
            kind::DP_IMM | kind::DP_IMM_C | kind::DP_SHIFT => return Ok(self.data_processing(op, kind)),
            kind::REVSH => r[a] = r[c].swap_bytes().rotate_right(16) as i16 as u32,
            kind::RBIT => r[a] = r[c].reverse_bits(),
            kind::SMULL => {
                let product = i64::from(r[b] as i32) * i64::from(r[c] as i32);
                (r[a], r[d]) = (product as u32, (product >> 32) as u32);
            }
            kind::UMLAL | kind::SMLAL => {
                let sum = u64::from(r[d]) << 32 | u64::from(r[a]);
                let product = if kind == kind::UMLAL {
                    u64::from(r[b]) * u64::from(r[c])
                } else {
                    (i64::from(r[b] as i32) * i64::from(r[c] as i32)) as u64
                };
                let sum = sum.wrapping_add(product);
                (r[a], r[d]) = (sum as u32, (sum >> 32) as u32);
            }
            kind::UDIV | kind::SDIV => return self.divide(op, kind == kind::SDIV),
            kind::LOAD_STORE..=kind::STRH_MOVE => return self.load_store(mmio, op),
            kind::LDRD | kind::STRD => return self.dual(mmio, op, kind),
            kind::LDM..=kind::PUSH => return self.multiple(mmio, op, kind),
            kind::EXCLUSIVE => return self.exclusive_access(mmio, op),
            kind::B_BACK => return Ok(self.branch_back(op)),
            kind::B_SELF => return Ok(self.branch_to_itself()),
            kind::BX | kind::BLX => return Ok(self.branch_register(mmio, op, kind)),
            kind::TBB | kind::TBH => return self.table_branch(mmio, op, kind),
            kind::DSP => return self.dsp(op),
            kind::VFP => return self.vfp_instruction(mmio, op),
            kind::COPROCESSOR => return Err(Fault::NoCoprocessor),
            _ => return self.system_instruction(op, kind),
        }
        Ok(1)
    }

    /// SDIV and UDIV (A7.7.127, A7.7.195). Between 2 and 12 cycles by how many bits the quotient has.
    fn divide(&mut self, op: Op, signed: bool) -> Result<u32, Fault> {
        let (n, m) = (self.regs.r[op.b()], self.regs.r[op.c()]);
        if m == 0 && self.scb.divide_trap() {
            return Err(Fault::DivideByZero);
        }
        let quotient = match (m, signed) {
            (0, _) => 0,
            (_, true) => (n as i32).wrapping_div(m as i32) as u32,
            (_, false) => n / m,
        };
        self.regs.r[op.a()] = quotient;
        let bits = if signed { (quotient as i32).unsigned_abs() } else { quotient };
        Ok(2 + (32 - bits.leading_zeros()).div_ceil(4).min(10))
    }

    /// `b .`: nothing happens until something else does; whole turns pass at once.
    fn branch_to_itself(&mut self) -> u32 {
        self.pc = self.regs.r[15].wrapping_sub(4);
        let turn = u64::from(self.config.timing.branch);
        let turns = self.limit.saturating_sub(self.cycle).div_ceil(turn).max(1);
        // The last turn's cycles are the caller's to add.
        self.cycle += (turns - 1) * turn;
        turn as u32
    }

    fn branch_register<M: Mmio>(&mut self, mmio: &mut M, op: Op, kind: u8) -> u32 {
        let target = self.regs.r[op.c()];
        if kind == kind::BLX {
            self.regs.r[14] = self.pc | 1;
            self.branch_without_return(target);
        } else {
            self.branch_exchange(mmio, target);
        }
        u32::from(self.config.timing.branch_register)
    }

    /// BLXWritePC (B1.4.7): bit 0 becomes the T bit.
    fn branch_without_return(&mut self, target: u32) {
        self.pc = target & !1;
        if target & 1 == 0 {
            self.regs.arm_state = true;
            self.reconsider_fetch();
        }
    }

    /// BXWritePC and LoadWritePC (B1.4.7): also returns from exceptions.
    pub(super) fn branch_exchange<M: Mmio>(&mut self, mmio: &mut M, target: u32) {
        if self.regs.handler_mode() && target >> 28 == 0xF {
            self.exception_return(mmio, target);
        } else {
            self.branch_without_return(target);
        }
    }

    /// TBB and TBH (A7.7.185): forward by twice the table's entry.
    fn table_branch<M: Mmio>(&mut self, mmio: &mut M, op: Op, kind: u8) -> Result<u32, Fault> {
        let (base, index) = (self.regs.r[op.b()], self.regs.r[op.c()]);
        let entry = if kind == kind::TBH {
            self.load(mmio, base.wrapping_add(index << 1), crate::bus::Size::Half)?
        } else {
            self.load(mmio, base.wrapping_add(index), crate::bus::Size::Byte)?
        };
        self.pc = self.regs.r[15].wrapping_add(entry << 1);
        Ok(2 + u32::from(self.config.timing.branch))
    }
}
