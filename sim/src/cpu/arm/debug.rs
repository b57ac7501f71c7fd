//! Halting debug: DHCSR, DCRSR, DCRDR, DEMCR (ARMv7-M ARM C1.5, C1.6; ARMv6-M ARM C1.5).

use super::bus::Rights;
use super::nvic::{DEBUG_MONITOR, HARD_FAULT};
use super::scb::dfsr;
use super::{Core, Register, State};

/// DHCSR.
mod dhcsr {
    pub const KEY: u32 = 0xA05F;
    pub const C_DEBUGEN: u32 = 1 << 0;
    pub const C_HALT: u32 = 1 << 1;
    pub const C_STEP: u32 = 1 << 2;
    pub const C_MASKINTS: u32 = 1 << 3;
    pub const C_SNAPSTALL: u32 = 1 << 5;
    pub const S_REGRDY: u32 = 1 << 16;
    pub const S_HALT: u32 = 1 << 17;
    pub const S_SLEEP: u32 = 1 << 18;
    pub const S_LOCKUP: u32 = 1 << 19;
    pub const S_RETIRE_ST: u32 = 1 << 24;
    pub const S_RESET_ST: u32 = 1 << 25;
}

/// DEMCR.
pub(super) mod demcr {
    pub const VC_CORERESET: u32 = 1 << 0;
    pub const VC_MMERR: u32 = 1 << 4;
    pub const VC_NOCPERR: u32 = 1 << 5;
    pub const VC_CHKERR: u32 = 1 << 6;
    pub const VC_STATERR: u32 = 1 << 7;
    pub const VC_BUSERR: u32 = 1 << 8;
    pub const VC_INTERR: u32 = 1 << 9;
    pub const VC_HARDERR: u32 = 1 << 10;
    pub const MON_EN: u32 = 1 << 16;
    pub const MON_PEND: u32 = 1 << 17;
    pub const TRCENA: u32 = 1 << 24;
    /// What ARMv7-M has, MON_PEND apart.
    pub const ARMV7M: u32 = 0x010D_07F1;
    /// What ARMv6-M has.
    pub const ARMV6M: u32 = TRCENA | VC_HARDERR | VC_CORERESET;
}

/// The debug unit's own state.
#[derive(Clone, Debug)]
pub(super) struct Debug {
    /// C_DEBUGEN, C_STEP, C_MASKINTS, C_SNAPSTALL.
    control: u32,
    pub demcr: u32,
    dcrdr: u32,
    /// C_HALT written by the core's own software: halts after the instruction.
    pub halt_requested: bool,
    /// One instruction is to be executed before the next halt.
    pub stepping: bool,
    /// S_RESET_ST.
    was_reset: bool,
    /// S_RETIRE_ST.
    pub retired: bool,
    /// A watchpoint matched during the instruction in hand.
    pub watchpoint: bool,
    /// The outside debugger's watchpoint that matched last.
    pub watch_hit: Option<crate::cpu::Watch>,
    /// A fault with its vector catch on is on its way to its handler.
    pub catch: bool,
    /// The core halted, and [`Core::run`] has not told yet.
    pub halt_untold: bool,
    /// The core locked up, and [`Core::run`] has not told yet.
    pub locked_up: bool,
    /// A debugger outside the chip is there: breakpoints halt although C_DEBUGEN is 0.
    pub observed: bool,
}

impl Default for Debug {
    fn default() -> Debug {
        Debug {
            control: 0,
            demcr: 0,
            dcrdr: 0,
            halt_requested: false,
            stepping: false,
            was_reset: true,
            retired: false,
            watchpoint: false,
            watch_hit: None,
            catch: false,
            halt_untold: false,
            locked_up: false,
            observed: false,
        }
    }
}

impl Debug {
    /// A reset that spares the debug components.
    pub fn core_was_reset(&mut self) {
        self.control &= !(dhcsr::C_STEP | dhcsr::C_MASKINTS);
        self.halt_requested = false;
        self.stepping = false;
        self.was_reset = true;
        self.retired = false;
        self.watchpoint = false;
        self.catch = false;
    }

    /// C_DEBUGEN.
    pub fn enabled(&self) -> bool {
        self.control & dhcsr::C_DEBUGEN != 0
    }

    pub fn masks_interrupts(&self) -> bool {
        let bits = dhcsr::C_DEBUGEN | dhcsr::C_MASKINTS;
        self.control & bits == bits
    }

    pub fn monitor_enabled(&self) -> bool {
        self.demcr & demcr::MON_EN != 0
    }

    pub fn catches(&self, vector_catch: u32) -> bool {
        self.enabled() && self.demcr & vector_catch != 0
    }

    /// Whether entering `exception` is caught whatever caused it.
    pub fn catches_exception(&self, exception: u16) -> bool {
        exception == HARD_FAULT && self.catches(demcr::VC_HARDERR)
    }

    pub fn catches_reset(&self) -> bool {
        self.catches(demcr::VC_CORERESET)
    }
}

impl Core {
    /// Enters debug state for `reason`, a DFSR bit.
    pub(super) fn halt(&mut self, reason: u32) {
        self.scb.dfsr |= reason;
        self.stop_looking();
        self.debug.halt_requested = false;
        self.debug.stepping = false;
        self.debug.watchpoint = false;
        self.debug.halt_untold = true;
        self.stalled_until = 0;
        self.state = State::Halted;
        self.systick.set_frozen(true, self.cycle);
        self.dwt.set_halted(true, self.cycle);
        self.attend();
    }

    /// Leaves debug state; with `step`, for one instruction.
    pub(super) fn resume(&mut self, step: bool) {
        self.state = State::Running;
        self.debug.stepping = step;
        self.debug.halt_untold = false;
        self.systick.set_frozen(false, self.cycle);
        self.dwt.set_halted(false, self.cycle);
        self.reconsider_fetch();
        self.attend();
    }

    /// A watchpoint comparator matched: the core halts after the instruction.
    pub(super) fn watchpoint_hit(&mut self) {
        self.debug.watchpoint = true;
        self.attend();
    }

    /// Acts on a watchpoint that matched during the last instruction.
    pub(super) fn take_watchpoint(&mut self) {
        if !std::mem::take(&mut self.debug.watchpoint) {
            return;
        }
        if self.debug.enabled() || self.debug.observed || !self.watches.is_empty() {
            self.halt(dfsr::DWTTRAP);
        } else if self.debug.monitor_enabled() {
            self.scb.dfsr |= dfsr::DWTTRAP;
            if self.nvic.preemption_priority(DEBUG_MONITOR) < self.execution_priority() {
                self.nvic.set_pending(DEBUG_MONITOR);
                self.attend();
            }
        }
    }

    /// Whether the core stops before the instruction at `pc`; if so it has been halted (or interrupted).
    pub(super) fn breakpoint_at(&mut self, pc: u32) -> bool {
        if self.breakpoints.contains(&pc) {
            self.halt(dfsr::BKPT);
            return true;
        }
        self.fpb.is_breakpoint(pc) && self.halt_for_breakpoint()
    }

    /// Halts for a BKPT or a comparator if halting debug is on.
    pub(super) fn halt_for_breakpoint(&mut self) -> bool {
        let halts = self.debug.enabled() || self.debug.observed;
        if halts {
            self.halt(dfsr::BKPT);
        }
        halts
    }

    /// Reads DHCSR (offset 0), DCRSR, DCRDR or DEMCR.
    pub(super) fn read_debug(&mut self, offset: u32, rights: Rights) -> u32 {
        match offset {
            0x0 => self.read_dhcsr(rights),
            0x8 => self.debug.dcrdr,
            0xC => {
                let pending = self.nvic.is_pending(DEBUG_MONITOR);
                self.debug.demcr | if pending { demcr::MON_PEND } else { 0 }
            }
            _ => 0,
        }
    }

    fn read_dhcsr(&mut self, rights: Rights) -> u32 {
        let halted = self.state == State::Halted;
        let mut value = self.debug.control | dhcsr::S_REGRDY;
        for (bit, set) in [
            (dhcsr::C_HALT, halted || self.debug.halt_requested),
            (dhcsr::S_HALT, halted),
            (dhcsr::S_SLEEP, matches!(self.state, State::WaitingForInterrupt | State::WaitingForEvent)),
            (dhcsr::S_LOCKUP, self.state == State::Lockup),
            (dhcsr::S_RETIRE_ST, self.debug.retired),
            (dhcsr::S_RESET_ST, self.debug.was_reset),
        ] {
            value |= if set { bit } else { 0 };
        }
        if rights.debugger {
            self.debug.retired = false;
            self.debug.was_reset = false;
        }
        value
    }

    /// Writes DHCSR (offset 0), DCRSR, DCRDR or DEMCR.
    pub(super) fn write_debug(&mut self, offset: u32, value: u32, rights: Rights) {
        match offset {
            0x0 if value >> 16 == dhcsr::KEY => self.write_dhcsr(value, rights),
            0x4 if self.state == State::Halted => {
                let register = Register((value & 0x7F) as u8);
                if value >> 16 & 1 == 1 {
                    self.set_register(register, self.debug.dcrdr);
                } else {
                    self.debug.dcrdr = self.register(register);
                }
            }
            0x8 => self.debug.dcrdr = value,
            0xC => self.write_demcr(value),
            _ => {}
        }
    }

    fn write_dhcsr(&mut self, value: u32, rights: Rights) {
        let halted = self.state == State::Halted;
        let halt = value & dhcsr::C_HALT != 0;
        let control = &mut self.debug.control;
        if rights.debugger {
            *control = *control & !dhcsr::C_DEBUGEN | value & dhcsr::C_DEBUGEN;
        }
        if *control & dhcsr::C_DEBUGEN == 0 {
            *control = 0;
            if halted {
                self.resume(false);
            }
            return;
        }
        // C_MASKINTS changes only in debug state or on the way there (C1.6.2).
        let mut writable = dhcsr::C_STEP;
        if halted || halt {
            writable |= dhcsr::C_MASKINTS;
        }
        if self.config.v7() {
            writable |= dhcsr::C_SNAPSTALL;
        }
        *control = *control & !writable | value & writable;
        let step = *control & dhcsr::C_STEP != 0;
        match (halted, halt) {
            (false, true) if rights.debugger => self.halt(dfsr::HALTED),
            (false, true) => {
                self.debug.halt_requested = true;
                self.attend();
            }
            (true, false) => self.resume(step),
            (false, false) => {
                self.debug.halt_requested = false;
                // C_STEP written to a running core: it halts after the next instruction.
                self.debug.stepping = step;
                self.attend();
            }
            (true, true) => {}
        }
    }

    fn write_demcr(&mut self, value: u32) {
        let implemented = if self.config.v7() { demcr::ARMV7M } else { demcr::ARMV6M };
        let before = self.debug.demcr;
        self.debug.demcr = value & implemented;
        if (before ^ value) & demcr::TRCENA != 0 {
            self.dwt.set_enabled(value & demcr::TRCENA != 0, self.cycle);
            self.close_fast_windows();
        }
        if self.config.v7() {
            if value & demcr::MON_PEND != 0 {
                self.nvic.set_pending(DEBUG_MONITOR);
            } else {
                self.nvic.clear_pending(DEBUG_MONITOR);
            }
        }
        self.attend();
    }
}
