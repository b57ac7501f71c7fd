//! The breakpoint unit: Flash Patch and Breakpoint of ARMv7-M (ARM DDI 0403E, C1.11) and Breakpoint Unit of ARMv6-M
//! (ARM DDI 0419E, chapter C1), version 1.
//!
//! Comparators hold instruction addresses; before an instruction at one of them executes, the core halts. This is the
//! register machine: the core asks it where the breakpoints are and does the halting.

use super::coresight::Identity;

/// FP_CTRL, also BP_CTRL.
const CTRL: u32 = 0x000;
/// FP_REMAP; ARMv7-M only.
const REMAP: u32 = 0x004;
/// FP_COMP0, also BP_COMP0; one word each.
const COMP0: u32 = 0x008;

const CTRL_ENABLE: u32 = 1 << 0;
const CTRL_KEY: u32 = 1 << 1;
const COMP_ENABLE: u32 = 1 << 0;
/// COMP: bits 28:2 of the address.
const COMP_ADDRESS: u32 = 0x1FFF_FFFC;
/// REPLACE (BP_MATCH on ARMv6-M): break on the lower half-word (bit 30), the upper (bit 31) or both.
const REPLACE: u32 = 0b11 << 30;
/// FP_REMAP.RMPSPT: remapping to SRAM is supported; read-only.
const REMAP_SUPPORTED: u32 = 1 << 29;
/// FP_REMAP.REMAP.
const REMAP_MASK: u32 = 0x1FFF_FFE0;

/// The most comparators a unit has, code and literal together.
const MAX_COMPARATORS: usize = 16;

/// What varies between breakpoint units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FpbConfig {
    /// FP_CTRL.NUM_CODE: comparators for instructions, at most 8.
    pub code: u8,
    /// FP_CTRL.NUM_LIT: comparators for literal loads, which only remap, at most 8. Zero on ARMv6-M.
    pub literal: u8,
    /// The unit's identification registers.
    pub identity: Identity,
}

impl FpbConfig {
    /// Cortex-M0: four breakpoints.
    pub const CORTEX_M0: FpbConfig = FpbConfig { code: 4, literal: 0, identity: Identity::core_debug(0x4_000B_B00B) };
    /// Cortex-M3: six breakpoints.
    pub const CORTEX_M3: FpbConfig = FpbConfig { code: 6, literal: 2, identity: Identity::core_debug(0x4_000B_B003) };
    /// Cortex-M4: six breakpoints.
    pub const CORTEX_M4: FpbConfig = FpbConfig { code: 6, literal: 2, identity: Identity::core_debug(0x4_002B_B003) };
}

/// The unit's registers. A debug power-on reset is a new value; other resets leave it alone.
#[derive(Clone, Debug)]
pub struct Fpb {
    config: FpbConfig,
    enabled: bool,
    remap: u32,
    comparators: [u32; MAX_COMPARATORS],
}

impl Fpb {
    /// A unit after power-on: disabled.
    #[must_use]
    pub fn new(config: FpbConfig) -> Fpb {
        let config = FpbConfig { code: config.code.min(8), literal: config.literal.min(8), ..config };
        Fpb { config, enabled: false, remap: 0, comparators: [0; MAX_COMPARATORS] }
    }

    /// The comparator whose register is at `offset`.
    fn comparator(&self, offset: u32) -> Option<usize> {
        let index = (offset.checked_sub(COMP0)? / 4) as usize;
        (index < usize::from(self.config.code + self.config.literal)).then_some(index)
    }

    /// Reads the register at `offset` of the unit's page; reserved ones read as zero.
    #[must_use]
    pub fn read(&self, offset: u32) -> u32 {
        match offset {
            CTRL => u32::from(self.config.literal) << 8 | u32::from(self.config.code) << 4 | u32::from(self.enabled),
            REMAP if self.config.literal > 0 => REMAP_SUPPORTED | self.remap,
            _ => match self.comparator(offset) {
                Some(index) => self.comparators[index],
                None => self.config.identity.read(offset),
            },
        }
    }

    /// Writes the register at `offset` of the unit's page; reserved and read-only ones ignore it. The breakpoints may
    /// be others afterwards.
    pub fn write(&mut self, offset: u32, value: u32) {
        match offset {
            CTRL => {
                if value & CTRL_KEY != 0 {
                    self.enabled = value & CTRL_ENABLE != 0;
                }
            }
            REMAP => self.remap = value & REMAP_MASK,
            _ => {
                if let Some(index) = self.comparator(offset) {
                    let literal = index >= usize::from(self.config.code);
                    let writable = COMP_ENABLE | COMP_ADDRESS | if literal { 0 } else { REPLACE };
                    self.comparators[index] = value & writable;
                }
            }
        }
    }

    /// The addresses (of half-words) at which the core halts, in the order of the comparators; one may be there twice.
    pub fn breakpoints(&self) -> impl Iterator<Item = u32> {
        let code = if self.enabled { usize::from(self.config.code) } else { 0 };
        self.comparators[..code].iter().filter(|comparator| **comparator & COMP_ENABLE != 0).flat_map(|comparator| {
            let address = comparator & COMP_ADDRESS;
            let lower = comparator & 1 << 30 != 0;
            let upper = comparator & 1 << 31 != 0;
            lower.then_some(address).into_iter().chain(upper.then_some(address + 2))
        })
    }

    /// Whether the core halts before the instruction at `pc`.
    #[must_use]
    pub fn is_breakpoint(&self, pc: u32) -> bool {
        self.breakpoints().any(|address| address == pc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn m4() -> Fpb {
        Fpb::new(FpbConfig::CORTEX_M4)
    }

    #[test]
    fn control_tells_the_number_of_comparators() {
        assert_eq!(m4().read(CTRL), 0x260);
        assert_eq!(Fpb::new(FpbConfig::CORTEX_M0).read(CTRL), 0x40);
    }

    #[test]
    fn control_ignores_writes_without_the_key() {
        let mut fpb = m4();
        fpb.write(CTRL, CTRL_ENABLE);
        assert_eq!(fpb.read(CTRL), 0x260);
        fpb.write(CTRL, CTRL_ENABLE | CTRL_KEY);
        assert_eq!(fpb.read(CTRL), 0x261, "the key reads as zero");
        fpb.write(CTRL, 0);
        assert_eq!(fpb.read(CTRL), 0x261);
    }

    #[test]
    fn replace_chooses_the_half_words() {
        let mut fpb = m4();
        fpb.write(CTRL, 3);
        fpb.write(COMP0, 0x4000_1001);
        fpb.write(COMP0 + 4, 0x8000_2001);
        fpb.write(COMP0 + 8, 0xC000_3001);
        fpb.write(COMP0 + 12, 0x0000_4001);
        fpb.write(COMP0 + 16, 0xC000_5000);
        assert_eq!(fpb.breakpoints().collect::<Vec<_>>(), [0x1000, 0x2002, 0x3000, 0x3002]);
        assert!(fpb.is_breakpoint(0x2002) && !fpb.is_breakpoint(0x2000));
    }

    #[test]
    fn nothing_matches_while_the_unit_is_disabled() {
        let mut fpb = m4();
        fpb.write(COMP0, 0xC000_3001);
        assert_eq!(fpb.breakpoints().count(), 0);
    }

    #[test]
    fn breakpoints_lie_in_the_code_region() {
        // C1.11, FP_COMPn: bits 31:29 of the address are zero.
        let mut fpb = m4();
        fpb.write(CTRL, 3);
        fpb.write(COMP0, 0x7FFF_FFFF);
        assert_eq!(fpb.breakpoints().collect::<Vec<_>>(), [0x1FFF_FFFC]);
        assert_eq!(fpb.read(COMP0), 0x5FFF_FFFD);
    }

    #[test]
    fn comparators_read_back_and_literal_ones_never_break() {
        let mut fpb = m4();
        fpb.write(CTRL, 3);
        fpb.write(COMP0 + 4 * 5, 0x9000_1001);
        assert_eq!(fpb.read(COMP0 + 4 * 5), 0x9000_1001);
        fpb.write(COMP0 + 4 * 6, 0xC000_1001);
        assert_eq!(fpb.read(COMP0 + 4 * 6), 0x0000_1001);
        fpb.write(COMP0 + 4 * 8, 0xC000_1001);
        assert_eq!(fpb.read(COMP0 + 4 * 8), 0, "there are only eight");
        assert_eq!(fpb.breakpoints().collect::<Vec<_>>(), [0x1000_1002]);
    }
}
