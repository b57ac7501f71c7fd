//! Exception entry and return (ARMv7-M ARM B1.5.6 to B1.5.8, B1.5.11, B1.5.12).
//!
//! An entry stacks first and chooses the handler last, so that an exception of higher priority that arrives while
//! stacking goes on is taken instead (late arrival). A return that finds another exception waiting goes straight to
//! its handler (tail-chaining).

use super::bus::Rights;
use super::faults::Fault;
use super::fpu::Fpscr;
use super::nvic::{BUS_FAULT, DEBUG_MONITOR, HARD_FAULT, MEM_MANAGE, NMI};
use super::scb::dfsr;
use super::vfp::fpccr;
use super::{Core, State};
use crate::bus::Size;
use crate::cpu::Mmio;
use crate::cpu::memory::Kind;

/// xPSR bit 9 in a stack frame: SP was moved by 4 to align it.
const FRAME_ALIGNED: u32 = 1 << 9;
/// EXC_RETURN bit 4: the frame has no floating-point registers.
const BASIC_FRAME: u32 = 1 << 4;

/// Frame sizes in bytes.
const BASIC: u32 = 0x20;
const EXTENDED: u32 = 0x68;

impl Core {
    /// The pending exception that is to be taken before the next instruction.
    pub(super) fn exception_to_take(&self) -> Option<u16> {
        let exception = self.nvic.highest_pending(self.debug.masks_interrupts())?;
        (self.nvic.preemption_priority(exception) < self.execution_priority()).then_some(exception)
    }

    /// The cycle from which an entry finds the vector of `exception` when it is through with stacking: while a busy flash has
    /// the vector, the core waits.
    pub(super) fn vector_readable_at(&self, exception: u16) -> u64 {
        if !self.flash_busy() || self.memory.kind(self.vector_address(exception)) != Some(Kind::Flash) {
            return self.cycle;
        }
        self.signals.flash_busy_until.saturating_sub(self.config.timing.exception_entry.into()).max(self.cycle)
    }

    fn vector_address(&self, exception: u16) -> u32 {
        self.scb.vtor.wrapping_add(u32::from(exception) * 4)
    }

    /// Asks for attention if an exception may have to be taken.
    #[inline]
    pub(super) fn attend_if_pending(&mut self) {
        if self.nvic.any_pending() {
            self.attend();
        }
    }

    /// Stacks and goes to the handler of the highest pending exception.
    pub(super) fn take_exception<M: Mmio>(&mut self, mmio: &mut M) {
        let regs = &self.regs;
        let frame = if self.config.fpu && regs.fp_active { 0 } else { BASIC_FRAME };
        let mode = match (regs.handler_mode(), regs.process_stack) {
            (true, _) => 0x1,
            (false, false) => 0x9,
            (false, true) => 0xD,
        };
        let exc_return = 0xFFFF_FFE0 | frame | mode;
        if let Err(fault) = self.push_frame(mmio) {
            self.fault(fault.stacking());
        }
        self.cycle += u64::from(self.config.timing.exception_entry);
        self.pass_events(mmio);
        self.enter_handler(mmio, exc_return);
    }

    /// PushStack.
    fn push_frame<M: Mmio>(&mut self, mmio: &mut M) -> Result<(), Fault> {
        let extended = self.config.fpu && self.regs.fp_active;
        let size = if extended { EXTENDED } else { BASIC };
        let align = extended || !self.config.v7() || self.scb.stack_align();
        let sp = self.regs.r[13];
        let moved = align && sp & 4 != 0;
        let frame = sp.wrapping_sub(size) & if align { !4 } else { !0 };
        let xpsr = self.regs.xpsr() & !FRAME_ALIGNED | if moved { FRAME_ALIGNED } else { 0 };
        let r = &self.regs.r;
        let words = [r[0], r[1], r[2], r[3], r[12], r[14], self.pc, xpsr];
        self.regs.r[13] = frame;
        for (offset, word) in (0..).step_by(4).zip(words) {
            self.store_word(mmio, frame.wrapping_add(offset), word)?;
        }
        if !extended {
            return Ok(());
        }
        if self.vfp.fpccr & fpccr::LSPEN != 0 {
            self.reserve_fp_frame(frame.wrapping_add(BASIC));
            return Ok(());
        }
        for (offset, word) in (BASIC..).step_by(4).zip(self.vfp.frame()) {
            self.store_word(mmio, frame.wrapping_add(offset), word)?;
        }
        Ok(())
    }

    /// UpdateFPCCR: the registers are stored when the handler first uses the FPU, with the rights of now.
    fn reserve_fp_frame(&mut self, address: u32) {
        let priority = self.execution_priority();
        let ready = |exception| self.nvic.preemption_priority(exception) < priority;
        let enabled = |exception| self.scb.fault_enabled(exception) && ready(exception);
        let mut status = fpccr::LSPACT;
        for (bit, set) in [
            (fpccr::USER, !self.regs.privileged()),
            (fpccr::THREAD, !self.regs.handler_mode()),
            (fpccr::HFRDY, priority > -1),
            (fpccr::MMRDY, enabled(MEM_MANAGE)),
            (fpccr::BFRDY, enabled(BUS_FAULT)),
            (fpccr::MONRDY, self.debug.monitor_enabled() && ready(DEBUG_MONITOR)),
        ] {
            status |= if set { bit } else { 0 };
        }
        self.vfp.fpccr = self.vfp.fpccr & (fpccr::ASPEN | fpccr::LSPEN) | status;
        self.vfp.fpcar = address & !7;
    }

    /// ExceptionTaken: enters the handler of the highest pending exception.
    fn enter_handler<M: Mmio>(&mut self, mmio: &mut M, exc_return: u32) {
        // Stacking may have ended in a lockup.
        if self.state == State::Lockup {
            return;
        }
        let Some(exception) = self.exception_to_take() else { return };
        self.nvic.clear_pending(exception);
        self.nvic.set_active(exception, true);
        let regs = &mut self.regs;
        regs.exception = exception;
        regs.fp_active = false;
        regs.spsel = false;
        regs.itstate = 0;
        regs.select_stack();
        regs.r[14] = exc_return;
        self.event = true;
        self.exclusive = false;
        match self.load_aligned(mmio, self.vector_address(exception), Size::Word, Rights::PRIVILEGED) {
            Ok(vector) => {
                self.pc = vector & !1;
                self.regs.arm_state = vector & 1 == 0;
            }
            Err(_) => self.fault(Fault::VectorTable),
        }
        self.fast.fetch = crate::cpu::memory::Window::EMPTY;
        self.attend();
        let is_fault = matches!(exception, HARD_FAULT..=super::nvic::USAGE_FAULT);
        if is_fault && (std::mem::take(&mut self.debug.catch) || self.debug.catches_exception(exception)) {
            self.halt(dfsr::VCATCH);
        }
    }

    /// ExceptionReturn.
    pub(super) fn exception_return<M: Mmio>(&mut self, mmio: &mut M, exc_return: u32) {
        self.attend();
        let exception = self.regs.exception;
        let exc_return = 0xF000_0000 | exc_return & 0x0FFF_FFFF;
        let valid = self.return_is_valid(exc_return);
        self.nvic.deactivate(exception);
        if self.config.v7() && exception != NMI {
            self.regs.faultmask = false;
        }
        if !valid {
            return self.fault_on_return(mmio, Fault::InvalidPc, exc_return);
        }
        // One whose vector is in a busy flash is not tail-chained, but waits and stacks again.
        if self.exception_to_take().is_some_and(|exception| self.vector_readable_at(exception) <= self.cycle) {
            self.cycle += u64::from(self.config.timing.tail_chain);
            self.pass_events(mmio);
            return self.enter_handler(mmio, exc_return);
        }
        self.cycle += u64::from(self.config.timing.exception_return);
        match self.pop_frame(mmio, exc_return) {
            Ok(()) => {}
            Err(Fault::InvalidPc) => self.fault(Fault::InvalidPc),
            Err(fault) => return self.fault_on_return(mmio, fault.unstacking(), exc_return),
        }
        self.event = true;
        self.exclusive = false;
        self.reconsider_fetch();
        if !self.regs.handler_mode() && self.scb.sleep_on_exit() && self.state == State::Running {
            self.disturb_itself();
            self.state = State::WaitingForInterrupt;
        }
    }

    /// A fault of the return itself is tail-chained: the frame stays where it is.
    fn fault_on_return<M: Mmio>(&mut self, mmio: &mut M, fault: Fault, exc_return: u32) {
        self.fault(fault);
        self.enter_handler(mmio, exc_return);
    }

    /// The integrity checks of ExceptionReturn.
    fn return_is_valid(&self, exc_return: u32) -> bool {
        if !self.nvic.is_active(self.regs.exception) {
            return false;
        }
        let reserved = if self.config.fpu { 0x0FFF_FFE0 } else { 0x0FFF_FFF0 };
        if exc_return & reserved != reserved {
            return false;
        }
        let nested = self.nvic.active_count() > 1;
        match exc_return & 15 {
            0x1 => nested,
            0x9 | 0xD => !nested || self.scb.nonbase_thread(),
            _ => false,
        }
    }

    /// PopStack.
    fn pop_frame<M: Mmio>(&mut self, mmio: &mut M, exc_return: u32) -> Result<(), Fault> {
        let to_handler = exc_return & 15 == 1;
        let process = exc_return & 15 == 0xD;
        let extended = exc_return & BASIC_FRAME == 0;
        let frame = if process { self.regs.psp() } else { self.regs.msp() };
        let mut words = [0; 8];
        for (offset, word) in (0..).step_by(4).zip(&mut words) {
            *word = self.load_word(mmio, frame.wrapping_add(offset))?;
        }
        if extended {
            self.pop_fp_frame(mmio, frame.wrapping_add(BASIC))?;
        }
        let xpsr = words[7];
        let size = if extended { EXTENDED } else { BASIC };
        let align = extended || !self.config.v7() || self.scb.stack_align();
        let moved = if align && xpsr & FRAME_ALIGNED != 0 { 4 } else { 0 };
        let sp = frame.wrapping_add(size) | moved;
        let regs = &mut self.regs;
        if process {
            regs.set_psp(sp)
        } else {
            regs.set_msp(sp)
        }
        regs.r[..4].copy_from_slice(&words[..4]);
        regs.r[12] = words[4];
        regs.r[14] = words[5];
        self.pc = words[6] & !1;
        regs.set_apsr_epsr(xpsr);
        regs.exception = if to_handler { (xpsr & 0x1FF) as u16 } else { 0 };
        regs.fp_active = extended;
        regs.spsel = process;
        regs.select_stack();
        if !self.config.v7() {
            regs.itstate = 0;
            regs.q = false;
        }
        if self.config.profile != super::Profile::Armv7EM {
            regs.ge = 0;
        }
        if to_handler == (xpsr & 0x1FF == 0) { Err(Fault::InvalidPc) } else { Ok(()) }
    }

    fn pop_fp_frame<M: Mmio>(&mut self, mmio: &mut M, address: u32) -> Result<(), Fault> {
        if self.vfp.fpccr & fpccr::LSPACT != 0 {
            // Nobody used the FPU: the registers are still there.
            self.vfp.fpccr &= !fpccr::LSPACT;
            return Ok(());
        }
        for index in 0..16 {
            self.vfp.s[index] = self.load_word(mmio, address.wrapping_add(4 * index as u32))?;
        }
        self.vfp.fpscr = Fpscr(self.load_word(mmio, address.wrapping_add(64))? & Fpscr::MASK);
        Ok(())
    }
}
