//! Faults: which exception they raise, what the status registers tell, escalation and lockup (ARMv7-M ARM B1.5.14,
//! B1.5.15, B3.2.15). ARMv6-M has the HardFault only and tells nothing.

use super::debug::demcr;
use super::incidents::Raised;
use super::nvic::{BUS_FAULT, HARD_FAULT, MEM_MANAGE, USAGE_FAULT};
use super::op::Op;
use super::scb::{dfsr, hfsr};
use super::{Core, State};
use crate::bus::BusFault;

/// Why an instruction cannot be completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// UNDEFINSTR.
    Undefined,
    /// INVSTATE: EPSR.T is 0.
    InvalidState,
    /// INVPC: a bad EXC_RETURN or stack frame.
    InvalidPc,
    /// NOCP.
    NoCoprocessor,
    /// UNALIGNED.
    Unaligned,
    /// DIVBYZERO.
    DivideByZero,
    /// IBUSERR.
    FetchBus,
    /// IACCVIOL.
    FetchAccess,
    /// PRECISERR at an address.
    DataBus(u32),
    /// DACCVIOL at an address.
    DataAccess(u32),
    /// STKERR and MSTKERR.
    Stacking { access: bool },
    /// UNSTKERR and MUNSTKERR.
    Unstacking { access: bool },
    /// LSPERR and MLSPERR.
    LazyStacking { access: bool },
    /// HFSR.VECTTBL.
    VectorTable,
    /// BKPT with nobody to take it.
    Breakpoint,
    /// None at all: the flash is busy and the instruction has to be tried again later.
    Wait,
}

impl From<BusFault> for Fault {
    fn from(fault: BusFault) -> Fault {
        Fault::DataBus(fault.address)
    }
}

impl Fault {
    fn is_access(self) -> bool {
        matches!(self, Fault::DataAccess(_))
    }

    pub fn stacking(self) -> Fault {
        Fault::Stacking { access: self.is_access() }
    }

    pub fn unstacking(self) -> Fault {
        Fault::Unstacking { access: self.is_access() }
    }

    pub fn lazy(self) -> Fault {
        Fault::LazyStacking { access: self.is_access() }
    }

    /// The exception, its CFSR bits, and the vector catch that goes with it.
    fn cause(self) -> (u16, u32, u32) {
        let usage = |bit: u32, catch| (USAGE_FAULT, 1 << (16 + bit), catch);
        let bus = |bit: u32, catch| (BUS_FAULT, 1 << (8 + bit), catch);
        let memory = |bit: u32, catch| (MEM_MANAGE, 1 << bit, catch);
        match self {
            Fault::Undefined => usage(0, demcr::VC_STATERR),
            Fault::InvalidState => usage(1, demcr::VC_STATERR),
            Fault::InvalidPc => usage(2, demcr::VC_STATERR),
            Fault::NoCoprocessor => usage(3, demcr::VC_NOCPERR),
            Fault::Unaligned => usage(8, demcr::VC_CHKERR),
            Fault::DivideByZero => usage(9, demcr::VC_CHKERR),
            Fault::FetchBus => bus(0, demcr::VC_BUSERR),
            Fault::DataBus(_) => bus(1, demcr::VC_BUSERR),
            Fault::Unstacking { access: false } => bus(3, demcr::VC_INTERR),
            Fault::Stacking { access: false } => bus(4, demcr::VC_INTERR),
            Fault::LazyStacking { access: false } => bus(5, demcr::VC_INTERR),
            Fault::FetchAccess => memory(0, demcr::VC_MMERR),
            Fault::DataAccess(_) => memory(1, demcr::VC_MMERR),
            Fault::Unstacking { access: true } => memory(3, demcr::VC_INTERR),
            Fault::Stacking { access: true } => memory(4, demcr::VC_INTERR),
            Fault::LazyStacking { access: true } => memory(5, demcr::VC_INTERR),
            Fault::VectorTable => (HARD_FAULT, 0, demcr::VC_INTERR),
            Fault::Breakpoint | Fault::Wait => (HARD_FAULT, 0, demcr::VC_HARDERR),
        }
    }
}

/// BFARVALID.
const BFARVALID: u32 = 1 << 15;
/// MMARVALID.
const MMARVALID: u32 = 1 << 7;

impl Core {
    /// The instruction `op` at the PC faults; ITSTATE becomes what it was for it.
    pub(super) fn fault_in(&mut self, op: Op, fault: Fault) {
        self.note_instruction(op);
        if op.is_in_it() {
            self.regs.itstate = self.regs.it_executed;
        }
        self.fault(fault);
    }

    /// Raises the exception of `fault`, with the PC as it is for a return address.
    pub(super) fn fault(&mut self, fault: Fault) {
        self.attend();
        if fault == Fault::Wait {
            self.disturb_itself();
            self.stalled_until = self.signals.flash_busy_until;
            return;
        }
        self.disturb_itself();
        self.note_cause(fault);
        let (exception, status, catch) = fault.cause();
        self.debug.catch |= self.debug.catches(catch);
        if !self.config.v7() {
            self.hard_fault(0);
            return;
        }
        self.scb.cfsr |= status;
        match fault {
            Fault::DataBus(address) => {
                self.scb.bfar = address;
                self.scb.cfsr |= BFARVALID;
            }
            Fault::DataAccess(address) => {
                self.scb.mmfar = address;
                self.scb.cfsr |= MMARVALID;
            }
            Fault::Breakpoint => {
                self.scb.dfsr |= dfsr::BKPT;
                return self.hard_fault(hfsr::DEBUGEVT);
            }
            Fault::VectorTable => return self.hard_fault(hfsr::VECTTBL),
            _ => {}
        }
        self.synchronous_exception(exception);
    }

    /// Raises an exception caused by the instruction in hand; one that cannot be taken now becomes a HardFault.
    pub(super) fn synchronous_exception(&mut self, exception: u16) {
        let enabled = match exception {
            MEM_MANAGE | BUS_FAULT | USAGE_FAULT => self.scb.fault_enabled(exception),
            _ => true,
        };
        let raised = match exception {
            MEM_MANAGE => Some(Raised::MemManage),
            BUS_FAULT => Some(Raised::BusFault),
            USAGE_FAULT => Some(Raised::UsageFault),
            _ => None,
        };
        if raised.is_none() {
            self.note_escalation();
        }
        if enabled && self.nvic.preemption_priority(exception) < self.execution_priority() {
            if let Some(raised) = raised {
                self.note(raised);
            }
            self.nvic.set_pending(exception);
            self.attend();
        } else {
            self.hard_fault(hfsr::FORCED);
        }
    }

    /// Raises a HardFault, or locks up at its priority or above.
    fn hard_fault(&mut self, status: u32) {
        self.disturb_itself();
        self.attend();
        if self.config.v7() {
            self.scb.hfsr |= status;
        }
        let lockup = self.execution_priority() <= -1;
        self.note(if lockup { Raised::Lockup } else { Raised::HardFault });
        if lockup {
            self.state = State::Lockup;
            self.pc = 0xFFFF_FFFE;
            self.debug.locked_up = true;
        } else {
            self.nvic.set_pending(HARD_FAULT);
        }
    }

    /// ExecutionPriority (B1.5.4): exceptions with lower numbers preempt.
    pub(super) fn execution_priority(&self) -> i32 {
        self.nvic.execution_priority(self.regs.primask, self.regs.faultmask, self.regs.basepri)
    }
}
