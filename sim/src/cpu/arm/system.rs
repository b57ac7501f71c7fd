//! Instructions that reach beyond the register file: special registers, exceptions, hints, barriers.

use super::Core;
use super::faults::Fault;
use super::nvic::{DEBUG_MONITOR, SV_CALL};
use super::op::{Op, kind};
use super::{Profile, State};

impl Core {
    pub(super) fn system_instruction(&mut self, op: Op, kind: u8) -> Result<u32, Fault> {
        let timing = self.config.timing;
        match kind {
            kind::SVC => {
                self.synchronous_exception(SV_CALL);
                Ok(1)
            }
            kind::BKPT => {
                self.pc = self.regs.r[15].wrapping_sub(4);
                self.breakpoint_instruction();
                Ok(1)
            }
            kind::CPS => {
                self.change_processor_state(op.imm());
                Ok(1)
            }
            kind::MRS => {
                let value = self.read_special(op.imm() & 0xFF);
                self.regs.set(op.a(), value);
                Ok(timing.mrs.into())
            }
            kind::MSR => {
                self.write_special(op.imm() & 0xFF, op.imm() >> 10 & 3, self.regs.r[op.b()]);
                Ok(timing.msr.into())
            }
            kind::BARRIER => Ok(timing.barrier.into()),
            kind::WFI => {
                self.disturb_itself();
                self.state = State::WaitingForInterrupt;
                // The chip's power control may have more to do than to wait.
                self.signals.yield_now |= self.sleep_deep();
                self.attend();
                Ok(2)
            }
            kind::WFE => {
                if !std::mem::take(&mut self.event) {
                    self.disturb_itself();
                    self.state = State::WaitingForEvent;
                    self.attend();
                }
                Ok(2)
            }
            kind::SEV => {
                self.event = true;
                Ok(1)
            }
            kind::CLREX => {
                self.exclusive = false;
                Ok(1)
            }
            _ => Err(Fault::Undefined),
        }
    }

    /// CPS (B5.2.1): imm[4] disables, imm[1] PRIMASK, imm[0] FAULTMASK.
    fn change_processor_state(&mut self, imm: u32) {
        if !self.regs.privileged() {
            return;
        }
        let disable = imm >> 4 & 1 == 1;
        if imm & 2 != 0 {
            self.regs.primask = disable;
        }
        if imm & 1 != 0 && self.config.v7() {
            self.set_faultmask(disable);
        }
        self.attend_if_pending();
    }

    /// FAULTMASK can be set below the priority of HardFault only.
    fn set_faultmask(&mut self, mask: bool) {
        if !mask || self.execution_priority() > -1 {
            self.regs.faultmask = mask;
        }
    }

    /// MRS (B5.2.2). Unprivileged code reads zero but for APSR and CONTROL.
    fn read_special(&self, number: u32) -> u32 {
        let regs = &self.regs;
        let privileged = regs.privileged();
        match number {
            // IAPSR and the like; EPSR reads as zero.
            0..=7 => {
                let apsr = if number & 4 == 0 { regs.apsr() } else { 0 };
                let ipsr = if number & 1 == 1 && privileged { u32::from(regs.exception) } else { 0 };
                apsr | ipsr
            }
            20 => regs.control(),
            _ if !privileged => 0,
            8 => regs.msp(),
            9 => regs.psp(),
            16 => regs.primask.into(),
            17 | 18 if self.config.v7() => regs.basepri.into(),
            19 if self.config.v7() => regs.faultmask.into(),
            _ => 0,
        }
    }

    /// MSR (B5.2.3). `mask` chooses NZCVQ (bit 1) and GE (bit 0).
    fn write_special(&mut self, number: u32, mask: u32, value: u32) {
        let v7 = self.config.v7();
        let privileged = self.regs.privileged();
        match number {
            0..=3 => {
                let mut apsr = self.regs.apsr();
                if mask & 2 != 0 || !v7 {
                    let written = if v7 { 0xF800_0000 } else { 0xF000_0000 };
                    apsr = apsr & !written | value & written;
                }
                if mask & 1 != 0 && self.config.profile == Profile::Armv7EM {
                    apsr = apsr & !0xF_0000 | value & 0xF_0000;
                }
                self.regs.set_apsr(apsr);
            }
            _ if !privileged => {}
            8 => self.regs.set_msp(value),
            9 => self.regs.set_psp(value),
            16 => self.regs.primask = value & 1 == 1,
            17 if v7 => self.regs.basepri = value as u8 & self.nvic.priority_mask(),
            18 if v7 => {
                let value = value as u8 & self.nvic.priority_mask();
                if value != 0 && (value < self.regs.basepri || self.regs.basepri == 0) {
                    self.regs.basepri = value;
                }
            }
            19 if v7 => self.set_faultmask(value & 1 == 1),
            20 => self.write_control(value),
            _ => {}
        }
        self.attend_if_pending();
    }

    /// SPSEL is ignored in Handler mode (B1.4.4).
    fn write_control(&mut self, value: u32) {
        let regs = &mut self.regs;
        regs.unprivileged_thread = self.config.unprivileged && value & 1 == 1;
        if !regs.handler_mode() {
            regs.spsel = value >> 1 & 1 == 1;
            regs.select_stack();
        }
        regs.fp_active = self.config.fpu && value >> 2 & 1 == 1;
        if self.mpu.enabled() {
            self.reconsider_fetch();
        }
    }

    /// BKPT: halts, or is the DebugMonitor's, or a HardFault (C1.6.1).
    fn breakpoint_instruction(&mut self) {
        if self.halt_for_breakpoint() {
            return;
        }
        if self.config.v7()
            && self.debug.monitor_enabled()
            && self.execution_priority() > self.nvic.priority(DEBUG_MONITOR)
        {
            self.scb.dfsr |= super::scb::dfsr::BKPT;
            self.synchronous_exception(DEBUG_MONITOR);
        } else {
            self.fault(Fault::Breakpoint);
        }
    }
}
