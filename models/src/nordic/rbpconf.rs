//! Readback protection of the nRF51: what a debugger may see of a closed chip.
//!
//! UICR.RBPCONF is sampled at reset. With PALL closed, accesses through the memory access port reach only what is needed
//! to reset and to erase the chip, and the core's own registers; everything else reads 0 and ignores writes.
//! NVMC.ERASEALL, which erases UICR too, opens the chip from the next reset on.

/// RBPCONF in UICR.
pub const UICR_RBPCONF: u32 = 0x004;

const NVMC: u32 = 0x4001_E000;
const POWER_RESET: u32 = 0x4000_0544;
const PAGE: u32 = 0x1000;

/// The protection as it was sampled at the last reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rbpconf(u32);

impl Default for Rbpconf {
    fn default() -> Rbpconf {
        Rbpconf(u32::MAX)
    }
}

impl Rbpconf {
    /// A reset samples UICR.RBPCONF.
    #[must_use]
    pub fn sample(word: u32) -> Rbpconf {
        Rbpconf(word)
    }

    /// Whether a debugger's access to `address` reaches anything.
    #[must_use]
    pub fn lets_through(self, address: u32) -> bool {
        // PALL, bits 15:8: any value but 0xFF protects.
        self.0 >> 8 & 0xFF == 0xFF
            || address >> 29 == 0b111
            || matches!(address & !3, POWER_RESET)
            || address & !(PAGE - 1) == NVMC
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_chip_lets_a_debugger_to_nvmc_and_power_reset_only() {
        let closed = Rbpconf::sample(0xFFFF_00FF);
        let reachable = [0x4001_E400, 0x4001_E50C, 0x4000_0544, 0xE000_EDF0];
        let hidden = [0x0, 0x2000_0000, 0x1000_1000, 0x4000_0400, 0x5000_0504];
        assert!(reachable.iter().all(|&at| closed.lets_through(at)));
        assert!(!hidden.iter().any(|&at| closed.lets_through(at)));
        assert!(hidden.iter().all(|&at| Rbpconf::sample(0xFFFF_FF00).lets_through(at)), "PR0 alone: no region 0");
    }
}
