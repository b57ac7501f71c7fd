//! The register file and the program status registers (ARMv7-M ARM B1.4).

use super::Core;

/// Condition flags, kept so that setting them is cheap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags {
    /// N is bit 31.
    pub n: u32,
    /// Z is "equals zero".
    pub z: u32,
    pub c: bool,
    /// V is bit 31.
    pub v: u32,
}

impl Default for Flags {
    fn default() -> Flags {
        Flags::from_apsr(0)
    }
}

impl Flags {
    /// From APSR bits 31:28.
    pub fn from_apsr(apsr: u32) -> Flags {
        Flags { n: apsr, z: !apsr & 1 << 30, c: apsr >> 29 & 1 == 1, v: apsr << 3 }
    }

    /// APSR bits 31:28.
    pub fn apsr(self) -> u32 {
        self.n & 1 << 31 | u32::from(self.z == 0) << 30 | u32::from(self.c) << 29 | self.v >> 31 << 28
    }

    #[inline(always)]
    pub fn negative(self) -> bool {
        (self.n as i32) < 0
    }

    #[inline(always)]
    pub fn zero(self) -> bool {
        self.z == 0
    }

    #[inline(always)]
    pub fn overflow(self) -> bool {
        (self.v as i32) < 0
    }

    /// N differs from V: a signed comparison gave "less".
    #[inline(always)]
    pub fn less(self) -> bool {
        ((self.n ^ self.v) as i32) < 0
    }

    /// ConditionPassed (A7.3.1).
    #[inline]
    pub fn pass(self, condition: u32) -> bool {
        let result = match condition >> 1 {
            0 => self.zero(),
            1 => self.c,
            2 => self.negative(),
            3 => self.overflow(),
            4 => self.c && !self.zero(),
            5 => !self.less(),
            6 => !self.less() && !self.zero(),
            _ => return true,
        };
        result != (condition & 1 == 1)
    }

    #[inline(always)]
    pub fn set_nz(&mut self, result: u32) {
        self.n = result;
        self.z = result;
    }
}

/// Core registers but the PC, with the banked stack pointers and the special registers.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(super) struct Registers {
    /// R0 to R12, the current SP, LR; the last is scratch: operand PC of the instruction in hand.
    pub r: [u32; 16],
    pub flags: Flags,
    /// The stack pointer that is not current.
    pub banked_sp: u32,
    /// The current SP is PSP.
    pub process_stack: bool,
    /// APSR.Q.
    pub q: bool,
    /// APSR.GE, four bits.
    pub ge: u32,
    /// EPSR.IT, 0 outside an IT block.
    pub itstate: u8,
    /// ITSTATE of the last instruction that was executed inside an IT block.
    pub it_executed: u8,
    /// EPSR.T is 0: the next instruction faults.
    pub arm_state: bool,
    /// IPSR: the exception being handled, 0 in Thread mode.
    pub exception: u16,
    pub primask: bool,
    pub faultmask: bool,
    pub basepri: u8,
    /// CONTROL.nPRIV.
    pub unprivileged_thread: bool,
    /// CONTROL.SPSEL as written; SP follows it in Thread mode only.
    pub spsel: bool,
    /// CONTROL.FPCA.
    pub fp_active: bool,
}

/// ITAdvance (A7.3.2): ITSTATE after an instruction that had `it`.
#[inline(always)]
pub(super) const fn it_advanced(it: u8) -> u8 {
    if it & 7 == 0 { 0 } else { it & 0xE0 | it << 1 & 0x1F }
}

impl Registers {
    /// Whether software would see the same registers and flags.
    pub fn same(&self, other: &Registers) -> bool {
        self.r[..15] == other.r[..15]
            && self.xpsr() == other.xpsr()
            && self.banked_sp == other.banked_sp
            && self.control() == other.control()
            && (self.primask, self.faultmask, self.basepri) == (other.primask, other.faultmask, other.basepri)
    }

    /// LR after reset (ARMv7-M).
    pub fn lr_reset(&mut self) {
        self.r[14] = u32::MAX;
    }

    pub fn handler_mode(&self) -> bool {
        self.exception != 0
    }

    pub fn privileged(&self) -> bool {
        self.handler_mode() || !self.unprivileged_thread
    }

    /// Makes the current SP what mode and SPSEL ask for.
    pub fn select_stack(&mut self) {
        let process = self.spsel && !self.handler_mode();
        if process != self.process_stack {
            std::mem::swap(&mut self.r[13], &mut self.banked_sp);
            self.process_stack = process;
        }
    }

    pub fn msp(&self) -> u32 {
        if self.process_stack { self.banked_sp } else { self.r[13] }
    }

    pub fn psp(&self) -> u32 {
        if self.process_stack { self.r[13] } else { self.banked_sp }
    }

    pub fn set_msp(&mut self, value: u32) {
        if self.process_stack { self.banked_sp = value & !3 } else { self.r[13] = value & !3 }
    }

    pub fn set_psp(&mut self, value: u32) {
        if self.process_stack { self.r[13] = value & !3 } else { self.banked_sp = value & !3 }
    }

    /// APSR.
    pub fn apsr(&self) -> u32 {
        self.flags.apsr() | u32::from(self.q) << 27 | self.ge << 16
    }

    /// Sets N, Z, C, V, Q and GE from an APSR value.
    pub fn set_apsr(&mut self, value: u32) {
        self.flags = Flags::from_apsr(value);
        self.q = value >> 27 & 1 == 1;
        self.ge = value >> 16 & 15;
    }

    /// xPSR: APSR, IPSR and EPSR.
    pub fn xpsr(&self) -> u32 {
        let it = u32::from(self.itstate);
        let epsr = (it & 3) << 25 | (it >> 2) << 10 | u32::from(!self.arm_state) << 24;
        self.apsr() | epsr | u32::from(self.exception)
    }

    /// Sets all of xPSR but the exception number.
    pub fn set_apsr_epsr(&mut self, value: u32) {
        self.set_apsr(value);
        self.itstate = (value >> 25 & 3 | value >> 8 & 0xFC) as u8;
        self.arm_state = value >> 24 & 1 == 0;
    }

    /// CONTROL.
    pub fn control(&self) -> u32 {
        u32::from(self.unprivileged_thread) | u32::from(self.spsel) << 1 | u32::from(self.fp_active) << 2
    }

    /// R0 to R12, SP, LR, written by an instruction.
    #[inline(always)]
    pub fn set(&mut self, index: usize, value: u32) {
        self.r[index & 15] = if index == 13 { value & !3 } else { value };
    }
}

/// A register as debuggers number them: DCRSR.REGSEL (ARMv7-M ARM C1.6.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Register(pub u8);

impl Register {
    /// The current stack pointer.
    pub const SP: Register = Register(13);
    /// The link register.
    pub const LR: Register = Register(14);
    /// The address of the next instruction.
    pub const PC: Register = Register(15);
    /// xPSR.
    pub const XPSR: Register = Register(16);
    /// The main stack pointer.
    pub const MSP: Register = Register(17);
    /// The process stack pointer.
    pub const PSP: Register = Register(18);
    /// CONTROL, FAULTMASK, BASEPRI, PRIMASK, from the highest byte to the lowest.
    pub const SPECIAL: Register = Register(20);
    /// FPSCR.
    pub const FPSCR: Register = Register(0x21);
    /// S0; the others follow.
    pub const S0: Register = Register(0x40);
}

impl Core {
    /// Reads a register; those that the core does not have read as zero.
    #[must_use]
    pub fn register(&self, register: Register) -> u32 {
        let regs = &self.regs;
        match register.0 {
            index @ 0..=14 => regs.r[usize::from(index)],
            15 => self.pc,
            16 => regs.xpsr(),
            17 => regs.msp(),
            18 => regs.psp(),
            20 => {
                regs.control() << 24
                    | u32::from(regs.faultmask) << 16
                    | u32::from(regs.basepri) << 8
                    | u32::from(regs.primask)
            }
            0x21 if self.config.fpu => self.vfp.fpscr.0,
            index @ 0x40..=0x5F if self.config.fpu => self.vfp.s[usize::from(index - 0x40)],
            _ => 0,
        }
    }

    /// Writes a register as a debugger does; those that the core does not have ignore it.
    pub fn set_register(&mut self, register: Register, value: u32) {
        self.unpark();
        // What is set right after a reset is not overwritten by the vectors.
        self.finish_reset();
        self.disturb();
        let v7 = self.config.v7();
        let priority_mask = self.nvic.priority_mask();
        let regs = &mut self.regs;
        match register.0 {
            index @ 0..=14 => regs.set(usize::from(index), value),
            15 => self.pc = value & !1,
            16 => {
                regs.set_apsr_epsr(value);
                regs.exception = (value & 0x1FF) as u16;
                if !v7 {
                    regs.q = false;
                    regs.itstate = 0;
                }
                if self.config.profile != super::Profile::Armv7EM {
                    regs.ge = 0;
                }
                regs.select_stack();
            }
            17 => regs.set_msp(value),
            18 => regs.set_psp(value),
            20 => {
                regs.primask = value & 1 != 0;
                if v7 {
                    regs.basepri = (value >> 8) as u8 & priority_mask;
                    regs.faultmask = value >> 16 & 1 != 0;
                    regs.fp_active = self.config.fpu && value >> 26 & 1 != 0;
                }
                regs.unprivileged_thread = self.config.unprivileged && value >> 24 & 1 != 0;
                regs.spsel = value >> 25 & 1 != 0;
                regs.select_stack();
            }
            0x21 if self.config.fpu => self.vfp.fpscr.0 = value & super::fpu::Fpscr::MASK,
            index @ 0x40..=0x5F if self.config.fpu => self.vfp.s[usize::from(index - 0x40)] = value,
            _ => {}
        }
        self.reconsider_fetch();
        self.attend();
    }
}
