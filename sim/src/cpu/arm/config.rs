//! What distinguishes one Cortex-M from another, as tables.

/// The architecture profile: which instructions and which exception model.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Profile {
    /// ARMv6-M: Thumb with a handful of 32-bit instructions, one fault.
    Armv6M,
    /// ARMv7-M: Thumb-2, configurable faults.
    Armv7M,
    /// ARMv7-M with the DSP extension.
    Armv7EM,
}

/// Cycles per instruction, beyond what is the same everywhere (most instructions: 1). Zero wait states.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// B taken.
    pub branch: u8,
    /// BL with an immediate.
    pub branch_link: u8,
    /// BX, BLX, and a MOV or ADD to the PC.
    pub branch_register: u8,
    /// A single load.
    pub load: u8,
    /// A single store.
    pub store: u8,
    /// MULS and MUL.
    pub multiply: u8,
    /// MRS.
    pub mrs: u8,
    /// MSR.
    pub msr: u8,
    /// DMB, DSB, ISB.
    pub barrier: u8,
    /// Extra cycles of a POP or LDM that loads the PC.
    pub load_pc: u8,
    /// From an exception's recognition to its handler's first instruction.
    pub exception_entry: u8,
    /// From an exception return to the next instruction.
    pub exception_return: u8,
    /// From an exception return to the first instruction of a tail-chained handler.
    pub tail_chain: u8,
}

/// One Cortex-M core as its integrator configured it.
#[derive(Clone, Copy, Debug)]
pub struct CoreConfig {
    /// Instruction set and exception model.
    pub profile: Profile,
    /// Single-precision FPU (FPv4-SP).
    pub fpu: bool,
    /// CPUID.
    pub cpuid: u32,
    /// External interrupts, at most 128.
    pub irqs: u8,
    /// Implemented priority bits, 2 to 8.
    pub priority_bits: u8,
    /// VTOR is there.
    pub vtor: bool,
    /// SysTick is there.
    pub systick: bool,
    /// CONTROL.nPRIV is there (always on ARMv7-M).
    pub unprivileged: bool,
    /// Regions of the MPU; 0: no MPU.
    pub mpu_regions: u8,
    /// Instruction comparators of the FPB or BPU.
    pub code_comparators: u8,
    /// Literal comparators of the FPB.
    pub literal_comparators: u8,
    /// DWT comparators.
    pub watchpoints: u8,
    /// SRAM and peripheral bit-band regions are there.
    pub bit_band: bool,
    /// Constant words of the private peripheral bus and of the ROM tables (identification): address, value.
    pub ppb: &'static [(u32, u32)],
    /// Cycles per instruction.
    pub timing: Timing,
}

impl CoreConfig {
    /// ARMv7-M or ARMv7E-M.
    #[must_use]
    pub fn v7(&self) -> bool {
        self.profile != Profile::Armv6M
    }
}

/// Cortex-M0 Technical Reference Manual, table 3-1 (fast multiplier).
const M0_TIMING: Timing = Timing {
    branch: 3,
    branch_link: 4,
    branch_register: 3,
    load: 2,
    store: 2,
    multiply: 1,
    mrs: 4,
    msr: 4,
    barrier: 4,
    load_pc: 3,
    exception_entry: 16,
    exception_return: 12,
    tail_chain: 8,
};

/// Cortex-M0+ Technical Reference Manual, table 3-1 (fast multiplier).
const M0PLUS_TIMING: Timing = Timing {
    branch: 2,
    branch_link: 3,
    branch_register: 2,
    load: 2,
    store: 2,
    multiply: 1,
    mrs: 3,
    msr: 3,
    barrier: 3,
    load_pc: 2,
    exception_entry: 15,
    exception_return: 12,
    tail_chain: 8,
};

/// Cortex-M4 Technical Reference Manual, table 3-1, with P = 1.
const M4_TIMING: Timing = Timing {
    branch: 2,
    branch_link: 2,
    branch_register: 2,
    load: 2,
    store: 2,
    multiply: 1,
    mrs: 2,
    msr: 2,
    barrier: 2,
    load_pc: 2,
    exception_entry: 12,
    exception_return: 10,
    tail_chain: 6,
};

/// Cortex-M0 r0p0 with the options of the nRF51: no SysTick, no MPU, 32 interrupts.
pub const M0: CoreConfig = CoreConfig {
    profile: Profile::Armv6M,
    fpu: false,
    cpuid: 0x410C_C200,
    irqs: 32,
    priority_bits: 2,
    vtor: false,
    systick: false,
    unprivileged: false,
    mpu_regions: 0,
    code_comparators: 4,
    literal_comparators: 0,
    watchpoints: 2,
    bit_band: false,
    ppb: &[],
    timing: M0_TIMING,
};

/// Cortex-M0+ r0p1 with the options of the Kinetis L family.
pub const M0PLUS: CoreConfig = CoreConfig {
    cpuid: 0x410C_C601,
    vtor: true,
    systick: true,
    unprivileged: true,
    code_comparators: 2,
    timing: M0PLUS_TIMING,
    ..M0
};

/// Cortex-M3 r1p1 with the options of the STM32F103.
pub const M3: CoreConfig = CoreConfig {
    profile: Profile::Armv7M,
    fpu: false,
    cpuid: 0x411F_C231,
    irqs: 43,
    priority_bits: 4,
    vtor: true,
    systick: true,
    unprivileged: true,
    mpu_regions: 0,
    code_comparators: 6,
    literal_comparators: 2,
    watchpoints: 4,
    bit_band: true,
    ppb: &[],
    timing: M4_TIMING,
};

/// Cortex-M4 r0p1 without FPU, with the options of the nRF52820.
pub const M4: CoreConfig = CoreConfig {
    profile: Profile::Armv7EM,
    cpuid: 0x410F_C241,
    irqs: 48,
    priority_bits: 3,
    mpu_regions: 8,
    bit_band: false,
    ..M3
};

/// Cortex-M4 r0p1 with FPU, with the options of the nRF52833.
pub const M4F: CoreConfig = CoreConfig { fpu: true, ..M4 };
