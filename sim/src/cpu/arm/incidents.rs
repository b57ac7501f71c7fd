//! What goes wrong with the program, kept for people: each kind of fault at each place once, with how often it happened.
//! The program itself sees its fault registers and nothing of this.

use std::fmt;

use super::faults::Fault;
use super::op::{Op, kind};
use super::{Core, State};
use crate::bus::Size;

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Raised {
    /// The MemManage exception.
    MemManage,
    /// The BusFault exception.
    BusFault,
    /// The UsageFault exception.
    UsageFault,
    /// The HardFault exception.
    HardFault,
    /// The core locked up: a fault where no handler can run.
    Lockup,
    /// No fault: the watchdog's time ran out here, and it reset the chip.
    Watchdog,
}

/// Why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// Erased flash was executed: for the core an undefined instruction, or one for an absent coprocessor.
    Erased,
    /// An undefined instruction, with its encoding.
    Undefined(u32),
    /// A branch to an even address: the core knows Thumb instructions only.
    InvalidState,
    /// A return from an exception with a bad EXC_RETURN or frame.
    InvalidReturn,
    /// An instruction for a coprocessor that is absent or switched off.
    NoCoprocessor,
    /// An access to an unaligned address where that is not allowed.
    Unaligned,
    /// A division by zero, with the trap for it enabled.
    DivideByZero,
    /// No memory to fetch an instruction from.
    Fetch,
    /// The MPU forbids to execute this.
    FetchDenied,
    /// A load from an address where nothing answers.
    Load(u32),
    /// A store to such an address.
    Store(u32),
    /// The MPU forbids to access this address.
    AccessDenied(u32),
    /// The registers could not be stored on the stack at this address, when an exception was taken.
    Stacking(u32),
    /// They could not be loaded from it again.
    Unstacking(u32),
    /// The handler's address could not be read.
    VectorTable,
    /// A breakpoint instruction without a debugger.
    Breakpoint,
    /// SVC (or another exception that cannot wait) at a priority where it cannot be taken.
    Escalated,
    /// Nothing in particular.
    None,
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Raised::MemManage => "MemManage fault",
            Raised::BusFault => "BusFault",
            Raised::UsageFault => "UsageFault",
            Raised::HardFault => "HardFault",
            Raised::Lockup => "lockup",
            Raised::Watchdog => "reset by the watchdog",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Erased => f.write_str("instruction 0xffffffff, which is erased flash"),
            Cause::Undefined(encoding) if *encoding > 0xFFFF => write!(f, "undefined instruction {encoding:#010x}"),
            Cause::Undefined(encoding) => write!(f, "undefined instruction {encoding:#06x}"),
            Cause::InvalidState => f.write_str("jump to an even address, which is no Thumb code"),
            Cause::InvalidReturn => f.write_str("return from an exception with a bad EXC_RETURN or stack frame"),
            Cause::NoCoprocessor => f.write_str("coprocessor (or FPU) that is absent or switched off"),
            Cause::Unaligned => f.write_str("unaligned access"),
            Cause::DivideByZero => f.write_str("division by zero"),
            Cause::Fetch => f.write_str("jump to where there is no memory"),
            Cause::FetchDenied => f.write_str("jump to where the MPU forbids to execute"),
            Cause::Load(address) => write!(f, "read of {address:#010x}, where nothing answers"),
            Cause::Store(address) => write!(f, "write to {address:#010x}, where nothing answers"),
            Cause::AccessDenied(address) => write!(f, "access to {address:#010x}, which the MPU forbids"),
            Cause::Stacking(sp) => write!(f, "stack pointer {sp:#010x}, where registers cannot be stored"),
            Cause::Unstacking(sp) => write!(f, "stack pointer {sp:#010x}, from where registers cannot be loaded"),
            Cause::VectorTable => f.write_str("the handler's address cannot be read"),
            Cause::Breakpoint => f.write_str("breakpoint instruction without a debugger"),
            Cause::Escalated => f.write_str("an exception that cannot be taken at this priority"),
            Cause::None => Ok(()),
        }
    }
}

/// A kind of fault at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Incident {
    /// What came of it.
    pub raised: Raised,
    /// Why, the first time.
    pub cause: Cause,
    /// The instruction's address; where the program was, if it is no instruction's fault.
    pub pc: u32,
    /// The link register, the first time: mostly where the function was called from.
    pub lr: u32,
    /// The core's cycle, the first time.
    pub cycle: u64,
    /// How often.
    pub times: u64,
}

/// So many places are kept.
const KEPT: usize = 32;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Incidents {
    list: Vec<Incident>,
    /// Why the fault in hand is one.
    cause: Cause,
    /// The instruction in hand stores.
    stores: bool,
}

impl Default for Incidents {
    fn default() -> Incidents {
        // Never grows: nothing is allocated while the core runs.
        Incidents { list: Vec::with_capacity(KEPT), cause: Cause::None, stores: false }
    }
}

/// Whether an instruction whose access fails was storing.
fn stores(op: Op) -> bool {
    match op.kind() {
        kind::STR_IMM | kind::STRB_IMM | kind::STRH_IMM | kind::STR_REG | kind::STRB_REG | kind::STRH_REG => true,
        kind::STRD | kind::STM | kind::PUSH => true,
        kind::LOAD_STORE..=kind::STRH_MOVE => !super::loadstore::is_load(op),
        // The bit L of LDREX and STREX, VLDR and VSTR.
        kind::EXCLUSIVE | kind::VFP => op.imm() >> 20 & 1 == 0,
        _ => false,
    }
}

impl Core {
    /// What went wrong so far, in the order of the first times. Resets do not forget it.
    #[must_use]
    pub fn incidents(&self) -> &[Incident] {
        &self.incidents.list
    }

    /// The watchdog is about to reset the chip.
    pub fn note_watchdog(&mut self) {
        self.unpark();
        self.incidents.cause = Cause::None;
        self.note(Raised::Watchdog);
    }

    /// The instruction in hand is about to fault.
    pub(super) fn note_instruction(&mut self, op: Op) {
        self.incidents.stores = stores(op);
    }

    /// A fault is about to be raised.
    pub(super) fn note_cause(&mut self, fault: Fault) {
        let stores = std::mem::take(&mut self.incidents.stores);
        self.incidents.cause = match fault {
            Fault::Undefined | Fault::NoCoprocessor if self.encoding() == u32::MAX => Cause::Erased,
            Fault::Undefined => Cause::Undefined(self.encoding()),
            Fault::InvalidState => Cause::InvalidState,
            Fault::InvalidPc => Cause::InvalidReturn,
            Fault::NoCoprocessor => Cause::NoCoprocessor,
            Fault::Unaligned => Cause::Unaligned,
            Fault::DivideByZero => Cause::DivideByZero,
            Fault::FetchBus => Cause::Fetch,
            Fault::FetchAccess => Cause::FetchDenied,
            Fault::DataBus(address) if stores => Cause::Store(address),
            Fault::DataBus(address) => Cause::Load(address),
            Fault::DataAccess(address) => Cause::AccessDenied(address),
            Fault::Stacking { .. } | Fault::LazyStacking { .. } => Cause::Stacking(self.regs.r[13]),
            Fault::Unstacking { .. } => Cause::Unstacking(self.regs.r[13]),
            Fault::VectorTable => Cause::VectorTable,
            Fault::Breakpoint => Cause::Breakpoint,
            Fault::Wait => Cause::None,
        };
    }

    /// Forgets the cause of an earlier fault: what comes now has none of its own.
    pub(super) fn note_escalation(&mut self) {
        self.incidents.cause = Cause::Escalated;
    }

    /// Counts what came of the fault in hand. To be called while the PC is still the instruction's.
    pub(super) fn note(&mut self, raised: Raised) {
        // The core is in lockup already: it executes nothing, and nothing new went wrong.
        if self.state == State::Lockup && raised != Raised::Watchdog {
            return;
        }
        let Core { incidents: Incidents { list, cause, .. }, pc, regs, cycle, .. } = self;
        if let Some(known) = list.iter_mut().find(|known| (known.raised, known.pc) == (raised, *pc)) {
            known.times += 1;
        } else if list.len() < KEPT {
            list.push(Incident { raised, cause: *cause, pc: *pc, lr: regs.r[14], cycle: *cycle, times: 1 });
        }
    }

    /// The instruction at the PC as it stands in memory; erased where there is none.
    fn encoding(&self) -> u32 {
        let half = |address| self.memory.read(address, Size::Half).unwrap_or(0xFFFF);
        let first = half(self.pc);
        if first >> 11 >= 0b11101 { first << 16 | half(self.pc.wrapping_add(2)) } else { first }
    }
}
