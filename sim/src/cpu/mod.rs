//! CPU cores: predecoded interpreters that count cycles, and the contract between a core and its chip.
//!
//! A core owns its view of memory ([`memory::Memory`]) and reaches everything else through the chip's [`Mmio`]. Time
//! inside a chip is counted in core cycles since power-on; the chip converts.

// Where nothing is translated, nobody needs what only the translator asks.
#![cfg_attr(not(all(target_arch = "x86_64", unix)), allow(dead_code))]

pub mod arm;
pub mod memory;

use crate::bus::{BusFault, Size};
use memory::Memory;

/// Interrupt request lines into a core's interrupt controller, as levels. Bit n is external interrupt n.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IrqLines {
    /// The levels, up to 128 lines.
    pub levels: u128,
}

impl IrqLines {
    /// Sets the level of line `irq` (0 to 127).
    pub fn set(&mut self, irq: u8, level: bool) {
        let bit = 1u128 << (irq & 127);
        if level { self.levels |= bit } else { self.levels &= !bit }
    }
}

/// What a peripheral sees of the core while it is accessed, or while its event runs.
#[derive(Debug)]
pub struct MmioContext<'a> {
    /// The core's cycle count at the access or event.
    pub cycle: u64,
    /// The core's memories: EasyDMA reads and writes them, a flash controller programs them.
    pub memory: &'a mut Memory,
    /// Interrupt lines.
    pub irq: &'a mut IrqLines,
    /// The cycle of the next call of [`Mmio::event`]; a model that schedules something lowers it.
    pub deadline: &'a mut u64,
    /// Cycles that the core loses to this access, beyond the access itself (flash busy, for example).
    pub stall: &'a mut u64,
    /// Set by a read whose value cannot change before `deadline` and that had no side effect, and by a write that had no
    /// effect at all. A loop with only such accesses may be skipped in whole turns until `deadline`; the result is
    /// cycle-exact. See [`Mmio`].
    pub steady: &'a mut bool,
    /// Set to end the core's run after this instruction (an edge went out, for example).
    pub yield_now: &'a mut bool,
    /// Set to request a reset of the whole chip after this instruction.
    pub reset: &'a mut bool,
    /// Set to send the core an event (the RXEV input): wakes it from WFE, as SEV on another core would.
    pub send_event: &'a mut bool,
    /// Until this cycle the flash answers nobody: the core waits as soon as it fetches or loads from a region of
    /// [`memory::Kind::Flash`], and runs on as long as it stays in RAM.
    pub flash_busy_until: &'a mut u64,
    /// The access comes from the debug port and not from the core: reads have no side effects on the core's timing.
    pub debugger: bool,
}

/// Everything on the core's bus that is not memory.
///
/// # Steady reads
///
/// A core that waits in a loop costs no work if all that the loop reads is *steady*. So a model should say so
/// ([`MmioContext::steady`]) for every register that programs look at while they wait: status and flag registers, the
/// level of pins, the state of interrupts. It may if
///
/// - the read changes nothing: no flag is cleared, no FIFO goes on, nothing is counted;
/// - every later read would give the same value until the next [`Mmio::event`], an access of the core to the chip that
///   is not a steady read, or a call from outside ([`arm::Core::with_context`], [`arm::Core::schedule`]). A
///   register that changes with time is steady if `deadline` is not later than its next change; a counter is not.
///
/// A *write* is steady if it has no effect, and would have none until then: a watchdog is fed that does not run, say.
///
/// While a core is parked ([`arm::Core::run_or_park`]) its steady accesses are not made at all.
pub trait Mmio {
    /// A load. `size` and `address` are as the core issued them; the value is right-aligned.
    ///
    /// # Errors
    /// [`BusFault`] where the bus answers with an error.
    fn read(&mut self, cx: &mut MmioContext<'_>, address: u32, size: Size) -> Result<u32, BusFault>;

    /// A store, also one to a memory region that is not writable (flash).
    ///
    /// # Errors
    /// [`BusFault`] where the bus answers with an error.
    fn write(&mut self, cx: &mut MmioContext<'_>, address: u32, size: Size, value: u32) -> Result<(), BusFault>;

    /// `cx.cycle` reached the deadline: runs what is due and sets the next deadline (`u64::MAX`: none).
    fn event(&mut self, cx: &mut MmioContext<'_>);
}

/// Why a core's run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// The cycle count reached what was asked for.
    Reached,
    /// A peripheral asked for it ([`MmioContext::yield_now`]).
    Yielded,
    /// A reset of the chip was requested, by the core's software or by a peripheral. The chip resets itself and the
    /// core.
    Reset,
    /// The core just entered debug state. Running on lets time pass for the peripherals.
    Halted,
    /// The core just locked up. Running on lets time pass for the peripherals.
    LockedUp,
}

/// Data accesses after which a core halts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watch {
    /// First address.
    pub address: u32,
    /// Length in bytes.
    pub len: u32,
    /// Loads count.
    pub read: bool,
    /// Stores count.
    pub write: bool,
}

impl Watch {
    /// Whether an access touches the watched bytes.
    #[must_use]
    pub fn matches(&self, address: u32, size: Size, write: bool) -> bool {
        let end = u64::from(self.address) + u64::from(self.len);
        let wanted = if write { self.write } else { self.read };
        wanted && u64::from(address) < end && u64::from(address) + u64::from(size.bytes()) > u64::from(self.address)
    }
}

/// A core with its bus, as a debugger outside the chip drives it: not through the chip's own debug port, and unseen
/// by the chip's software.
pub trait Cpu {
    /// Cycles since power-on.
    fn cycle(&self) -> u64;

    /// Reads a register in the numbering of the core's debug architecture.
    fn register(&self, number: u8) -> u32;

    /// Writes a register.
    fn set_register(&mut self, number: u8, value: u32);

    /// Reads memory or a memory-mapped register.
    ///
    /// # Errors
    /// [`BusFault`] where the bus answers with an error.
    fn read_memory(&mut self, address: u32, size: Size) -> Result<u32, BusFault>;

    /// Writes memory or a memory-mapped register.
    ///
    /// # Errors
    /// [`BusFault`] where the bus answers with an error.
    fn write_memory(&mut self, address: u32, size: Size, value: u32) -> Result<(), BusFault>;

    /// A debugger comes or goes: while it is there, breakpoint instructions halt the core.
    fn set_observed(&mut self, observed: bool);

    /// Sets or clears a breakpoint: the core halts before it executes the instruction at `address`.
    fn set_breakpoint(&mut self, address: u32, set: bool);

    /// Sets or clears a watchpoint: the core halts after a matching access.
    fn set_watchpoint(&mut self, watch: Watch, set: bool);

    /// The watchpoint that matched last.
    fn watch_hit(&self) -> Option<Watch>;

    /// Whether the core is halted.
    fn halted(&self) -> bool;

    /// Halts the core.
    fn halt(&mut self);

    /// Lets the core run, for one instruction if `step`.
    fn resume(&mut self, step: bool);

    /// Lets time pass until `until` cycles, or something happens.
    fn run(&mut self, until: u64) -> Stop;

    /// Makes external interrupt `irq` pending.
    fn pend_interrupt(&mut self, irq: u8);

    /// Switches the skipping of waiting loops, which is on at first. Results are the same either way.
    fn set_spin_skipping(&mut self, on: bool);
}
