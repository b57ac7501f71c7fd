//! Decoding of the floating-point instructions (ARMv7-M ARM A6.4 to A6.7) to the functions of [`super::fpu`], and the
//! floating-point context (B1.5.7).

use super::Core;
use super::bus::Rights;
use super::faults::Fault;
use super::fpu::{self, Fixed, Fpscr};
use super::op::Op;
use crate::bus::Size;
use crate::cpu::Mmio;

/// FPCCR bits.
pub(super) mod fpccr {
    pub const ASPEN: u32 = 1 << 31;
    pub const LSPEN: u32 = 1 << 30;
    pub const MONRDY: u32 = 1 << 8;
    pub const BFRDY: u32 = 1 << 6;
    pub const MMRDY: u32 = 1 << 5;
    pub const HFRDY: u32 = 1 << 4;
    pub const THREAD: u32 = 1 << 3;
    pub const USER: u32 = 1 << 1;
    pub const LSPACT: u32 = 1 << 0;
}

/// FPDSCR: AHP, DN, FZ, RMode.
pub(super) const FPDSCR_MASK: u32 = 0x07C0_0000;

/// Floating-point registers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Vfp {
    pub s: [u32; 32],
    pub fpscr: Fpscr,
    pub fpccr: u32,
    pub fpcar: u32,
    pub fpdscr: u32,
}

impl Default for Vfp {
    fn default() -> Vfp {
        Vfp { s: [0; 32], fpscr: Fpscr(0), fpccr: fpccr::ASPEN | fpccr::LSPEN, fpcar: 0, fpdscr: 0 }
    }
}

impl Vfp {
    /// The 17 words of an extended frame: S0 to S15 and FPSCR.
    pub fn frame(&self) -> impl Iterator<Item = u32> + use<> {
        let mut words = [0; 17];
        words[..16].copy_from_slice(&self.s[..16]);
        words[16] = self.fpscr.0;
        words.into_iter()
    }
}

/// Register numbers of an instruction on single registers.
fn single(raw: u32, field: u32, extra: u32) -> usize {
    ((raw >> field & 15) << 1 | raw >> extra & 1) as usize
}

impl Core {
    /// `VFP`: imm is the encoding.
    pub(super) fn vfp_instruction<M: Mmio>(&mut self, mmio: &mut M, op: Op) -> Result<u32, Fault> {
        let raw = op.imm();
        self.check_fp(mmio)?;
        if raw >> 28 & 1 == 1 {
            return Err(Fault::Undefined);
        }
        match (raw >> 24 & 15, raw >> 4 & 1) {
            (0b1110, 0) => self.vfp_data(raw).ok_or(Fault::Undefined),
            (0b1110, _) => self.vfp_transfer(raw).ok_or(Fault::Undefined),
            (0b1100, _) if raw >> 21 & 7 == 0b010 => self.vfp_transfer_two(raw).ok_or(Fault::Undefined),
            _ => self.vfp_load_store(mmio, raw),
        }
    }

    /// ExecuteFPCheck (B1.5.7).
    fn check_fp<M: Mmio>(&mut self, mmio: &mut M) -> Result<(), Fault> {
        let access = self.scb.cpacr >> 20 & 3;
        if access == 0 || (access == 1 && !self.regs.privileged()) {
            return Err(Fault::NoCoprocessor);
        }
        if self.vfp.fpccr & fpccr::LSPACT != 0 {
            self.preserve_fp_state(mmio)?;
        }
        if self.vfp.fpccr & fpccr::ASPEN != 0 && !self.regs.fp_active {
            self.vfp.fpscr = Fpscr(self.vfp.fpdscr & FPDSCR_MASK);
            self.regs.fp_active = true;
        }
        Ok(())
    }

    /// PreserveFPState: the lazy part of an exception's stacking.
    fn preserve_fp_state<M: Mmio>(&mut self, mmio: &mut M) -> Result<(), Fault> {
        let rights = if self.vfp.fpccr & fpccr::USER != 0 { Rights::UNPRIVILEGED } else { Rights::PRIVILEGED };
        let address = self.vfp.fpcar;
        for (offset, word) in (0..).step_by(4).zip(self.vfp.frame()) {
            self.store_aligned(mmio, address.wrapping_add(offset), Size::Word, word, rights).map_err(Fault::lazy)?;
        }
        self.vfp.fpccr &= !fpccr::LSPACT;
        Ok(())
    }

    /// Data processing (A6.5). Answers with the cycles.
    fn vfp_data(&mut self, raw: u32) -> Option<u32> {
        let (d, n, m) = (single(raw, 12, 22), single(raw, 16, 7), single(raw, 0, 5));
        let opcode = raw >> 20 & 0b1011;
        if opcode == 0b1011 {
            return self.vfp_other(raw);
        }
        if raw >> 8 & 1 == 1 {
            return None;
        }
        let Vfp { s, fpscr, .. } = &mut self.vfp;
        let (acc, n, m) = (s[d], s[n], s[m]);
        let (value, cycles) = match (opcode, raw >> 6 & 1) {
            (0b0000, 0) => (fpu::vmla(acc, n, m, fpscr), 3),
            (0b0000, _) => (fpu::vmls(acc, n, m, fpscr), 3),
            (0b0001, 0) => (fpu::vnmls(acc, n, m, fpscr), 3),
            (0b0001, _) => (fpu::vnmla(acc, n, m, fpscr), 3),
            (0b0010, 0) => (fpu::vmul(n, m, fpscr), 1),
            (0b0010, _) => (fpu::vnmul(n, m, fpscr), 1),
            (0b0011, 0) => (fpu::vadd(n, m, fpscr), 1),
            (0b0011, _) => (fpu::vsub(n, m, fpscr), 1),
            (0b1000, 0) => (fpu::vdiv(n, m, fpscr), 14),
            (0b1001, 0) => (fpu::vfnms(acc, n, m, fpscr), 3),
            (0b1001, _) => (fpu::vfnma(acc, n, m, fpscr), 3),
            (0b1010, 0) => (fpu::vfma(acc, n, m, fpscr), 3),
            (0b1010, _) => (fpu::vfms(acc, n, m, fpscr), 3),
            _ => return None,
        };
        s[d] = value;
        Some(cycles)
    }

    /// Moves, comparisons, conversions and square root (A6.5, table A6-5).
    fn vfp_other(&mut self, raw: u32) -> Option<u32> {
        let (d, m) = (single(raw, 12, 22), single(raw, 0, 5));
        let Vfp { s, fpscr, .. } = &mut self.vfp;
        let (opc2, top, low) = (raw >> 16 & 15, raw >> 7 & 1 == 1, raw >> 6 & 1 == 1);
        if raw >> 8 & 1 == 1 {
            return None;
        }
        if !low {
            s[d] = fpu::vfp_expand_imm((raw >> 12 & 0xF0 | raw & 15) as u8);
            return Some(1);
        }
        let operand = s[m];
        s[d] = match (opc2, top) {
            (0, false) => operand,
            (0, true) => fpu::vabs(operand),
            (1, false) => fpu::vneg(operand),
            (1, true) => {
                s[d] = fpu::vsqrt(operand, fpscr);
                return Some(14);
            }
            (2, _) => fpu::half_to_single((operand >> if top { 16 } else { 0 }) as u16, fpscr),
            (3, _) => {
                let shift = if top { 16 } else { 0 };
                let half = u32::from(fpu::single_to_half(operand, fpscr));
                s[d] & !(0xFFFF << shift) | half << shift
            }
            (4 | 5, _) => {
                let operand = if opc2 == 5 { 0 } else { operand };
                if top {
                    fpu::vcmpe(s[d], operand, fpscr);
                } else {
                    fpu::vcmp(s[d], operand, fpscr);
                }
                return Some(1);
            }
            (8, signed) => fpu::from_integer(operand, signed, fpscr),
            (12 | 13, toward_zero) => fpu::to_integer(operand, opc2 & 1 == 1, toward_zero, fpscr),
            (10 | 11 | 14 | 15, wide) => {
                let bits: u32 = if wide { 32 } else { 16 };
                let fraction_bits = bits.checked_sub((raw & 15) << 1 | raw >> 5 & 1)?;
                let format = Fixed { signed: opc2 & 1 == 0, bits, fraction_bits };
                if opc2 & 4 != 0 { fpu::to_fixed(s[d], format, fpscr) } else { fpu::from_fixed(s[d], format, fpscr) }
            }
            _ => return None,
        };
        Some(1)
    }

    /// Between a core register and the FPU (A6.7).
    fn vfp_transfer(&mut self, raw: u32) -> Option<u32> {
        let to_core = raw >> 20 & 1 == 1;
        let t = (raw >> 12 & 15) as usize;
        let scalar = raw >> 8 & 1 == 1;
        match (raw >> 21 & 7, scalar) {
            (0, false) => self.move_single(single(raw, 16, 7), t, to_core),
            // One half of a D register; there are 16 of them.
            (half @ (0 | 1), true) if raw >> 7 & 1 == 0 => {
                self.move_single(((raw >> 16 & 15) << 1 | half) as usize, t, to_core);
            }
            (7, false) if raw >> 16 & 15 == 1 => match (to_core, t) {
                (true, 15) => {
                    let nzcv = self.vfp.fpscr.0 & Fpscr::NZCV;
                    self.regs.flags = super::registers::Flags::from_apsr(nzcv);
                }
                (true, _) => self.regs.set(t, self.vfp.fpscr.0),
                (false, _) => self.vfp.fpscr = Fpscr(self.regs.r[t] & Fpscr::MASK),
            },
            _ => return None,
        }
        Some(1)
    }

    fn move_single(&mut self, s: usize, t: usize, to_core: bool) {
        if to_core {
            self.regs.set(t, self.vfp.s[s & 31]);
        } else {
            self.vfp.s[s & 31] = self.regs.r[t];
        }
    }

    /// Between two core registers and two single registers or one double (A6.8).
    fn vfp_transfer_two(&mut self, raw: u32) -> Option<u32> {
        if raw >> 22 & 1 == 0 || raw & 0xD0 != 0x10 {
            return None;
        }
        let to_core = raw >> 20 & 1 == 1;
        let first = if raw >> 8 & 1 == 0 { single(raw, 0, 5) } else { double(raw >> 5, raw)? };
        self.move_single(first, (raw >> 12 & 15) as usize, to_core);
        self.move_single(first + 1, (raw >> 16 & 15) as usize, to_core);
        Some(2)
    }

    /// VLDR, VSTR, VLDM, VSTM, VPUSH, VPOP (A6.6).
    fn vfp_load_store<M: Mmio>(&mut self, mmio: &mut M, raw: u32) -> Result<u32, Fault> {
        let bit = |index: u32| raw >> index & 1 == 1;
        let (index, up, write_back, load) = (bit(24), bit(23), bit(21), bit(20));
        let is_double = bit(8);
        let first = if is_double { double(raw >> 22, raw >> 12).ok_or(Fault::Undefined)? } else { single(raw, 12, 22) };
        let n = (raw >> 16 & 15) as usize;
        let base = if n == 15 { self.regs.r[15] & !3 } else { self.regs.r[n] };
        let bytes = (raw & 0xFF) << 2;
        let moved = if up { base.wrapping_add(bytes) } else { base.wrapping_sub(bytes) };
        let (address, count, write_back) = match (index, up, write_back) {
            (true, _, false) => (moved, if is_double { 2 } else { 1 }, false),
            (false, true, _) => (base, (raw & 0xFF) as usize, write_back),
            (true, false, true) => (moved, (raw & 0xFF) as usize, true),
            _ => return Err(Fault::Undefined),
        };
        // The odd word count of FLDMX and FSTMX is only in the base.
        let count = if is_double { count & !1 } else { count };
        if first + count > 32 {
            return Err(Fault::Undefined);
        }
        if address & 3 != 0 {
            return Err(Fault::Unaligned);
        }
        for i in 0..count {
            let address = address.wrapping_add(4 * i as u32);
            if load {
                self.vfp.s[first + i] = self.load_word(mmio, address)?;
            } else {
                self.store_word(mmio, address, self.vfp.s[first + i])?;
            }
        }
        if write_back {
            self.regs.set(n, moved);
        }
        Ok(1 + count as u32)
    }
}

/// The first single register of a double one, of which there are 16.
fn double(high: u32, low: u32) -> Option<usize> {
    (high & 1 == 0).then_some(((low & 15) << 1) as usize)
}
