//! Loads and stores of several registers: LDM, STM, PUSH, POP (ARMv7-M ARM A7.7.41, A7.7.99, A7.7.159).

use super::Core;
use super::faults::Fault;
use super::loadstore::DUAL_CYCLES;
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
            if !self.store_list_at_once(list, first, total) {
                self.store_list(mmio, list, first)?;
            }
            if write_back {
                self.regs.set(base, end);
            }
            return Ok(cycles);
        }
        let write_back = write_back.then_some((base, end));
        if !self.load_list_at_once(list, first, total, write_back) {
            self.load_list(mmio, list, first, write_back)?;
        }
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
        let list = op.imm() & 0xFFFF;
        let count = list.count_ones();
        match op.kind() {
            kind::LDRD | kind::STRD => return self.fast_dual(op).then_some((next, DUAL_CYCLES)),
            kind::PUSH => {
                let bottom = self.regs.r[13].wrapping_sub(4 * count);
                if bottom & 3 != 0 || !self.store_list_at_once(list, bottom, 4 * count) {
                    return None;
                }
                self.regs.r[13] = bottom;
            }
            kind::POP => return self.fast_pop(list, count, next),
            kind => {
                let base = op.b();
                let start = self.regs.r[base];
                let down = op.imm() >> 17 & 1 == 1;
                let first = if down { start.wrapping_sub(4 * count) } else { start };
                if first & 3 != 0 || list >> 15 == 1 {
                    return None;
                }
                let end = if down { first } else { start.wrapping_add(4 * count) };
                let end = (op.imm() >> 16 & 1 == 1).then_some((base, end));
                if kind == kind::LDM {
                    return self.load_list_at_once(list, first, 4 * count, end).then_some((next, 1 + count));
                }
                if !self.store_list_at_once(list, first, 4 * count) {
                    return None;
                }
                if let Some((base, end)) = end {
                    self.regs.set(base, end);
                }
            }
        }
        Some((next, 1 + count))
    }

    /// `POP`; not of a PC that is no address in Thumb state.
    #[inline(always)]
    fn fast_pop(&mut self, list: u32, count: u32, next: u32) -> Option<(u32, u32)> {
        let Core { fast, memory, regs, config, .. } = self;
        let bottom = regs.r[13];
        let at = fast.ram.span(bottom, 4 * count).filter(|_| bottom & 3 == 0)?;
        let words = memory.run(at, 4 * count)?.as_chunks::<4>().0;
        let mut result = (next, 1 + count);
        if list >> 15 == 1 {
            let target = u32::from_le_bytes(*words.last()?);
            if target & 1 == 0 || target >= 0xF000_0000 {
                return None;
            }
            result = (target & !1, 1 + count + u32::from(config.timing.load_pc));
        }
        if list >> 13 & 1 == 1 {
            return None;
        }
        regs.r[13] = bottom.wrapping_add(4 * count);
        let mut rest = list;
        for word in words {
            regs.r[rest.trailing_zeros() as usize & 15] = u32::from_le_bytes(*word);
            rest &= rest.wrapping_sub(1);
        }
        Some(result)
    }

    /// Loads the registers of `list`, and a new value of the base register before those, if all of the words are behind one
    /// open window. R15 is where a new PC ends up.
    #[inline(always)]
    fn load_list_at_once(&mut self, list: u32, first: u32, total: u32, write_back: Option<(usize, u32)>) -> bool {
        let Core { fast, memory, regs, .. } = self;
        let Some(at) = fast.ram.span(first, total).or_else(|| fast.flash.span(first, total)) else { return false };
        let Some(bytes) = memory.run(at, total) else { return false };
        if let Some((base, end)) = write_back {
            regs.set(base, end);
        }
        let mut rest = list;
        for word in bytes.as_chunks::<4>().0 {
            regs.set(rest.trailing_zeros() as usize, u32::from_le_bytes(*word));
            rest &= rest.wrapping_sub(1);
        }
        true
    }

    /// The same word by word. Nothing is changed if one of them faults.
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

    /// Stores the registers of `list` if all of the words are behind the open window, and nobody wants to see them.
    #[inline(always)]
    fn store_list_at_once(&mut self, list: u32, first: u32, total: u32) -> bool {
        let Core { fast, memory, regs, .. } = self;
        let Some(bytes) = fast.stores.span(first, total).and_then(|at| memory.plain_run_mut(at, total)) else {
            return false;
        };
        let mut rest = list;
        for word in bytes.as_chunks_mut::<4>().0 {
            *word = regs.r[rest.trailing_zeros() as usize & 15].to_le_bytes();
            rest &= rest.wrapping_sub(1);
        }
        true
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
