//! What translated code has done otherwise: one instruction as the interpreter executes it.

use super::super::loadstore::Width;
use super::super::op::{Op, kind};
use super::super::{Core, State};
use super::code::field;
use crate::cpu::Mmio;

/// Instead of a number of cycles: the instruction is the block's last, and goes anywhere.
pub(super) const ELSEWHERE: u32 = u32::MAX;

/// Executes `op` at the PC. True if translated code may go on: with the next instruction, if what comes before the last
/// one of the block takes `rest` cycles, or (with [`ELSEWHERE`]) at the PC.
///
/// # Safety
/// `core` is the core that executes translated code, and `links` its links, whose bus is an `M` that nobody else refers to.
pub(super) unsafe extern "sysv64" fn aside<M: Mmio>(core: *mut Core, links: *const u64, op: u64, rest: u32) -> bool {
    // SAFETY: translated code runs on behalf of `Core::run_translated`, which has both exclusively, and waits for it.
    let (core, mmio) = unsafe { (&mut *core, &mut *(*links.add(field::BUS as usize / 8) as *mut M)) };
    let op = Op(op);
    let next = core.pc.wrapping_add(op.len());
    core.execute_otherwise(mmio, op);
    let (there, rest) = match rest {
        ELSEWHERE => (core.regs.itstate == 0, 0),
        rest => (core.pc == next, rest),
    };
    there && core.cycle + u64::from(rest) < core.limit && core.translated_is_valid()
}

impl Core {
    fn execute_otherwise<M: Mmio>(&mut self, mmio: &mut M, op: Op) {
        let base = self.regs.r[op.b()];
        let at_imm = base.wrapping_add(op.imm());
        let at_reg = base.wrapping_add(self.regs.r[op.c()] << (op.imm() & 3));
        let at_pc = (self.pc.wrapping_add(4) & !3).wrapping_add(op.imm());
        match op.kind() {
            kind::LDR_IMM => self.load_slow(mmio, op, at_imm, Width::Word),
            kind::LDRB_IMM => self.load_slow(mmio, op, at_imm, Width::Byte),
            kind::LDRH_IMM => self.load_slow(mmio, op, at_imm, Width::Half),
            kind::LDRSB_IMM => self.load_slow(mmio, op, at_imm, Width::SignedByte),
            kind::LDRSH_IMM => self.load_slow(mmio, op, at_imm, Width::SignedHalf),
            kind::STR_IMM => self.store_slow(mmio, op, at_imm, Width::Word),
            kind::STRB_IMM => self.store_slow(mmio, op, at_imm, Width::Byte),
            kind::STRH_IMM => self.store_slow(mmio, op, at_imm, Width::Half),
            kind::LDR_REG => self.load_slow(mmio, op, at_reg, Width::Word),
            kind::LDRB_REG => self.load_slow(mmio, op, at_reg, Width::Byte),
            kind::LDRH_REG => self.load_slow(mmio, op, at_reg, Width::Half),
            kind::LDRSB_REG => self.load_slow(mmio, op, at_reg, Width::SignedByte),
            kind::LDRSH_REG => self.load_slow(mmio, op, at_reg, Width::SignedHalf),
            kind::STR_REG => self.store_slow(mmio, op, at_reg, Width::Word),
            kind::STRB_REG => self.store_slow(mmio, op, at_reg, Width::Byte),
            kind::STRH_REG => self.store_slow(mmio, op, at_reg, Width::Half),
            kind::LDR_LIT => self.load_slow(mmio, op, at_pc, Width::Word),
            kind::LDRD..=kind::PUSH => match self.several(op, self.pc.wrapping_add(op.len())) {
                Some((next, cycles)) => {
                    self.pc = next;
                    self.cycle += u64::from(cycles);
                }
                None => self.execute_slow(mmio, op),
            },
            kind::LSLS_REG..=kind::SHIFT_REG => {
                self.shift_by_register(op, op.kind() != kind::SHIFT_REG || op.s());
                self.pc = self.pc.wrapping_add(op.len());
                self.cycle += 1;
            }
            _ => self.execute_slow(mmio, op),
        }
    }

    /// Whether translated code is still what it was made from, and whether its windows are open.
    pub(super) fn translated_is_valid(&self) -> bool {
        let (jit, fast) = (&self.jit, &self.fast);
        self.state == State::Running
            && !jit.forgotten
            && jit.flash_changes == self.memory.flash_changes()
            && fast.flash.is(&jit.flash)
            && fast.fetch.is(&jit.flash)
            && fast.ram.is(&jit.ram)
            && fast.stores.is(&jit.ram)
            && !self.spin.looks()
    }
}
