//! The Unicorn engine as an oracle.

use unicorn_engine::{Arch, ArmCpuModel, Mode, Prot, RegisterARM, Unicorn, uc_error};

use crate::instructions::Profile;
use crate::state::{CODE, CODE_LEN, DATA, DATA_LEN, State, apsr};

/// R0 to R12, SP, LR, PC, XPSR.
const CORE: [RegisterARM; 17] = [
    RegisterARM::R0,
    RegisterARM::R1,
    RegisterARM::R2,
    RegisterARM::R3,
    RegisterARM::R4,
    RegisterARM::R5,
    RegisterARM::R6,
    RegisterARM::R7,
    RegisterARM::R8,
    RegisterARM::R9,
    RegisterARM::R10,
    RegisterARM::R11,
    RegisterARM::R12,
    RegisterARM::SP,
    RegisterARM::LR,
    RegisterARM::PC,
    RegisterARM::XPSR,
];

/// VMOV.F32 S0, S0.
const VMOV_S0_S0: [u8; 4] = [0xB0, 0xEE, 0x40, 0x0A];

/// APSR.Q.
const Q: u64 = 1 << 27;

/// The only operand of which the two products of SMLAD add up to more than 32 bits.
const MINIMAL_HALVES: u32 = 0x8000_8000;

/// FPSCR.RMode.
const RMODE: u32 = 0b11 << 22;

/// EPSR.T.
const THUMB: u64 = 1 << 24;

/// One Unicorn with both memories.
pub struct Oracle {
    engine: Unicorn<'static, ()>,
    profile: Profile,
}

impl Oracle {
    /// The model of `profile`.
    pub fn new(profile: Profile) -> Oracle {
        let model = match profile {
            Profile::V6M => ArmCpuModel::CORTEX_M0,
            Profile::V7M => ArmCpuModel::CORTEX_M3,
            Profile::V7EMF => ArmCpuModel::CORTEX_M4,
        };
        let mut engine = Unicorn::new(Arch::ARM, Mode::THUMB | Mode::MCLASS).expect("Unicorn has Arm");
        engine.ctl_set_cpu_model(model as i32).expect("Unicorn has the model");
        // Readable, writable and executable: only then are stores of the program itself seen by the translator.
        engine.mem_map(CODE.into(), CODE_LEN.into(), Prot::ALL).expect("the code memory maps");
        engine.mem_map(DATA.into(), DATA_LEN.into(), Prot::ALL).expect("the data memory maps");
        let mut oracle = Oracle { engine, profile };
        if oracle.has_fpu() {
            // The first floating-point instruction makes a context, with a fresh FPSCR; this is it.
            oracle.write(CODE, &VMOV_S0_S0);
            oracle.set(&State { r: [CODE; 16], apsr: 0, fpscr: 0, s: [0; 32] });
            oracle.step().expect("VMOV executes");
        }
        oracle
    }

    /// From now on an exception ends the run, with the registers as they are; otherwise it is an error.
    pub fn stop_at_exceptions(&mut self) {
        let stop = |engine: &mut Unicorn<'_, ()>, _| engine.emu_stop().expect("it runs");
        self.engine.add_intr_hook(stop).expect("the hook is known");
    }

    /// Whether Unicorn is known to do instruction `name` wrongly from this state: see the table in `main`.
    pub fn errs(name: &str, before: &State) -> bool {
        let rounds = name.contains("VCVT from fixed") && before.fpscr & RMODE != 0;
        let overflows = name.contains("SMLAD") && before.r.contains(&MINIMAL_HALVES);
        rounds || overflows
    }

    /// Writes memory from outside, which Unicorn's translations do not notice by themselves.
    pub fn write(&mut self, address: u32, bytes: &[u8]) {
        self.engine.mem_write(address.into(), bytes).expect("the address is mapped");
        if address < DATA {
            let end = u64::from(address) + bytes.len() as u64;
            self.engine.ctl_remove_cache(address.into(), end).expect("the range is valid");
        }
    }

    /// Reads memory.
    pub fn read(&self, address: u32, bytes: &mut [u8]) {
        self.engine.mem_read(address.into(), bytes).expect("the address is mapped");
    }

    /// Sets all registers.
    pub fn set(&mut self, state: &State) {
        let mut values: Vec<u64> = state.r.iter().map(|r| u64::from(*r)).collect();
        values[15] |= 1;
        for (register, value) in CORE.into_iter().zip(values) {
            self.engine.reg_write(register, value).expect("the register exists");
        }
        let xpsr = u64::from(state.apsr) | THUMB;
        self.engine.reg_write(RegisterARM::XPSR_NZCVQG, xpsr).expect("the register exists");
        if self.has_fpu() {
            self.engine.reg_write(RegisterARM::FPSCR, state.fpscr.into()).expect("the register exists");
            for (i, value) in state.s.iter().enumerate() {
                self.engine.reg_write(RegisterARM::S0 as i32 + i as i32, u64::from(*value)).expect("S0 to S31 exist");
            }
        }
    }

    fn has_fpu(&self) -> bool {
        self.profile == Profile::V7EMF
    }

    fn register(&self, register: impl Into<i32>) -> u32 {
        self.engine.reg_read(register).expect("the register exists") as u32
    }

    /// All registers.
    pub fn get(&self) -> State {
        let mut state =
            State { r: [0; 16], apsr: self.register(RegisterARM::XPSR) & apsr(self.profile), fpscr: 0, s: [0; 32] };
        for (value, register) in state.r.iter_mut().zip(CORE) {
            *value = self.register(register);
        }
        state.r[15] &= !1;
        if self.has_fpu() {
            state.fpscr = self.register(RegisterARM::FPSCR);
            for (i, value) in state.s.iter_mut().enumerate() {
                *value = self.register(RegisterARM::S0 as i32 + i as i32);
            }
        }
        state
    }

    /// Executes one instruction, a branch perhaps.
    pub fn step(&mut self) -> Result<(), uc_error> {
        self.execute(u32::MAX, 1)
    }

    /// Executes until the PC is `until`.
    pub fn run(&mut self, until: u32) -> Result<(), uc_error> {
        self.execute(until, 0)
    }

    fn execute(&mut self, until: u32, count: usize) -> Result<(), uc_error> {
        let pc = self.register(RegisterARM::PC);
        self.engine.emu_start(u64::from(pc | 1), until.into(), 0, count)?;
        let xpsr = u64::from(self.register(RegisterARM::XPSR));
        if self.profile == Profile::V6M && xpsr & Q != 0 {
            self.engine.reg_write(RegisterARM::XPSR_NZCVQ, xpsr & !Q)?;
        }
        Ok(())
    }
}
