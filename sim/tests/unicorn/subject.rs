//! Our core, alone with two memories.

use twinboard_sim::bus::{BusFault, Size};
use twinboard_sim::cpu::arm::config::{CoreConfig, M0, M3, M4F};
use twinboard_sim::cpu::arm::{Core, Register, State as Activity};
use twinboard_sim::cpu::memory::{Kind, Memory};
use twinboard_sim::cpu::{Mmio, MmioContext};

use crate::instructions::Profile;
use crate::state::{CODE, CODE_LEN, DATA, DATA_LEN, State, apsr};

/// EPSR.T.
const THUMB: u32 = 1 << 24;
/// Coprocessor Access Control Register (ARM DDI 0403E, B3.2.20): full access to CP10 and CP11.
const CPACR: (u32, u32) = (0xE000_ED88, 0xF << 20);
/// CONTROL.FPCA, where DCRSR has it: there is a floating-point context.
const FPCA: u32 = 1 << 26;

/// Nothing else is on the bus.
struct Nothing;

impl Mmio for Nothing {
    fn read(&mut self, _: &mut MmioContext<'_>, address: u32, _: Size) -> Result<u32, BusFault> {
        Err(BusFault { address })
    }

    fn write(&mut self, _: &mut MmioContext<'_>, address: u32, _: Size, _: u32) -> Result<(), BusFault> {
        Err(BusFault { address })
    }

    fn event(&mut self, _: &mut MmioContext<'_>) {}
}

/// One core of ours with both memories.
pub struct Subject {
    core: Core,
    profile: Profile,
}

impl Subject {
    /// The core of `profile`.
    pub fn new(profile: Profile) -> Subject {
        let config: CoreConfig = match profile {
            Profile::V6M => M0,
            Profile::V7M => M3,
            Profile::V7EMF => M4F,
        };
        let mut memory = Memory::default();
        memory.add(Kind::Ram, CODE, CODE_LEN, 0);
        memory.add(Kind::Ram, DATA, DATA_LEN, 0);
        let mut core = Core::new(config, memory);
        // The first access takes the core out of reset.
        core.debug_read(&mut Nothing, CODE, Size::Word).expect("the code memory is there");
        if profile == Profile::V7EMF {
            core.debug_write(&mut Nothing, CPACR.0, Size::Word, CPACR.1).expect("the register is there");
        }
        Subject { core, profile }
    }

    /// Writes memory from outside.
    pub fn write(&mut self, address: u32, bytes: &[u8]) {
        assert!(self.core.memory_mut().write_bytes(address, bytes), "the address is mapped");
    }

    /// Reads memory.
    pub fn read(&self, address: u32, len: u32) -> Vec<u8> {
        self.core.memory().read_bytes(address, len as usize).expect("the address is mapped").to_vec()
    }

    /// Sets all registers.
    pub fn set(&mut self, state: &State) {
        if self.profile == Profile::V7EMF {
            self.core.set_register(Register::SPECIAL, FPCA);
            self.core.set_register(Register::FPSCR, state.fpscr);
            for (i, value) in state.s.iter().enumerate() {
                self.core.set_register(Register(Register::S0.0 + i as u8), *value);
            }
        }
        self.core.set_register(Register::XPSR, state.apsr | THUMB);
        for (i, value) in state.r.iter().enumerate() {
            self.core.set_register(Register(i as u8), *value);
        }
    }

    /// Whether there is a floating-point context to be kept, after [`Subject::set`].
    pub fn set_floating_point_context(&mut self, there: bool) {
        if self.profile == Profile::V7EMF {
            self.core.set_register(Register::SPECIAL, if there { FPCA } else { 0 });
        }
    }

    /// All registers.
    pub fn get(&self) -> State {
        let register = |number: usize| self.core.register(Register(number as u8));
        State {
            r: std::array::from_fn(register),
            apsr: self.core.register(Register::XPSR) & apsr(self.profile),
            fpscr: self.core.register(Register::FPSCR),
            s: std::array::from_fn(|i| register(usize::from(Register::S0.0) + i)),
        }
    }

    /// Executes one instruction.
    pub fn step(&mut self) {
        self.core.step(&mut Nothing);
        assert_eq!(self.core.state(), Activity::Running, "at {:#x}", self.core.register(Register::PC));
    }

    /// Steps until the PC is `until`.
    pub fn step_to(&mut self, until: u32) {
        while self.core.register(Register::PC) != until {
            self.step();
        }
    }

    /// Runs for `cycles`.
    pub fn run(&mut self, cycles: u64) {
        self.core.run(&mut Nothing, self.core.cycle() + cycles);
    }
}
