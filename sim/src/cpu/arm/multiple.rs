//! Loads and stores of several registers: LDM, STM, PUSH, POP (ARMv7-M ARM A7.7.41, A7.7.99, A7.7.159).

use super::Core;
use super::faults::Fault;
use super::loadstore::DUAL_CYCLES;
use super::op::{Op, kind};
use super::slow::is_plain_target;
use crate::bus::Size;
use crate::cpu::Mmio;

/// Registers, from R0 in bit 0 on, and where they are or go.
struct Transfer {
    list: u32,
    /// The address of the lowest one's word, and bytes in all.
    first: u32,
    total: u32,
    /// The base register and its new value.
    write_back: Option<(usize, u32)>,
}

/// The base register of `LDM`, `STM`, `PUSH` or `POP`, whether the words are below it, and whether it is written back.
#[inline(always)]
pub(super) fn base(op: Op) -> (usize, bool, bool) {
    match op.kind() {
        kind::PUSH => (13, true, true),
        kind::POP => (13, false, true),
        _ => (op.b(), op.imm() >> 17 & 1 == 1, op.imm() >> 16 & 1 == 1),
    }
}

impl Core {
    #[inline(always)]
    pub(super) fn load_word<M: Mmio>(&mut self, mmio: &mut M, address: u32) -> Result<u32, Fault> {
        match self.fast_load(address) {
            Some(bytes) => Ok(u32::from_le_bytes(bytes)),
            None => self.load(mmio, address, Size::Word),
        }
    }

    #[inline(always)]
    pub(super) fn store_word<M: Mmio>(&mut self, mmio: &mut M, address: u32, value: u32) -> Result<(), Fault> {
        if self.fast_store(address, value.to_le_bytes()) {
            return Ok(());
        }
        self.store(mmio, address, Size::Word, value)
    }

    /// What `LDM`, `STM`, `PUSH` or `POP` transfers.
    #[inline(always)]
    fn transfer(&self, op: Op) -> Transfer {
        let list = op.imm() & 0xFFFF;
        let total = list.count_ones() * 4;
        let (base, down, write_back) = base(op);
        let start = self.regs.r[base];
        let bottom = start.wrapping_sub(total);
        let (first, end) = if down { (bottom, bottom) } else { (start, start.wrapping_add(total)) };
        Transfer { list, first, total, write_back: write_back.then_some((base, end)) }
    }

    /// `LDM`, `STM`, `PUSH`, `POP`, word by word. A fault leaves the base register as it was.
    pub(super) fn multiple<M: Mmio>(&mut self, mmio: &mut M, op: Op, kind: u8) -> Result<u32, Fault> {
        let Transfer { list, first, write_back, .. } = self.transfer(op);
        if first & 3 != 0 {
            return Err(Fault::Unaligned);
        }
        let cycles = 1 + list.count_ones();
        if matches!(kind, kind::STM | kind::PUSH) {
            self.store_list(mmio, list, first)?;
            if let Some((base, end)) = write_back {
                self.regs.set(base, end);
            }
            return Ok(cycles);
        }
        self.load_list(mmio, list, first, write_back)?;
        if list >> 15 == 1 {
            self.branch_exchange(mmio, self.regs.r[15]);
            return Ok(cycles + u32::from(self.config.timing.load_pc));
        }
        Ok(cycles)
    }

    /// `LDRD`, `STRD`, `LDM`, `STM`, `PUSH` and `POP`, if an open window has all of the words. Where the program goes on, which is
    /// at `next` unless the PC is loaded, and the cycles. Nothing is done if not.
    #[inline(never)]
    pub(super) fn several(&mut self, op: Op, next: u32) -> Option<(u32, u32)> {
        if matches!(op.kind(), kind::LDRD | kind::STRD) {
            return self.fast_dual(op).then_some((next, DUAL_CYCLES));
        }
        let Transfer { list, first, total, write_back } = self.transfer(op);
        if first & 3 != 0 {
            return None;
        }
        let Core { fast, memory, regs, config, .. } = self;
        let mut result = (next, 1 + total / 4);
        let mut rest = list;
        if matches!(op.kind(), kind::STM | kind::PUSH) {
            // If nobody wants to see them.
            let bytes = fast.stores.span(first, total).and_then(|at| memory.plain_run_mut(at, total))?;
            for word in bytes.as_chunks_mut::<4>().0 {
                *word = regs.r[rest.trailing_zeros() as usize & 15].to_le_bytes();
                rest &= rest.wrapping_sub(1);
            }
            if let Some((base, end)) = write_back {
                regs.set(base, end);
            }
            return Some(result);
        }
        let at = fast.ram.span(first, total).or_else(|| fast.flash.span(first, total))?;
        let words = memory.run(at, total)?.as_chunks::<4>().0;
        if list >> 15 == 1 {
            let target =
                words.last().map(|word| u32::from_le_bytes(*word)).filter(|target| is_plain_target(*target))?;
            result = (target & !1, result.1 + u32::from(config.timing.load_pc));
        }
        // A base register that is in the list is loaded.
        if let Some((base, end)) = write_back {
            regs.set(base, end);
        }
        for word in words {
            regs.set(rest.trailing_zeros() as usize, u32::from_le_bytes(*word));
            rest &= rest.wrapping_sub(1);
        }
        Some(result)
    }

    /// Loads the registers of `list`, and a new value of the base register before those. R15 is where a new PC ends up. Nothing
    /// is changed if one of the words faults.
    fn load_list<M: Mmio>(
        &mut self,
        mmio: &mut M,
        list: u32,
        first: u32,
        write_back: Option<(usize, u32)>,
    ) -> Result<(), Fault> {
        let mut values = [0; 16];
        let mut address = first;
        let mut rest = list;
        while rest != 0 {
            values[rest.trailing_zeros() as usize & 15] = self.load_word(mmio, address)?;
            address = address.wrapping_add(4);
            rest &= rest - 1;
        }
        if let Some((base, end)) = write_back {
            self.regs.set(base, end);
        }
        let mut rest = list;
        while rest != 0 {
            let index = rest.trailing_zeros() as usize;
            self.regs.set(index, values[index & 15]);
            rest &= rest - 1;
        }
        Ok(())
    }

    fn store_list<M: Mmio>(&mut self, mmio: &mut M, list: u32, first: u32) -> Result<(), Fault> {
        let mut address = first;
        let mut rest = list;
        while rest != 0 {
            let value = self.regs.r[rest.trailing_zeros() as usize & 15];
            self.store_word(mmio, address, value)?;
            address = address.wrapping_add(4);
            rest &= rest - 1;
        }
        Ok(())
    }
}
