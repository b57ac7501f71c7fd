//! The private peripheral bus: who answers at 0xE0000000 and above (ARMv7-M ARM B3.1.1, table B3-3 and on).
//!
//! Registers are words. Narrower reads take their part of one; narrower writes go to those registers that allow them
//! (priorities, CFSR) and are merged.

use super::bus::Rights;
use super::coresight::Identity;
use super::faults::Fault;
use super::fpu::Fpscr;
use super::nvic::{Bank, IRQ0, NMI, PEND_SV, SYS_TICK};
use super::{Core, Profile};
use crate::bus::Size;

/// Registers of the System Control Space by offset from 0xE000E000.
mod scs {
    pub const ICTR: u32 = 0x004;
    pub const ACTLR: u32 = 0x008;
    pub const SYST_CSR: u32 = 0x010;
    pub const SYST_CALIB: u32 = 0x01C;
    pub const ISER: u32 = 0x100;
    pub const ICER: u32 = 0x180;
    pub const ISPR: u32 = 0x200;
    pub const ICPR: u32 = 0x280;
    pub const IABR: u32 = 0x300;
    pub const IPR: u32 = 0x400;
    pub const CPUID: u32 = 0xD00;
    pub const ICSR: u32 = 0xD04;
    pub const VTOR: u32 = 0xD08;
    pub const AIRCR: u32 = 0xD0C;
    pub const SCR: u32 = 0xD10;
    pub const CCR: u32 = 0xD14;
    pub const SHPR1: u32 = 0xD18;
    pub const SHPR3: u32 = 0xD20;
    pub const SHCSR: u32 = 0xD24;
    pub const CFSR: u32 = 0xD28;
    pub const HFSR: u32 = 0xD2C;
    pub const DFSR: u32 = 0xD30;
    pub const MMFAR: u32 = 0xD34;
    pub const BFAR: u32 = 0xD38;
    pub const ID_PFR0: u32 = 0xD40;
    pub const ID_ISAR4: u32 = 0xD70;
    pub const CPACR: u32 = 0xD88;
    pub const MPU_TYPE: u32 = 0xD90;
    pub const MPU_RASR_A3: u32 = 0xDB8;
    pub const DHCSR: u32 = 0xDF0;
    pub const DEMCR: u32 = 0xDFC;
    pub const STIR: u32 = 0xF00;
    pub const FPCCR: u32 = 0xF34;
    pub const FPCAR: u32 = 0xF38;
    pub const FPDSCR: u32 = 0xF3C;
    pub const MVFR0: u32 = 0xF40;
    pub const MVFR1: u32 = 0xF44;
    pub const PID: u32 = 0xFD0;
}

/// ID_PFR0 to ID_ISAR4 (Cortex-M3 and Cortex-M4 Technical Reference Manuals, table 4-1).
const M3_FEATURES: [u32; 13] = [
    0x0000_0030,
    0x0000_0200,
    0x0010_0000,
    0,
    0x0010_0030,
    0,
    0x0100_0000,
    0,
    0x0114_1110,
    0x0211_1000,
    0x2111_2231,
    0x0111_1110,
    0x0131_0102,
];
const M4_FEATURES: [u32; 13] = [
    0x0000_0030,
    0x0000_0200,
    0x0010_0000,
    0,
    0x0010_0030,
    0,
    0x0100_0000,
    0,
    0x0114_1110,
    0x0211_2000,
    0x2123_2231,
    0x0111_1131,
    0x0131_0132,
];

const MVFR0: u32 = 0x1011_0021;
const MVFR1: u32 = 0x1100_0011;

/// AIRCR.
const VECTKEY: u32 = 0x05FA;
const VECTKEYSTAT: u32 = 0xFA05_0000;

/// Whether a load from `address` has no effect and gives what follows from the state of the core that
/// [`super::spin`] compares: interrupts and system control, but neither timers nor debug.
fn settled_to_read(address: u32) -> bool {
    let offset = address & 0xFFF;
    address >> 12 == 0xE000E && matches!(offset, scs::ISER..=0x4FF | scs::CPUID..=scs::BFAR)
}

/// Whether a store to `address` changes nothing but that.
fn settled_to_write(address: u32) -> bool {
    let offset = address & 0xFFF & !3;
    address >> 12 == 0xE000E
        && matches!(offset, scs::ISER..=0x4FF | scs::ICSR | scs::SCR | scs::SHPR1..=scs::SHPR3 | scs::SHCSR)
}

impl Core {
    /// Reads from the private peripheral bus; `None` if nothing of the core answers there.
    pub(super) fn ppb_read(&mut self, address: u32, size: Size, rights: Rights) -> Result<Option<u32>, Fault> {
        if !rights.debugger && !settled_to_read(address) {
            self.disturb_itself();
        }
        let Some(word) = self.ppb_word(address & !3, rights)? else { return Ok(None) };
        let shifted = word >> ((address & 3) * 8);
        Ok(Some(match size {
            Size::Byte => shifted & 0xFF,
            Size::Half => shifted & 0xFFFF,
            Size::Word => shifted,
        }))
    }

    fn ppb_word(&mut self, address: u32, rights: Rights) -> Result<Option<u32>, Fault> {
        if address >> 20 == 0xE00 && !rights.privileged {
            return Err(Fault::DataBus(address));
        }
        if let Some((_, value)) = self.config.ppb.iter().find(|(at, _)| *at == address) {
            return Ok(Some(*value));
        }
        let offset = address & 0xFFF;
        Ok(match address >> 12 {
            0xE0001 => {
                let pc = (self.state == super::State::Running).then_some(self.pc);
                Some(self.dwt.read(offset, self.cycle, pc))
            }
            0xE0002 => Some(self.fpb.read(offset)),
            0xE000E => Some(self.read_scs(offset, rights)),
            // A component of which only the identity is there: its other words read as zero (IHI 0029, "Reserved").
            page => self.has_component(page).then_some(0),
        })
    }

    /// Whether the chip has a CoreSight component in this page of 4 KB.
    fn has_component(&self, page: u32) -> bool {
        self.config.ppb.iter().any(|(at, _)| at >> 12 == page)
    }

    /// Writes to the private peripheral bus; false if nothing of the core answers there.
    pub(super) fn ppb_write(&mut self, address: u32, size: Size, value: u32, rights: Rights) -> Result<bool, Fault> {
        if !settled_to_write(address) {
            self.disturb_itself();
        }
        let offset = address & 0xFFF;
        if address >> 20 == 0xE00 && !rights.privileged {
            let pends = address == 0xE000_EF00 && self.scb.user_may_pend();
            if !pends {
                return Err(Fault::DataBus(address));
            }
        }
        match address >> 12 {
            0xE0001 => {
                self.dwt.write(offset & !3, value, self.cycle);
                self.close_fast_windows();
                self.attend();
            }
            0xE0002 => {
                self.fpb.write(offset & !3, value);
                self.breakpoints_changed();
            }
            0xE000E if size == Size::Word => self.write_scs(offset, value, rights),
            0xE000E => self.write_scs_part(offset, size, value, rights),
            page => return Ok(self.has_component(page)),
        }
        Ok(true)
    }

    /// Bytes and half-words: priorities, and CFSR, whose bits are cleared by ones.
    fn write_scs_part(&mut self, offset: u32, size: Size, value: u32, rights: Rights) {
        let shift = (offset & 3) * 8;
        let mask = if size == Size::Byte { 0xFF } else { 0xFFFF } << shift;
        let word = offset & !3;
        let merged = match word {
            scs::IPR..=0x4FC | scs::SHPR1..=scs::SHPR3 => self.read_scs(word, rights) & !mask | value << shift & mask,
            _ => value << shift & mask,
        };
        self.write_scs(word, merged, rights);
    }

    fn read_scs(&mut self, offset: u32, rights: Rights) -> u32 {
        let v7 = self.config.v7();
        match offset {
            scs::SYST_CSR..=scs::SYST_CALIB if self.config.systick => {
                self.systick.read(offset - scs::SYST_CSR, self.cycle, rights.debugger)
            }
            0x100..=0x10C => self.nvic.read_bank(Bank::Enabled, (offset - scs::ISER) / 4),
            0x180..=0x18C => self.nvic.read_bank(Bank::Enabled, (offset - scs::ICER) / 4),
            0x200..=0x20C => self.nvic.read_bank(Bank::Pending, (offset - scs::ISPR) / 4),
            0x280..=0x28C => self.nvic.read_bank(Bank::Pending, (offset - scs::ICPR) / 4),
            0x300..=0x30C if v7 => self.nvic.read_bank(Bank::Active, (offset - scs::IABR) / 4),
            0x400..=0x47C => {
                let first = offset - scs::IPR;
                u32::from_le_bytes([0, 1, 2, 3].map(|i| self.nvic.read_priority(first + i)))
            }
            scs::CPUID => self.config.cpuid,
            scs::ICSR => self.read_icsr(),
            scs::VTOR => self.scb.vtor,
            scs::AIRCR => VECTKEYSTAT | u32::from(self.nvic.group) << 8,
            scs::SCR => self.scb.read_scr(),
            scs::CCR => self.scb.read_ccr(v7),
            scs::SHPR1..=scs::SHPR3 => {
                let first = (offset - scs::SHPR1 + 4) as u16;
                u32::from_le_bytes([0, 1, 2, 3].map(|i| self.nvic.priority(first + i) as u8))
            }
            scs::SHCSR => self.read_shcsr(),
            scs::DFSR => self.scb.dfsr,
            scs::DHCSR..=scs::DEMCR => self.read_debug(offset - scs::DHCSR, rights),
            scs::PID.. => self.scs_identity().read(offset),
            _ if !v7 => 0,
            scs::ICTR => u32::from(self.config.irqs.max(1) - 1) / 32,
            scs::ACTLR => self.scb.actlr,
            scs::CFSR => self.scb.cfsr,
            scs::HFSR => self.scb.hfsr,
            scs::MMFAR => self.scb.mmfar,
            scs::BFAR => self.scb.bfar,
            scs::ID_PFR0..=scs::ID_ISAR4 => {
                let features = if self.config.profile == Profile::Armv7EM { &M4_FEATURES } else { &M3_FEATURES };
                features[((offset - scs::ID_PFR0) / 4) as usize]
            }
            scs::MPU_TYPE..=scs::MPU_RASR_A3 => self.mpu.read(offset - scs::MPU_TYPE),
            _ if !self.config.fpu => 0,
            scs::CPACR => self.scb.cpacr,
            scs::FPCCR => self.vfp.fpccr,
            scs::FPCAR => self.vfp.fpcar,
            scs::FPDSCR => self.vfp.fpdscr,
            scs::MVFR0 => MVFR0,
            scs::MVFR1 => MVFR1,
            _ => 0,
        }
    }

    fn write_scs(&mut self, offset: u32, value: u32, rights: Rights) {
        let v7 = self.config.v7();
        match offset {
            // Drivers enable and disable their interrupts around everything they do: mostly nothing follows from it.
            scs::ISER..scs::ISPR => {}
            _ => self.attend(),
        }
        match offset {
            scs::SYST_CSR..=scs::SYST_CALIB if self.config.systick => {
                self.systick.write(offset - scs::SYST_CSR, value, self.cycle);
            }
            0x100..=0x10C => {
                self.write_bank(Bank::Enabled, (offset - scs::ISER) / 4, value, true);
                self.attend_if_pending();
            }
            0x180..=0x18C => self.write_bank(Bank::Enabled, (offset - scs::ICER) / 4, value, false),
            0x200..=0x20C => self.write_bank(Bank::Pending, (offset - scs::ISPR) / 4, value, true),
            0x280..=0x28C => self.write_bank(Bank::Pending, (offset - scs::ICPR) / 4, value, false),
            0x400..=0x47C => {
                for (irq, priority) in ((offset - scs::IPR) as u16..).zip(value.to_le_bytes()) {
                    self.nvic.set_priority(IRQ0 + irq, priority);
                }
            }
            scs::ICSR => self.write_icsr(value),
            // The M0+ has bits 31:8, ARMv7-M bits 31:7.
            scs::VTOR if self.config.vtor => self.scb.vtor = value & if v7 { !0x7F } else { !0xFF },
            scs::AIRCR if value >> 16 == VECTKEY => self.write_aircr(value),
            scs::SCR => self.scb.write_scr(value),
            scs::CCR if v7 => self.scb.write_ccr(value),
            scs::SHPR1..=scs::SHPR3 => {
                let first = (offset - scs::SHPR1 + 4) as u16;
                for (exception, priority) in (first..).zip(value.to_le_bytes()) {
                    let exists = matches!(exception, 11 | 14 | 15) || (v7 && matches!(exception, 4..=6 | 12));
                    if exists {
                        self.nvic.set_priority(exception, priority);
                    }
                }
            }
            scs::SHCSR => self.write_shcsr(value),
            scs::DFSR => self.scb.dfsr &= !(value & super::scb::dfsr::ALL),
            scs::DHCSR..=scs::DEMCR => self.write_debug(offset - scs::DHCSR, value, rights),
            _ if !v7 => {}
            scs::ACTLR => self.scb.actlr = value,
            scs::CFSR => self.scb.cfsr &= !value,
            scs::HFSR => self.scb.hfsr &= !value,
            scs::MMFAR => self.scb.mmfar = value,
            scs::BFAR => self.scb.bfar = value,
            scs::MPU_TYPE..=scs::MPU_RASR_A3 => {
                self.mpu.write(offset - scs::MPU_TYPE, value);
                self.close_fast_windows();
            }
            scs::STIR if value & 0x1FF < self.config.irqs.into() => self.pend(IRQ0 + (value & 0x1FF) as u16),
            _ if !self.config.fpu => {}
            scs::CPACR => self.scb.cpacr = value & 0x00F0_0000,
            scs::FPCCR => self.vfp.fpccr = value & 0xC000_017B,
            scs::FPCAR => self.vfp.fpcar = value & !7,
            scs::FPDSCR => self.vfp.fpdscr = value & super::vfp::FPDSCR_MASK & Fpscr::MASK,
            _ => {}
        }
    }

    fn write_bank(&mut self, bank: Bank, index: u32, value: u32, set: bool) {
        if self.nvic.write_bank(bank, index, value, set) {
            self.became_pending();
        }
    }

    /// Makes an exception pending as software or an event does.
    pub(super) fn pend(&mut self, exception: u16) {
        if self.nvic.set_pending(exception) {
            self.became_pending();
        }
        self.attend();
    }

    /// An interrupt entered the pending state: an event if SCR.SEVONPEND says so (B1.5.18).
    pub(super) fn became_pending(&mut self) {
        self.event |= self.scb.event_on_pending();
    }

    fn read_icsr(&self) -> u32 {
        let flag = |set: bool, bit: u32| u32::from(set) << bit;
        let pending = self.nvic.highest_pending(false).unwrap_or(0);
        let alone = self.nvic.active_count() <= 1;
        u32::from(self.regs.exception)
            | flag(self.config.v7() && alone, 11)
            | u32::from(pending) << 12
            | flag(self.nvic.interrupt_pending(), 22)
            | flag(self.nvic.is_pending(SYS_TICK), 26)
            | flag(self.nvic.is_pending(PEND_SV), 28)
            | flag(self.nvic.is_pending(NMI), 31)
    }

    fn write_icsr(&mut self, value: u32) {
        for (bit, exception) in [(31, NMI), (28, PEND_SV), (26, SYS_TICK)] {
            if value >> bit & 1 == 1 {
                self.pend(exception);
            }
        }
        for (bit, exception) in [(27, PEND_SV), (25, SYS_TICK)] {
            if value >> bit & 1 == 1 {
                self.nvic.clear_pending(exception);
            }
        }
    }

    fn write_aircr(&mut self, value: u32) {
        if self.config.v7() {
            self.nvic.group = (value >> 8 & 7) as u8;
            self.nvic.update();
        }
        if value & 1 << 1 != 0 {
            self.nvic.clear_active();
        }
        if value & 1 << 2 != 0 {
            self.signals.reset = true;
        }
        if value & 1 != 0 && self.config.v7() {
            self.reset_core();
        }
    }

    /// SHCSR: active and pending states by exception, and which faults are enabled. ARMv6-M has SVCALLPENDED only.
    fn read_shcsr(&self) -> u32 {
        let pended = u32::from(self.nvic.is_pending(11)) << 15;
        if !self.config.v7() {
            return pended;
        }
        let active = [(4, 0), (5, 1), (6, 3), (11, 7), (12, 8), (14, 10), (15, 11)];
        let pending = [(6, 12), (4, 13), (5, 14)];
        let mut value = self.scb.faults_enabled | pended;
        for (exception, bit) in active {
            value |= u32::from(self.nvic.is_active(exception)) << bit;
        }
        for (exception, bit) in pending {
            value |= u32::from(self.nvic.is_pending(exception)) << bit;
        }
        value
    }

    fn write_shcsr(&mut self, value: u32) {
        let pending: &[(u16, u32)] =
            if self.config.v7() { &[(6, 12), (4, 13), (5, 14), (11, 15)] } else { &[(11, 15)] };
        for (exception, bit) in pending {
            if value >> bit & 1 == 1 {
                self.nvic.set_pending(*exception);
            } else {
                self.nvic.clear_pending(*exception);
            }
        }
        if !self.config.v7() {
            return;
        }
        self.scb.faults_enabled = value & 0x7_0000;
        for (exception, bit) in [(4, 0), (5, 1), (6, 3), (11, 7), (12, 8), (14, 10), (15, 11)] {
            self.nvic.set_active(exception, value >> bit & 1 == 1);
        }
    }

    fn scs_identity(&self) -> Identity {
        Identity::core_debug(match self.config.profile {
            Profile::Armv6M => 0x4_000B_B008,
            Profile::Armv7M => 0x4_001B_B000,
            Profile::Armv7EM => 0x4_000B_B00C,
        })
    }
}
