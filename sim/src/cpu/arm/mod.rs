//! Arm Cortex-M cores: ARMv6-M (ARM DDI 0419E), ARMv7-M and ARMv7E-M (ARM DDI 0403E) with FPv4-SP.
//!
//! A Cortex-M is an instruction set, an exception model with the interrupt controller built in, and a debug unit, all
//! of it memory mapped on the private peripheral bus. [`Core`] is all of that for one core, as its [`CoreConfig`]
//! says.
//!
//! The interpreter runs decoded instructions (`op`, `decode`, `decode32`) that lie in a cache beside the memory. Its
//! inner loop (`interpret`) asks only one question per instruction: has the cycle counter reached `limit`? Everything
//! that wants the core's attention (the end of the run, a peripheral's event, SysTick, a pending exception, a debugger)
//! lowers that limit; what it was is sorted out outside (`run`). In the same way everything that wants to see data
//! accesses or fetches (watchpoints, the MPU, a busy flash) closes the fast windows through which the inner loop
//! reaches memory, so that accesses take the slow way, where all of them are looked at.

pub mod config;
pub mod coresight;
pub mod dsp;
pub mod dwt;
pub mod fpb;
pub mod fpu;

mod attach;
mod bus;
mod data;
mod debug;
mod decode;
mod decode32;
mod delay;
mod exceptions;
mod faults;
mod fetch;
mod incidents;
mod interpret;
#[cfg(all(target_arch = "x86_64", unix))]
mod jit;
#[cfg(not(all(target_arch = "x86_64", unix)))]
#[path = "jit/none.rs"]
mod jit;
mod loadstore;
mod mpu;
mod multiple;
mod nvic;
mod op;
mod parked;
mod ppb;
mod registers;
mod run;
mod scb;
mod simd;
mod slow;
mod spin;
mod system;
mod systick;
#[cfg(test)]
mod tests;
mod trail;
mod vfp;

pub use attach::Attached;
pub use config::{CoreConfig, Profile, Timing};
pub use incidents::{Cause, Incident, Raised};
pub use registers::Register;

use super::IrqLines;
use super::memory::{Memory, Window};
use debug::Debug;
use dwt::{Dwt, DwtConfig};
use fpb::{Fpb, FpbConfig};
use incidents::Incidents;
use jit::Jit;
use mpu::Mpu;
use nvic::Nvic;
use registers::Registers;
use scb::Scb;
use spin::Spin;
use systick::SysTick;
use vfp::Vfp;

/// What is reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResetKind {
    /// Power-on, or a reset that includes the debug components.
    PowerOn,
    /// SYSRESETREQ, watchdog and the like: the debug components keep their state.
    System,
}

/// What the core does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Executes instructions.
    Running,
    /// Waits after WFI or on exit from a handler.
    WaitingForInterrupt,
    /// Waits after WFE.
    WaitingForEvent,
    /// In debug state.
    Halted,
    /// A fault at the priority of HardFault or above (ARMv7-M ARM B1.5.15).
    Lockup,
}

/// The lines between the core and its chip; what [`super::MmioContext`] shows.
#[derive(Debug)]
struct Signals {
    irq: IrqLines,
    deadline: u64,
    stall: u64,
    steady: bool,
    yield_now: bool,
    reset: bool,
    send_event: bool,
    flash_busy_until: u64,
}

/// Windows through which the interpreter reaches memory without asking anybody.
#[derive(Debug)]
struct Fast {
    /// Instructions.
    fetch: Window,
    /// Loads.
    ram: Window,
    /// Stores.
    stores: Window,
    /// Loads, too.
    flash: Window,
    /// Loads and stores in the peripheral region (0x40000000 to 0x5FFFFFFF) go to the chip and nobody else.
    peripherals: bool,
}

impl Fast {
    const CLOSED: Fast = Fast {
        fetch: Window::EMPTY,
        ram: Window::EMPTY,
        stores: Window::EMPTY,
        flash: Window::EMPTY,
        peripherals: false,
    };
}

/// One Cortex-M core with its memories.
///
/// In this order, because the host's instructions for what is near the beginning are shorter.
#[derive(Debug)]
#[repr(C)]
pub struct Core {
    regs: Registers,
    /// The interpreter's inner loop ends when `cycle` gets here; 0 asks for attention.
    limit: u64,
    fast: Fast,
    memory: Memory,
    config: CoreConfig,
    /// The instruction to be executed next.
    pc: u32,
    cycle: u64,
    /// The windows are closed for a flash that is busy until this cycle: they need not be closed again for it.
    closed_until: u64,
    /// Until this cycle the core waits for its bus.
    stalled_until: u64,
    state: State,
    /// Set by SEV, exceptions and the chip; consumed by WFE (B1.5.18).
    event: bool,
    /// The local exclusive monitor is open; it covers all of memory (Cortex-M4 TRM 3.3.4).
    exclusive: bool,
    signals: Signals,
    nvic: Nvic,
    scb: Scb,
    systick: SysTick,
    mpu: Mpu,
    vfp: Vfp,
    debug: Debug,
    fpb: Fpb,
    dwt: Dwt,
    spin: Spin,
    jit: Jit,
    incidents: Incidents,
    /// Where a debugger outside the chip wants the core to halt.
    breakpoints: Vec<u32>,
    /// After which accesses it wants one.
    watches: Vec<super::Watch>,
    /// When the core slept or waited in a loop, in cycles, if somebody wants to know.
    idle: Option<Vec<(u64, u64)>>,
}

impl Core {
    /// A core at power-on, with its reset vector still to be fetched: the first [`Core::run`] does that.
    #[must_use]
    pub fn new(config: CoreConfig, memory: Memory) -> Core {
        let mut core = Core {
            config,
            memory,
            fast: Fast::CLOSED,
            regs: Registers::default(),
            pc: 0,
            cycle: 0,
            limit: 0,
            closed_until: 0,
            stalled_until: 0,
            state: State::Running,
            event: false,
            exclusive: false,
            signals: Signals {
                irq: IrqLines::default(),
                deadline: 0,
                stall: 0,
                steady: false,
                yield_now: false,
                reset: false,
                send_event: false,
                flash_busy_until: 0,
            },
            nvic: Nvic::new(&config),
            scb: Scb::default(),
            systick: SysTick::default(),
            mpu: Mpu::new(config.mpu_regions),
            vfp: Vfp::default(),
            debug: Debug::default(),
            fpb: Fpb::new(fpb_config(&config)),
            dwt: Dwt::new(dwt_config(&config)),
            spin: Spin::new(&config),
            jit: Jit::default(),
            incidents: Incidents::default(),
            breakpoints: Vec::new(),
            watches: Vec::new(),
            idle: None,
        };
        core.reset(ResetKind::PowerOn);
        core
    }

    /// Resets the core (not its memories, nor the chip). Time goes on. The reset vector is fetched when the core
    /// runs next, so that the chip may load memory first.
    pub fn reset(&mut self, kind: ResetKind) {
        self.unpark();
        if kind == ResetKind::PowerOn {
            self.fpb = Fpb::new(fpb_config(&self.config));
            self.dwt = Dwt::new(dwt_config(&self.config));
            self.debug = Debug::default();
        }
        self.reset_core();
        // Whatever the chip has scheduled, it is asked again.
        self.signals.deadline = self.cycle;
        self.signals.irq = IrqLines::default();
        self.signals.stall = 0;
        self.signals.reset = false;
        self.signals.flash_busy_until = 0;
        self.closed_until = 0;
    }

    /// Right after a reset: lets the core begin as a bootloader that does nothing else leaves it, with VTOR, and then its
    /// stack pointer and program counter, from the vectors at `vectors`.
    pub fn hand_over(&mut self, vectors: u32) {
        self.scb.vtor = vectors;
    }

    /// What VECTRESET resets: everything of the core but its debug components and their C_DEBUGEN.
    fn reset_core(&mut self) {
        self.stop_looking();
        self.regs = Registers::default();
        self.regs.lr_reset();
        self.nvic = Nvic::new(&self.config);
        self.scb = Scb::default();
        self.systick = SysTick::default();
        self.mpu = Mpu::new(self.config.mpu_regions);
        self.vfp = Vfp::default();
        self.exclusive = false;
        self.event = false;
        self.stalled_until = 0;
        self.state = State::Running;
        self.memory.forget_all_decoded();
        self.jit.forget();
        self.debug.core_was_reset();
        self.dwt.set_halted(false, self.cycle);
        self.scb.reset_pending = true;
        self.close_fast_windows();
        self.attend();
    }

    /// The core's configuration.
    #[must_use]
    pub fn config(&self) -> &CoreConfig {
        &self.config
    }

    /// Cycles since power-on.
    #[must_use]
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// What the core does at the moment.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// SCR.SLEEPDEEP: what the chip's power control makes of the next sleep.
    #[must_use]
    pub fn sleep_deep(&self) -> bool {
        self.scb.read_scr() & scb::SLEEPDEEP != 0
    }

    /// The memories. RAM of a core that may be parked ([`Core::run_or_park`]) is that of some time before.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The memories, to be changed from outside.
    pub fn memory_mut(&mut self) -> &mut Memory {
        self.unpark();
        self.disturb();
        &mut self.memory
    }

    /// Interrupt request lines as last set.
    #[must_use]
    pub fn irq(&self) -> IrqLines {
        self.signals.irq
    }

    /// Sets interrupt request line `irq` from outside of any access or event.
    pub fn set_irq(&mut self, irq: u8, level: bool) {
        self.unpark();
        self.disturb();
        self.signals.irq.set(irq, level);
        self.attend();
    }

    /// Brings the next call of [`super::Mmio::event`] forward to `cycle`: something outside of any access or event
    /// gave the chip's peripherals something to do.
    pub fn schedule(&mut self, cycle: u64) {
        if cycle < self.cycle + parked::MARGIN {
            self.unpark();
        }
        self.signals.deadline = self.signals.deadline.min(cycle);
        self.attend();
    }

    /// Lets time pass until cycle `until` for a core that its chip holds in reset: it executes nothing, and nobody's
    /// events run.
    pub fn pass_time(&mut self, until: u64) {
        self.unpark();
        self.cycle = self.cycle.max(until);
    }

    /// Runs `f` with the context that a peripheral sees, outside of any access: an edge came in, for example.
    pub fn with_context<R>(&mut self, f: impl FnOnce(&mut super::MmioContext<'_>) -> R) -> R {
        self.unpark();
        self.disturb();
        let result = f(&mut self.context(false));
        self.attend();
        result
    }

    /// Makes the inner loop end after the current instruction.
    #[inline]
    fn attend(&mut self) {
        self.limit = 0;
    }
}

fn fpb_config(config: &CoreConfig) -> FpbConfig {
    let base = match config.profile {
        Profile::Armv6M => FpbConfig::CORTEX_M0,
        Profile::Armv7M => FpbConfig::CORTEX_M3,
        Profile::Armv7EM => FpbConfig::CORTEX_M4,
    };
    FpbConfig { code: config.code_comparators, literal: config.literal_comparators, ..base }
}

fn dwt_config(config: &CoreConfig) -> DwtConfig {
    let base = match config.profile {
        Profile::Armv6M => DwtConfig::CORTEX_M0,
        Profile::Armv7M => DwtConfig::CORTEX_M3,
        Profile::Armv7EM => DwtConfig::CORTEX_M4,
    };
    DwtConfig { comparators: config.watchpoints, ..base }
}
