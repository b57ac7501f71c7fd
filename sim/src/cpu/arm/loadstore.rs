//! Single loads and stores that do not go through a fast window, and the rarer forms of them.

use super::Core;
use super::bus::Rights;
use super::faults::Fault;
use super::op::{Op, kind};
use crate::bus::Size;
use crate::cpu::Mmio;

/// What a load brings or a store takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Width {
    Word,
    Half,
    SignedHalf,
    Byte,
    SignedByte,
}

impl Width {
    /// From two bits of size (byte, half-word, word) and one of sign.
    pub const fn new(size: u32, signed: bool) -> Width {
        match (size, signed) {
            (0, false) => Width::Byte,
            (0, true) => Width::SignedByte,
            (1, false) => Width::Half,
            (1, true) => Width::SignedHalf,
            _ => Width::Word,
        }
    }

    pub fn size(self) -> Size {
        match self {
            Width::Word => Size::Word,
            Width::Half | Width::SignedHalf => Size::Half,
            Width::Byte | Width::SignedByte => Size::Byte,
        }
    }

    fn extend(self, value: u32) -> u32 {
        match self {
            Width::SignedHalf => value as i16 as u32,
            Width::SignedByte => value as i8 as u32,
            _ => value,
        }
    }

    fn truncate(self, value: u32) -> u32 {
        match self.size() {
            Size::Word => value,
            Size::Half => value & 0xFFFF,
            Size::Byte => value & 0xFF,
        }
    }
}

/// The immediate of `LOAD_STORE`, `LDRD` and `STRD`: how the address comes about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addressing(pub u32);

impl Addressing {
    /// The base is the word-aligned PC.
    pub const LITERAL: u32 = 1 << 23;
    /// The offset is register c shifted left by imm[1:0].
    pub const REGISTER: u32 = 1 << 24;
    /// LDRT, STRT and the like.
    pub const UNPRIVILEGED: u32 = 1 << 22;
    const LOAD: u32 = 1 << 18;
    const INDEX: u32 = 1 << 16;
    const WRITE_BACK: u32 = 1 << 17;

    /// Signed 16-bit offset, applied before the access (`index`) or after, written back or not.
    pub fn new(offset: i32, index: bool, write_back: bool) -> Addressing {
        Addressing(offset as u32 & 0xFFFF | u32::from(index) << 16 | u32::from(write_back) << 17)
    }

    pub fn with_access(self, load: bool, size: u32, signed: bool) -> Addressing {
        Addressing(self.0 | u32::from(load) << 18 | size << 19 | u32::from(signed) << 21)
    }

    /// The offset is applied before the access.
    #[inline(always)]
    pub fn indexes(self) -> bool {
        self.is(Addressing::INDEX)
    }

    /// The base register becomes the sum of it and the offset.
    pub fn writes_back(self) -> bool {
        self.is(Addressing::WRITE_BACK)
    }

    #[inline(always)]
    fn is(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    fn width(self) -> Width {
        Width::new(self.0 >> 19 & 3, self.0 >> 21 & 1 == 1)
    }
}

/// Whether a `LOAD_STORE` loads.
pub(super) fn is_load(op: Op) -> bool {
    Addressing(op.imm()).is(Addressing::LOAD)
}

/// What `LDRD` and `STRD` take.
pub(super) const DUAL_CYCLES: u32 = 3;

impl Core {
    /// One of the frequent loads whose address no window covers.
    #[inline(never)]
    pub(super) fn load_slow<M: Mmio>(&mut self, mmio: &mut M, op: Op, address: u32, width: Width) {
        let size = width.size();
        let result = if self.straight_to_peripheral(address, size) {
            self.peripheral_read(mmio, address, size, false).map_err(Fault::from)
        } else {
            self.load(mmio, address, size)
        };
        match result {
            Ok(value) => {
                self.regs.r[op.a()] = width.extend(value);
                self.pc = self.pc.wrapping_add(op.len());
                self.cycle += u64::from(self.config.timing.load);
            }
            Err(fault) => self.fault_in(op, fault),
        }
    }

    /// One of the frequent stores whose address no window covers.
    #[inline(never)]
    pub(super) fn store_slow<M: Mmio>(&mut self, mmio: &mut M, op: Op, address: u32, width: Width) {
        let value = width.truncate(self.regs.r[op.a()]);
        let size = width.size();
        let result = if self.straight_to_peripheral(address, size) {
            self.peripheral_write(mmio, address, size, value, false).map_err(Fault::from)
        } else {
            self.store(mmio, address, size, value)
        };
        match result {
            Ok(()) => {
                self.pc = self.pc.wrapping_add(op.len());
                self.cycle += u64::from(self.config.timing.store);
            }
            Err(fault) => self.fault_in(op, fault),
        }
    }

    /// The address of an access, and what the base register becomes.
    fn address(&self, op: Op, addressing: Addressing) -> (u32, Option<u32>) {
        let base = if addressing.is(Addressing::LITERAL) { self.regs.r[15] & !3 } else { self.regs.r[op.b()] };
        let offset = if addressing.is(Addressing::REGISTER) {
            self.regs.r[op.c()] << (addressing.0 & 3)
        } else {
            addressing.0 as i16 as u32
        };
        let moved = base.wrapping_add(offset);
        let address = if addressing.is(Addressing::INDEX) { moved } else { base };
        (address, addressing.is(Addressing::WRITE_BACK).then_some(moved))
    }

    /// `LOAD_STORE`: any single load or store.
    pub(super) fn load_store<M: Mmio>(&mut self, mmio: &mut M, op: Op) -> Result<u32, Fault> {
        let addressing = Addressing(op.imm());
        let (address, write_back) = self.address(op, addressing);
        let width = addressing.width();
        let rights = if addressing.is(Addressing::UNPRIVILEGED) { Rights::UNPRIVILEGED } else { self.rights() };
        if !addressing.is(Addressing::LOAD) {
            let value = width.truncate(self.regs.r[op.a()]);
            self.store_as(mmio, address, width.size(), value, rights)?;
            if let Some(base) = write_back {
                self.regs.set(op.b(), base);
            }
            return Ok(u32::from(self.config.timing.store));
        }
        if op.a() == 15 && address & 3 != 0 {
            return Err(Fault::Unaligned);
        }
        let value = width.extend(self.load_as(mmio, address, width.size(), rights)?);
        if let Some(base) = write_back {
            self.regs.set(op.b(), base);
        }
        let timing = self.config.timing;
        if op.a() == 15 {
            self.branch_exchange(mmio, value);
            return Ok(u32::from(timing.load + timing.load_pc));
        }
        self.regs.set(op.a(), value);
        Ok(u32::from(timing.load))
    }

    /// `LDRD` and `STRD`, if open windows have both words. Nothing is done if not.
    #[inline(always)]
    pub(super) fn fast_dual(&mut self, op: Op) -> bool {
        let addressing = Addressing(op.imm());
        // R15 is not in place here.
        if addressing.is(Addressing::LITERAL) {
            return false;
        }
        let (address, write_back) = self.address(op, addressing);
        if op.kind() == kind::LDRD {
            let (low, high) = (self.fast_load(address), self.fast_load(address.wrapping_add(4)));
            let (Some(low), Some(high)) = (low, high) else { return false };
            self.regs.set(op.a(), u32::from_le_bytes(low));
            self.regs.set(op.c(), u32::from_le_bytes(high));
        } else {
            let at = self.fast.stores.span(address, 8).filter(|_| address & 3 == 0);
            let Some(bytes) = at.and_then(|at| self.memory.plain_run_mut(at, 8)) else { return false };
            let [low, high] = [op.a(), op.c()].map(|register| self.regs.r[register].to_le_bytes());
            if let [first, second] = bytes.as_chunks_mut::<4>().0 {
                (*first, *second) = (low, high);
            }
        }
        if let Some(base) = write_back {
            self.regs.set(op.b(), base);
        }
        true
    }

    /// `LDRD` and `STRD`.
    pub(super) fn dual<M: Mmio>(&mut self, mmio: &mut M, op: Op, kind: u8) -> Result<u32, Fault> {
        let (address, write_back) = self.address(op, Addressing(op.imm()));
        if address & 3 != 0 {
            return Err(Fault::Unaligned);
        }
        let second = address.wrapping_add(4);
        if kind == kind::LDRD {
            let low = self.load_word(mmio, address)?;
            let high = self.load_word(mmio, second)?;
            self.regs.set(op.a(), low);
            self.regs.set(op.c(), high);
        } else {
            self.store_word(mmio, address, self.regs.r[op.a()])?;
            self.store_word(mmio, second, self.regs.r[op.c()])?;
        }
        if let Some(base) = write_back {
            self.regs.set(op.b(), base);
        }
        Ok(DUAL_CYCLES)
    }

    /// `EXCLUSIVE`: LDREX, STREX and their byte and half-word forms (A7.7.52 and on).
    pub(super) fn exclusive_access<M: Mmio>(&mut self, mmio: &mut M, op: Op) -> Result<u32, Fault> {
        let raw = op.imm();
        let (t, base) = ((raw >> 12 & 15) as usize, self.regs.r[(raw >> 16 & 15) as usize]);
        // LDREX and STREX proper have an offset; the others a size in bits 5:4, 0 or 1.
        let word = raw >> 23 & 1 == 0;
        let width = if word { Width::Word } else { Width::new(raw >> 4 & 3, false) };
        let address = if word { base.wrapping_add((raw & 0xFF) << 2) } else { base };
        if address & (width.size().bytes() - 1) != 0 {
            return Err(Fault::Unaligned);
        }
        if raw >> 20 & 1 == 1 {
            let value = self.load(mmio, address, width.size())?;
            self.exclusive = true;
            self.regs.set(t, value);
            return Ok(2);
        }
        let d = if word { raw >> 8 & 15 } else { raw & 15 } as usize;
        let open = self.exclusive;
        if open {
            self.store(mmio, address, width.size(), width.truncate(self.regs.r[t]))?;
            self.exclusive = false;
        }
        self.regs.set(d, u32::from(!open));
        Ok(2)
    }
}
