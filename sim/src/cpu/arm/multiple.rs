//! Loads and stores of several registers: LDM, STM, PUSH, POP (ARMv7-M ARM A7.7.41, A7.7.99, A7.7.159).

use super::Core;
use super::faults::Fault;
use super::op::{Op, kind};
use crate::bus::Size;
use crate::cpu::Mmio;

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

    /// `LDM`, `STM`, `PUSH`, `POP`. A fault leaves the base register as it was.
    pub(super) fn multiple<M: Mmio>(&mut self, mmio: &mut M, op: Op, kind: u8) -> Result<u32, Fault> {
        let list = op.imm() & 0xFFFF;
        let total = list.count_ones() * 4;
        let (base, down, write_back) = match kind {
            kind::PUSH => (13, true, true),
            kind::POP => (13, false, true),
            _ => (op.b(), op.imm() >> 17 & 1 == 1, op.imm() >> 16 & 1 == 1),
        };
        let start = self.regs.r[base];
        let (first, end) = if down {
            let bottom = start.wrapping_sub(total);
            (bottom, bottom)
        } else {
            (start, start.wrapping_add(total))
        };
        if first & 3 != 0 {
            return Err(Fault::Unaligned);
        }
        let cycles = 1 + list.count_ones();
        if matches!(kind, kind::STM | kind::PUSH) {
            self.store_list(mmio, list, first)?;
            if write_back {
                self.regs.set(base, end);
            }
            return Ok(cycles);
        }
        let mut values = [0; 16];
        let mut address = first;
        let mut rest = list;
        while rest != 0 {
            values[rest.trailing_zeros() as usize & 15] = self.load_word(mmio, address)?;
            address = address.wrapping_add(4);
            rest &= rest - 1;
        }
        if write_back {
            self.regs.set(base, end);
        }
        let mut rest = list & 0x7FFF;
        while rest != 0 {
            let index = rest.trailing_zeros() as usize;
            self.regs.set(index, values[index & 15]);
            rest &= rest - 1;
        }
        if list >> 15 == 1 {
            self.branch_exchange(mmio, values[15]);
            return Ok(cycles + u32::from(self.config.timing.load_pc));
        }
        Ok(cycles)
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
