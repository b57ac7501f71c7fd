//! Exceptions and their priorities: what is pending, active, enabled (ARMv7-M ARM B1.5.4, B3.4). The register machine
//! of the Nested Vectored Interrupt Controller; stacking and the rest is in `exceptions`.

use super::CoreConfig;

pub(super) const NMI: u16 = 2;
pub(super) const HARD_FAULT: u16 = 3;
pub(super) const MEM_MANAGE: u16 = 4;
pub(super) const BUS_FAULT: u16 = 5;
pub(super) const USAGE_FAULT: u16 = 6;
pub(super) const SV_CALL: u16 = 11;
pub(super) const DEBUG_MONITOR: u16 = 12;
pub(super) const PEND_SV: u16 = 14;
pub(super) const SYS_TICK: u16 = 15;
/// External interrupt 0.
pub(super) const IRQ0: u16 = 16;

/// The priority when nothing is active: lower than all others.
pub(super) const IDLE: i32 = 256;

/// What a group of 32 interrupts' register shows or sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bank {
    Enabled,
    Pending,
    Active,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Nvic {
    /// Interrupt lines as last sampled.
    pub levels: u128,
    implemented: u128,
    enabled: u128,
    pending: u128,
    active: u128,
    irq_priorities: [u8; 128],
    /// Exceptions 0 to 15, one bit each.
    system_pending: u16,
    system_active: u16,
    system_priorities: [u8; 16],
    priority_mask: u8,
    /// AIRCR.PRIGROUP.
    pub group: u8,
    /// The highest group priority of the active exceptions.
    active_priority: i32,
}

impl Nvic {
    pub fn new(config: &CoreConfig) -> Nvic {
        let implemented = if config.irqs >= 128 { u128::MAX } else { (1 << config.irqs) - 1 };
        Nvic {
            levels: 0,
            implemented,
            enabled: 0,
            pending: 0,
            active: 0,
            irq_priorities: [0; 128],
            system_pending: 0,
            system_active: 0,
            system_priorities: [0; 16],
            priority_mask: !(0xFF_u16 >> config.priority_bits) as u8,
            group: 0,
            active_priority: IDLE,
        }
    }

    /// The implemented bits of a priority.
    pub fn priority_mask(&self) -> u8 {
        self.priority_mask
    }

    /// Samples the interrupt lines; true if something became pending.
    pub fn sample(&mut self, levels: u128) -> bool {
        let levels = levels & self.implemented;
        let rising = levels & !self.levels & !self.pending;
        self.levels = levels;
        self.pending |= rising;
        rising != 0
    }

    /// A priority without its subpriority bits.
    fn group_priority(&self, priority: i32) -> i32 {
        if priority < 0 { priority } else { priority & !((2 << self.group) - 1) & 0xFF }
    }

    /// The configured priority of `exception`.
    pub fn priority(&self, exception: u16) -> i32 {
        match exception {
            0..=1 => -3,
            NMI => -2,
            HARD_FAULT => -1,
            4..=15 => self.system_priorities[usize::from(exception)].into(),
            _ => self.irq_priorities[usize::from(exception - IRQ0) & 127].into(),
        }
    }

    pub fn set_priority(&mut self, exception: u16, priority: u8) {
        let priority = priority & self.priority_mask;
        match exception {
            4..=15 => self.system_priorities[usize::from(exception)] = priority,
            IRQ0.. if self.implemented >> (exception - IRQ0) & 1 == 1 => {
                self.irq_priorities[usize::from(exception - IRQ0) & 127] = priority;
            }
            _ => {}
        }
        self.update();
    }

    pub fn is_pending(&self, exception: u16) -> bool {
        match exception {
            0..=15 => self.system_pending >> exception & 1 == 1,
            _ => self.pending >> (exception - IRQ0) & 1 == 1,
        }
    }

    /// Makes an exception pending; true if it was not.
    pub fn set_pending(&mut self, exception: u16) -> bool {
        let new = !self.is_pending(exception);
        match exception {
            0..=15 => self.system_pending |= 1 << exception,
            _ => self.pending |= 1 << (exception - IRQ0) & self.implemented,
        }
        new
    }

    pub fn clear_pending(&mut self, exception: u16) {
        match exception {
            0..=15 => self.system_pending &= !(1 << exception),
            _ => self.pending &= !(1 << (exception - IRQ0)),
        }
    }

    pub fn is_active(&self, exception: u16) -> bool {
        match exception {
            0..=15 => self.system_active >> exception & 1 == 1,
            _ => self.active >> ((exception - IRQ0) & 127) & 1 == 1,
        }
    }

    pub fn set_active(&mut self, exception: u16, active: bool) {
        match exception {
            0..=15 => {
                self.system_active = self.system_active & !(1 << exception) | u16::from(active) << exception;
            }
            _ => {
                let bit = 1u128 << ((exception - IRQ0) & 127);
                self.active = if active { self.active | bit } else { self.active & !bit };
            }
        }
        self.update();
    }

    /// The handler of `exception` returned: a line that is still high makes its interrupt pending again (B3.4).
    pub fn deactivate(&mut self, exception: u16) {
        self.set_active(exception, false);
        if exception >= IRQ0 {
            self.pending |= 1 << ((exception - IRQ0) & 127) & self.levels;
        }
    }

    /// How many exceptions are active.
    pub fn active_count(&self) -> u32 {
        self.active.count_ones() + self.system_active.count_ones()
    }

    /// AIRCR.VECTCLRACTIVE.
    pub fn clear_active(&mut self) {
        self.active = 0;
        self.system_active = 0;
        self.update();
    }

    /// What priorities and active exceptions follow from was changed.
    pub fn update(&mut self) {
        let mut highest = IDLE;
        let mut consider = |exception| highest = highest.min(self.group_priority(self.priority(exception)));
        bits(self.system_active.into()).for_each(|n| consider(n as u16));
        bits(self.active).for_each(|n| consider(n as u16 + IRQ0));
        self.active_priority = highest;
    }

    /// ExecutionPriority (B1.5.4), from the active exceptions and the masks.
    pub fn execution_priority(&self, primask: bool, faultmask: bool, basepri: u8) -> i32 {
        let mut priority = self.active_priority;
        if basepri != 0 {
            priority = priority.min(self.group_priority(basepri.into()));
        }
        if primask {
            priority = priority.min(0);
        }
        if faultmask {
            priority = priority.min(-1);
        }
        priority
    }

    /// Whether anything is pending that could be taken at all.
    #[inline]
    pub fn any_pending(&self) -> bool {
        self.system_pending != 0 || self.pending & self.enabled != 0
    }

    /// The pending exception with the highest priority, of equal ones that with the lowest number. With `masked`,
    /// PendSV, SysTick and external interrupts do not count (DHCSR.C_MASKINTS).
    pub fn highest_pending(&self, masked: bool) -> Option<u16> {
        if !self.any_pending() {
            return None;
        }
        let system = self.system_pending & if masked { (1 << PEND_SV) - 1 } else { u16::MAX };
        let external = if masked { 0 } else { self.pending & self.enabled };
        let system = bits(system.into()).map(|n| n as u16);
        let external = bits(external).map(|n| n as u16 + IRQ0);
        system.chain(external).min_by_key(|exception| (self.priority(*exception), *exception))
    }

    /// The group priority of `exception`, which is what preempts.
    pub fn preemption_priority(&self, exception: u16) -> i32 {
        self.group_priority(self.priority(exception))
    }

    /// ICSR.ISRPENDING.
    pub fn interrupt_pending(&self) -> bool {
        self.pending != 0
    }

    /// Reads the registers of `bank` for interrupts 32·index and on.
    pub fn read_bank(&self, bank: Bank, index: u32) -> u32 {
        let all = match bank {
            Bank::Enabled => self.enabled,
            Bank::Pending => self.pending,
            Bank::Active => self.active,
        };
        all.checked_shr(32 * index).unwrap_or(0) as u32
    }

    /// Sets or clears bits of `bank` for interrupts 32·index and on; true if an interrupt became pending.
    pub fn write_bank(&mut self, bank: Bank, index: u32, value: u32, set: bool) -> bool {
        let bits = u128::from(value).checked_shl(32 * index).unwrap_or(0) & self.implemented;
        match (bank, set) {
            (Bank::Enabled, true) => self.enabled |= bits,
            (Bank::Enabled, false) => self.enabled &= !bits,
            (Bank::Pending, true) => {
                let new = bits & !self.pending != 0;
                self.pending |= bits;
                return new;
            }
            // A line that is high keeps its interrupt pending, unless its handler runs.
            (Bank::Pending, false) => self.pending &= !bits | self.levels & !self.active,
            (Bank::Active, _) => {}
        }
        false
    }

    /// Reads a byte of the priority registers.
    pub fn read_priority(&self, irq: u32) -> u8 {
        self.irq_priorities.get(irq as usize).copied().unwrap_or(0)
    }
}

/// The numbers of the bits that are set, from the lowest.
fn bits(mut set: u128) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        (set != 0).then(|| {
            let lowest = set.trailing_zeros();
            set &= set - 1;
            lowest
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::arm::config::{M0, M4F};

    #[test]
    fn a_level_that_stays_high_is_pending_again_only_after_the_handler_returned() {
        // B3.4: level-sensitive interrupts.
        let mut nvic = Nvic::new(&M0);
        assert!(nvic.sample(1 << 5));
        nvic.clear_pending(IRQ0 + 5);
        nvic.set_active(IRQ0 + 5, true);
        assert!(!nvic.sample(1 << 5));
        assert!(!nvic.is_pending(IRQ0 + 5));
        nvic.deactivate(IRQ0 + 5);
        assert!(nvic.is_pending(IRQ0 + 5));
    }

    #[test]
    fn a_pended_interrupt_stays_pending_when_its_line_falls() {
        let mut nvic = Nvic::new(&M0);
        nvic.sample(1);
        nvic.sample(0);
        assert!(nvic.is_pending(IRQ0));
    }

    #[test]
    fn clearing_pending_under_a_high_line_does_nothing() {
        let mut nvic = Nvic::new(&M0);
        nvic.sample(2);
        nvic.write_bank(Bank::Pending, 0, 2, false);
        assert!(nvic.is_pending(IRQ0 + 1));
        nvic.sample(0);
        nvic.write_bank(Bank::Pending, 0, 2, false);
        assert!(!nvic.is_pending(IRQ0 + 1));
    }

    #[test]
    fn priorities_have_the_implemented_bits_only() {
        let mut nvic = Nvic::new(&M4F);
        nvic.set_priority(IRQ0 + 3, 0xFF);
        assert_eq!(nvic.read_priority(3), 0xE0);
    }

    #[test]
    fn the_lowest_number_wins_among_equal_priorities() {
        let mut nvic = Nvic::new(&M4F);
        nvic.write_bank(Bank::Enabled, 0, u32::MAX, true);
        nvic.sample(0b1100);
        assert_eq!(nvic.highest_pending(false), Some(IRQ0 + 2));
        nvic.set_priority(IRQ0 + 2, 0x20);
        assert_eq!(nvic.highest_pending(false), Some(IRQ0 + 3));
    }

    #[test]
    fn subpriority_chooses_but_does_not_preempt() {
        // B1.5.4: PRIGROUP = 5 leaves bits 7:6 for the group.
        let mut nvic = Nvic::new(&M4F);
        nvic.group = 5;
        nvic.write_bank(Bank::Enabled, 0, 3, true);
        nvic.set_priority(IRQ0, 0x60);
        nvic.set_priority(IRQ0 + 1, 0x40);
        nvic.sample(3);
        assert_eq!(nvic.highest_pending(false), Some(IRQ0 + 1));
        assert_eq!(nvic.preemption_priority(IRQ0), 0x40);
        nvic.set_active(IRQ0, true);
        assert_eq!(nvic.execution_priority(false, false, 0), 0x40);
    }
}
