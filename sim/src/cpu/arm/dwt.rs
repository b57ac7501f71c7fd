//! Data Watchpoint and Trace: watchpoints and the cycle counter (ARM DDI 0403E, C1.8; ARM DDI 0419E, chapter C1).
//!
//! This is the register machine. The core tells it about accesses and instructions when [`Dwt::watches_data`] or
//! [`Dwt::watches_instructions`] say that somebody wants to know, and halts after those that match. The cycle counter
//! is not counted: it is the core's own cycle count less an origin.

use super::coresight::Identity;
use crate::bus::Size;

const CTRL: u32 = 0x000;
const CYCCNT: u32 = 0x004;
const CPICNT: u32 = 0x008;
const FOLDCNT: u32 = 0x018;
const PCSR: u32 = 0x01C;
const COMP0: u32 = 0x020;
/// Bytes from one comparator's registers to the next one's.
const COMP_STRIDE: u32 = 0x10;

/// DWT_CTRL: what software may write; the rest tells what exists.
const CTRL_WRITABLE: u32 = 0x007F_1FFF;
const CTRL_CYCCNTENA: u32 = 1 << 0;

/// FUNCTIONn.FUNCTION.
const FUNCTION: u32 = 0xF;
const FUNCTION_EMITRANGE: u32 = 1 << 5;
const FUNCTION_DATAVMATCH: u32 = 1 << 8;
/// LNK1ENA: a second linked comparator is supported; read-only.
const FUNCTION_LNK1ENA: u32 = 1 << 9;
const FUNCTION_DATAVSIZE: u32 = 0b11 << 10;
const FUNCTION_DATAVADDR: u32 = 0xFF << 12;
const FUNCTION_MATCHED: u32 = 1 << 24;

/// The comparator that can compare data values on ARMv7-M.
const VALUE_COMPARATOR: usize = 1;
const MAX_COMPARATORS: usize = 4;

/// What varies between units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DwtConfig {
    /// DWT_CTRL.NUMCOMP, at most 4.
    pub comparators: u8,
    /// ARMv7-M: cycle counter, trace functions and data value comparison. ARMv6-M has only comparators.
    pub full: bool,
    /// The largest value of MASKn.
    pub max_mask: u8,
    /// The unit's identification registers.
    pub identity: Identity,
}

impl DwtConfig {
    /// Cortex-M0: two comparators.
    pub const CORTEX_M0: DwtConfig =
        DwtConfig { comparators: 2, full: false, max_mask: 31, identity: Identity::core_debug(0x4_000B_B00A) };
    /// Cortex-M3: four comparators.
    pub const CORTEX_M3: DwtConfig =
        DwtConfig { comparators: 4, full: true, max_mask: 15, identity: Identity::core_debug(0x4_003B_B002) };
    /// Cortex-M4: four comparators.
    pub const CORTEX_M4: DwtConfig = DwtConfig::CORTEX_M3;
}

#[derive(Clone, Copy, Debug, Default)]
struct Comparator {
    comp: u32,
    mask: u32,
    function: u32,
}

impl Comparator {
    /// Whether the `len` bytes at `address` touch the 2^MASK bytes at COMP.
    fn covers(&self, address: u32, len: u32) -> bool {
        let ignored = (1u32 << self.mask) - 1;
        let first = self.comp & !ignored;
        let last = first | ignored;
        address <= last && address.wrapping_add(len - 1) >= first
    }
}

/// One data access of the core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DataAccess {
    /// Its address.
    pub address: u32,
    /// Its width.
    pub size: Size,
    /// A store, not a load.
    pub write: bool,
    /// The value stored or loaded, right-aligned.
    pub value: u32,
}

/// The unit's registers. A debug power-on reset is a new value; other resets leave it alone.
#[derive(Clone, Debug)]
pub struct Dwt {
    config: DwtConfig,
    /// DEMCR.TRCENA (DWTENA on ARMv6-M).
    enabled: bool,
    halted: bool,
    ctrl: u32,
    comparators: [Comparator; MAX_COMPARATORS],
    /// CPICNT to FOLDCNT.
    profile_counters: [u8; 5],
    /// CYCCNT at core cycle `origin`; it has counted since then if `counts()`.
    cycle_count: u32,
    origin: u64,
    data_watched: bool,
    instructions_watched: bool,
}

impl Dwt {
    /// A unit after power-on: disabled, everything zero.
    #[must_use]
    pub fn new(config: DwtConfig) -> Dwt {
        Dwt {
            config: DwtConfig { comparators: config.comparators.min(MAX_COMPARATORS as u8), ..config },
            enabled: false,
            halted: false,
            ctrl: 0,
            comparators: [Comparator::default(); MAX_COMPARATORS],
            profile_counters: [0; 5],
            cycle_count: 0,
            origin: 0,
            data_watched: false,
            instructions_watched: false,
        }
    }

    /// DEMCR.TRCENA changes at core cycle `cycle`. While it is 0, registers read as zero, ignore writes, and nothing
    /// counts or matches.
    pub fn set_enabled(&mut self, enabled: bool, cycle: u64) {
        self.rebase(cycle);
        self.enabled = enabled;
        self.update_watches();
    }

    /// The core enters or leaves debug state at core cycle `cycle`; CYCCNT stands still in it.
    pub fn set_halted(&mut self, halted: bool, cycle: u64) {
        self.rebase(cycle);
        self.halted = halted;
    }

    fn counts(&self) -> bool {
        self.enabled && !self.halted && self.ctrl & CTRL_CYCCNTENA != 0
    }

    fn cycle_count(&self, cycle: u64) -> u32 {
        let passed = if self.counts() { cycle.wrapping_sub(self.origin) as u32 } else { 0 };
        self.cycle_count.wrapping_add(passed)
    }

    /// Takes what has been counted into `cycle_count`, so that the conditions of counting may change.
    fn rebase(&mut self, cycle: u64) {
        self.cycle_count = self.cycle_count(cycle);
        self.origin = cycle;
    }

    fn comparator(&self, offset: u32) -> Option<(usize, u32)> {
        let offset = offset.checked_sub(COMP0)?;
        let index = (offset / COMP_STRIDE) as usize;
        (index < usize::from(self.config.comparators)).then_some((index, offset % COMP_STRIDE))
    }

    /// Reads the register at `offset` of the unit's page at core cycle `cycle`; reserved ones read as zero. `pc` is
    /// the program counter for PCSR, `None` while the core is halted or sleeps.
    pub fn read(&mut self, offset: u32, cycle: u64, pc: Option<u32>) -> u32 {
        if offset >= 0xFD0 {
            return self.config.identity.read(offset);
        }
        if !self.enabled {
            return 0;
        }
        let missing = if self.config.full { 0 } else { 0xF << 24 };
        match offset {
            CTRL => u32::from(self.config.comparators) << 28 | missing | self.ctrl,
            CYCCNT => self.cycle_count(cycle),
            CPICNT..=FOLDCNT => self.profile_counters[(offset - CPICNT) as usize / 4].into(),
            PCSR => pc.unwrap_or(u32::MAX),
            _ => match self.comparator(offset) {
                Some((index, 0x0)) => self.comparators[index].comp,
                Some((index, 0x4)) => self.comparators[index].mask,
                Some((index, 0x8)) => {
                    let function = self.comparators[index].function;
                    self.comparators[index].function &= !FUNCTION_MATCHED;
                    function | if self.compares_values(index) { FUNCTION_LNK1ENA } else { 0 }
                }
                _ => 0,
            },
        }
    }

    /// Writes the register at `offset` of the unit's page at core cycle `cycle`; reserved and read-only ones ignore
    /// it. What is watched may be other afterwards.
    pub fn write(&mut self, offset: u32, value: u32, cycle: u64) {
        if !self.enabled {
            return;
        }
        match offset {
            CTRL | CYCCNT | CPICNT..=FOLDCNT if !self.config.full => {}
            CTRL => {
                self.rebase(cycle);
                self.ctrl = value & CTRL_WRITABLE;
            }
            CYCCNT => {
                self.rebase(cycle);
                self.cycle_count = value;
            }
            CPICNT..=FOLDCNT => self.profile_counters[(offset - CPICNT) as usize / 4] = value as u8,
            _ => {
                let Some((index, register)) = self.comparator(offset) else { return };
                let writable = self.writable_function(index);
                let comparator = &mut self.comparators[index];
                match register {
                    0x0 => comparator.comp = value,
                    0x4 => comparator.mask = (value & 0x1F).min(self.config.max_mask.into()),
                    0x8 => comparator.function = comparator.function & FUNCTION_MATCHED | value & writable,
                    _ => {}
                }
                self.update_watches();
            }
        }
    }

    fn compares_values(&self, index: usize) -> bool {
        self.config.full && index == VALUE_COMPARATOR
    }

    fn writable_function(&self, index: usize) -> u32 {
        let value = FUNCTION_DATAVMATCH | FUNCTION_DATAVSIZE | FUNCTION_DATAVADDR;
        match (self.config.full, self.compares_values(index)) {
            (false, _) => FUNCTION,
            (true, false) => FUNCTION | FUNCTION_EMITRANGE,
            (true, true) => FUNCTION | FUNCTION_EMITRANGE | value,
        }
    }

    fn active(&self) -> &[Comparator] {
        let count = if self.enabled { usize::from(self.config.comparators) } else { 0 };
        &self.comparators[..count]
    }

    fn update_watches(&mut self) {
        self.data_watched = self.active().iter().any(|c| matches!(c.function & FUNCTION, 5..=7));
        self.instructions_watched =
            self.active().iter().any(|c| c.function & FUNCTION == 4 && c.function & FUNCTION_DATAVMATCH == 0);
    }

    /// Whether [`Dwt::access`] can match at all.
    #[must_use]
    #[inline]
    pub fn watches_data(&self) -> bool {
        self.data_watched
    }

    /// Whether [`Dwt::instruction`] can match at all.
    #[must_use]
    #[inline]
    pub fn watches_instructions(&self) -> bool {
        self.instructions_watched
    }

    /// The core makes a data access; true if it is a watchpoint event (DFSR.DWTTRAP), after which the core halts.
    pub fn access(&mut self, access: &DataAccess) -> bool {
        let mut event = false;
        for index in 0..self.active().len() {
            let function = self.comparators[index].function;
            let direction = match function & FUNCTION {
                5 => !access.write,
                6 => access.write,
                7 => true,
                _ => false,
            };
            if direction && self.matches(index, access) {
                self.comparators[index].function |= FUNCTION_MATCHED;
                event = true;
            }
        }
        event
    }

    fn matches(&self, index: usize, access: &DataAccess) -> bool {
        let comparator = &self.comparators[index];
        if comparator.function & FUNCTION_DATAVMATCH == 0 {
            return comparator.covers(access.address, access.size.bytes());
        }
        // DATAVADDR0 and 1 name the comparators that say where; the unit's own number stands for anywhere.
        let linked = |shift: u32| match (comparator.function >> shift & 0xF) as usize {
            link if link == index => true,
            link => self.active().get(link).is_some_and(|c| c.covers(access.address, access.size.bytes())),
        };
        let (size, mask) = match (comparator.function & FUNCTION_DATAVSIZE) >> 10 {
            0 => (Size::Byte, 0xFF),
            1 => (Size::Half, 0xFFFF),
            _ => (Size::Word, u32::MAX),
        };
        size == access.size && comparator.comp & mask == access.value & mask && (linked(12) || linked(16))
    }

    /// The core executes the instruction at `pc`; true if it is a watchpoint event, after which the core halts.
    pub fn instruction(&mut self, pc: u32) -> bool {
        let mut event = false;
        let count = self.active().len();
        for comparator in &mut self.comparators[..count] {
            let wanted = comparator.function & (FUNCTION | FUNCTION_DATAVMATCH) == 4;
            if wanted && comparator.covers(pc, 1) {
                comparator.function |= FUNCTION_MATCHED;
                event = true;
            }
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK0: u32 = COMP0 + 4;
    const FUNCTION0: u32 = COMP0 + 8;
    const COMP1: u32 = COMP0 + COMP_STRIDE;
    const FUNCTION1: u32 = FUNCTION0 + COMP_STRIDE;

    fn enabled(config: DwtConfig) -> Dwt {
        let mut dwt = Dwt::new(config);
        dwt.set_enabled(true, 0);
        dwt
    }

    fn load(address: u32, size: Size) -> DataAccess {
        DataAccess { address, size, write: false, value: 0 }
    }

    #[test]
    fn control_tells_what_exists() {
        assert_eq!(enabled(DwtConfig::CORTEX_M4).read(CTRL, 0, None), 0x4000_0000);
        assert_eq!(enabled(DwtConfig::CORTEX_M0).read(CTRL, 0, None), 0x2F00_0000);
    }

    #[test]
    fn without_trcena_registers_read_zero_and_nothing_counts() {
        let mut dwt = Dwt::new(DwtConfig::CORTEX_M4);
        dwt.write(CTRL, 1, 0);
        assert_eq!((dwt.read(CTRL, 9, None), dwt.read(CYCCNT, 9, None)), (0, 0));
        assert_eq!(dwt.read(0xFF0, 9, None), 0x0D, "the identification registers always answer");
    }

    #[test]
    fn cycle_counter_counts_while_enabled_and_not_halted() {
        let mut dwt = enabled(DwtConfig::CORTEX_M4);
        dwt.write(CYCCNT, 1000, 50);
        assert_eq!(dwt.read(CYCCNT, 60, None), 1000, "CYCCNTENA is off");
        dwt.write(CTRL, 1, 100);
        assert_eq!(dwt.read(CYCCNT, 107, None), 1007);
        dwt.set_halted(true, 110);
        assert_eq!(dwt.read(CYCCNT, 500, None), 1010);
        dwt.set_halted(false, 600);
        assert_eq!(dwt.read(CYCCNT, 605, None), 1015);
        dwt.write(CYCCNT, u32::MAX, 610);
        assert_eq!(dwt.read(CYCCNT, 612, None), 1, "it wraps");
    }

    #[test]
    fn small_cores_have_no_cycle_counter() {
        let mut dwt = enabled(DwtConfig::CORTEX_M0);
        dwt.write(CTRL, 1, 0);
        dwt.write(CYCCNT, 5, 0);
        assert_eq!(dwt.read(CYCCNT, 100, None), 0);
    }

    #[test]
    fn program_counter_sample_is_all_ones_when_nothing_runs() {
        let mut dwt = enabled(DwtConfig::CORTEX_M4);
        assert_eq!(dwt.read(PCSR, 0, Some(0x123)), 0x123);
        assert_eq!(dwt.read(PCSR, 0, None), u32::MAX);
    }

    #[test]
    fn a_byte_watched_inside_a_wider_access_fires() {
        let mut dwt = enabled(DwtConfig::CORTEX_M4);
        dwt.write(COMP0, 0x2000_0002, 0);
        dwt.write(FUNCTION0, 5, 0);
        assert!(dwt.watches_data());
        assert!(dwt.access(&load(0x2000_0000, Size::Word)));
        assert!(dwt.access(&load(0x2000_0002, Size::Byte)));
        assert!(!dwt.access(&load(0x2000_0000, Size::Half)));
        assert!(!dwt.access(&load(0x2000_0003, Size::Byte)));
    }

    #[test]
    fn mask_widens_the_watched_range() {
        let mut dwt = enabled(DwtConfig::CORTEX_M0);
        dwt.write(COMP0, 0x2000_0010, 0);
        dwt.write(MASK0, 4, 0);
        dwt.write(FUNCTION0, 7, 0);
        assert!(!dwt.access(&load(0x2000_000C, Size::Word)));
        assert!(dwt.access(&load(0x2000_0010, Size::Byte)));
        assert!(dwt.access(&load(0x2000_001F, Size::Byte)));
        assert!(!dwt.access(&load(0x2000_0020, Size::Word)));
    }

    #[test]
    fn mask_keeps_to_what_the_core_has() {
        let mut m4 = enabled(DwtConfig::CORTEX_M4);
        m4.write(MASK0, 31, 0);
        assert_eq!(m4.read(MASK0, 0, None), 15);
        let mut m0 = enabled(DwtConfig::CORTEX_M0);
        m0.write(MASK0, 31, 0);
        assert_eq!(m0.read(MASK0, 0, None), 31);
        m0.write(FUNCTION0, 7, 0);
        assert!(!m0.access(&load(0x8000_0000, Size::Word)));
    }

    #[test]
    fn functions_choose_the_direction() {
        let mut dwt = enabled(DwtConfig::CORTEX_M4);
        for (function, on_load, on_store) in [(0, false, false), (5, true, false), (6, false, true), (7, true, true)] {
            dwt.write(FUNCTION0, function, 0);
            assert_eq!(dwt.access(&load(0, Size::Byte)), on_load);
            assert_eq!(dwt.access(&DataAccess { write: true, ..load(0, Size::Byte) }), on_store);
        }
    }

    #[test]
    fn matched_is_sticky_until_read() {
        let mut dwt = enabled(DwtConfig::CORTEX_M4);
        dwt.write(FUNCTION0, 7, 0);
        dwt.access(&load(0, Size::Byte));
        assert_eq!(dwt.read(FUNCTION0, 0, None), FUNCTION_MATCHED | 7);
        assert_eq!(dwt.read(FUNCTION0, 0, None), 7);
    }

    #[test]
    fn instruction_addresses_match_with_function_4() {
        let mut dwt = enabled(DwtConfig::CORTEX_M4);
        dwt.write(COMP0, 0x0800_0100, 0);
        dwt.write(FUNCTION0, 4, 0);
        assert!(dwt.watches_instructions() && !dwt.watches_data());
        assert!(dwt.instruction(0x0800_0100));
        assert!(!dwt.instruction(0x0800_0102));
    }

    #[test]
    fn comparator_1_compares_values_at_linked_addresses() {
        // C1.8, DWT_FUNCTIONn: DATAVMATCH, DATAVSIZE = half-word, DATAVADDR0 = DATAVADDR1 = comparator 0.
        let mut dwt = enabled(DwtConfig::CORTEX_M4);
        dwt.write(COMP0, 0x2000_0000, 0);
        dwt.write(COMP1, 0x1234_1234, 0);
        dwt.write(FUNCTION1, FUNCTION_DATAVMATCH | 1 << 10 | 6, 0);
        assert_eq!(dwt.read(FUNCTION1, 0, None) & FUNCTION_LNK1ENA, FUNCTION_LNK1ENA);
        let store = |address, value, size| DataAccess { address, size, write: true, value };
        assert!(dwt.access(&store(0x2000_0000, 0x1234, Size::Half)));
        assert!(!dwt.access(&store(0x2000_0000, 0x1235, Size::Half)));
        assert!(!dwt.access(&store(0x2000_0004, 0x1234, Size::Half)));
        assert!(!dwt.access(&store(0x2000_0000, 0x1234, Size::Byte)));
    }
}
