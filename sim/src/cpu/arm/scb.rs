//! The System Control Block (ARMv7-M ARM B3.2): what of it is state of its own.

use super::nvic::{BUS_FAULT, MEM_MANAGE, USAGE_FAULT};

/// HFSR.
pub(super) mod hfsr {
    pub const VECTTBL: u32 = 1 << 1;
    pub const FORCED: u32 = 1 << 30;
    pub const DEBUGEVT: u32 = 1 << 31;
}

/// DFSR.
pub(super) mod dfsr {
    pub const HALTED: u32 = 1 << 0;
    pub const BKPT: u32 = 1 << 1;
    pub const DWTTRAP: u32 = 1 << 2;
    pub const VCATCH: u32 = 1 << 3;
    pub const ALL: u32 = 0x1F;
}

pub(super) use scr::SLEEPDEEP;

/// SCR.
mod scr {
    pub const SLEEPONEXIT: u32 = 1 << 1;
    pub const SLEEPDEEP: u32 = 1 << 2;
    pub const SEVONPEND: u32 = 1 << 4;
}

/// CCR.
mod ccr {
    pub const NONBASETHRDENA: u32 = 1 << 0;
    pub const USERSETMPEND: u32 = 1 << 1;
    pub const UNALIGN_TRP: u32 = 1 << 3;
    pub const DIV_0_TRP: u32 = 1 << 4;
    pub const BFHFNMIGN: u32 = 1 << 8;
    pub const STKALIGN: u32 = 1 << 9;
}

/// The registers; those that show the NVIC are not here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Scb {
    /// The core was reset and has not fetched its vector yet.
    pub reset_pending: bool,
    pub vtor: u32,
    scr: u32,
    ccr: u32,
    /// SHCSR bits 18:16.
    pub faults_enabled: u32,
    pub cfsr: u32,
    pub hfsr: u32,
    pub dfsr: u32,
    pub mmfar: u32,
    pub bfar: u32,
    pub cpacr: u32,
    pub actlr: u32,
}

impl Default for Scb {
    fn default() -> Scb {
        Scb {
            reset_pending: false,
            vtor: 0,
            scr: 0,
            ccr: ccr::STKALIGN,
            faults_enabled: 0,
            cfsr: 0,
            hfsr: 0,
            dfsr: 0,
            mmfar: 0,
            bfar: 0,
            cpacr: 0,
            actlr: 0,
        }
    }
}

impl Scb {
    pub fn unalign_trap(&self) -> bool {
        self.ccr & ccr::UNALIGN_TRP != 0
    }

    pub fn divide_trap(&self) -> bool {
        self.ccr & ccr::DIV_0_TRP != 0
    }

    pub fn stack_align(&self) -> bool {
        self.ccr & ccr::STKALIGN != 0
    }

    pub fn nonbase_thread(&self) -> bool {
        self.ccr & ccr::NONBASETHRDENA != 0
    }

    pub fn user_may_pend(&self) -> bool {
        self.ccr & ccr::USERSETMPEND != 0
    }

    pub fn sleep_on_exit(&self) -> bool {
        self.scr & scr::SLEEPONEXIT != 0
    }

    pub fn event_on_pending(&self) -> bool {
        self.scr & scr::SEVONPEND != 0
    }

    /// SHCSR.MEMFAULTENA and the like.
    pub fn fault_enabled(&self, exception: u16) -> bool {
        let bit = match exception {
            MEM_MANAGE => 16,
            BUS_FAULT => 17,
            USAGE_FAULT => 18,
            _ => return false,
        };
        self.faults_enabled >> bit & 1 == 1
    }

    pub fn read_scr(&self) -> u32 {
        self.scr
    }

    pub fn write_scr(&mut self, value: u32) {
        self.scr = value & (scr::SLEEPONEXIT | scr::SLEEPDEEP | scr::SEVONPEND);
    }

    /// CCR; on ARMv6-M both of its bits are fixed.
    pub fn read_ccr(&self, v7: bool) -> u32 {
        if v7 { self.ccr } else { ccr::STKALIGN | ccr::UNALIGN_TRP }
    }

    pub fn write_ccr(&mut self, value: u32) {
        self.ccr = value
            & (ccr::NONBASETHRDENA
                | ccr::USERSETMPEND
                | ccr::UNALIGN_TRP
                | ccr::DIV_0_TRP
                | ccr::BFHFNMIGN
                | ccr::STKALIGN);
    }
}
