//! Access port protection: who may look into the chip.
//!
//! The protection is evaluated at reset from UICR.APPROTECT. On the first silicon an erased word means open and
//! anything else closed. On hardened silicon (nRF52833 from build code B0) the word must be 0x5A, *and* firmware must
//! write 0x5A to APPROTECT.DISABLE after each reset; an erased chip is closed. CTRL-AP.ERASEALL opens both kinds, on
//! the hardened one until a reset that is more than a soft one, or that finds UICR.APPROTECT written to close it.

use super::peripheral::Reset;

const FORCEPROTECT: u32 = 0x550;
const DISABLE: u32 = 0x558;
/// UICR.APPROTECT = HwDisabled, APPROTECT.DISABLE = SwDisable.
const OPEN: u32 = 0x5A;

/// The registers and the state of the protection.
#[derive(Debug)]
pub struct ApProtect {
    hardened: bool,
    /// UICR.APPROTECT.PALL as it was at the last reset.
    uicr: u32,
    forceprotect: u32,
    disable: u32,
    erased: bool,
}

impl ApProtect {
    /// The protection of a chip of the hardened or of the first kind.
    #[must_use]
    pub fn new(hardened: bool) -> ApProtect {
        ApProtect { hardened, uicr: 0xFF, forceprotect: u32::MAX, disable: 0, erased: false }
    }

    /// Whether the memory access port is usable (CTRL-AP.APPROTECTSTATUS = 1).
    #[must_use]
    pub fn is_open(&self) -> bool {
        match (self.hardened, self.uicr) {
            (_, _) if self.erased => true,
            (false, uicr) => matches!(uicr, 0xFF | OPEN),
            (true, uicr) => uicr == OPEN && self.disable == OPEN && self.forceprotect != 0,
        }
    }

    /// Reads APPROTECT registers.
    #[must_use]
    pub fn read(&self, offset: u32) -> Option<u32> {
        match offset {
            FORCEPROTECT => Some(self.forceprotect),
            DISABLE => Some(self.disable),
            _ => None,
        }
    }

    /// Writes APPROTECT registers. FORCEPROTECT can be written once after a reset.
    pub fn write(&mut self, offset: u32, value: u32) -> Option<()> {
        match offset {
            FORCEPROTECT if self.forceprotect == u32::MAX => self.forceprotect = value & 0xFF,
            FORCEPROTECT => {}
            DISABLE => self.disable = value & 0xFF,
            _ => return None,
        }
        Some(())
    }

    /// CTRL-AP.ERASEALL has finished.
    pub fn erased_all(&mut self) {
        self.erased = true;
        self.uicr = 0xFF;
    }

    /// A reset samples UICR.APPROTECT.
    pub fn reset(&mut self, reset: Reset, uicr_approtect: u32) {
        let soft = matches!(reset, Reset::Soft | Reset::Lockup);
        let closed_again = !matches!(uicr_approtect & 0xFF, 0xFF | OPEN);
        let erased = self.erased && self.hardened && soft && !closed_again;
        *self = ApProtect { uicr: uicr_approtect & 0xFF, erased, ..ApProtect::new(self.hardened) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_the_first_silicon_an_erased_word_means_open() {
        let mut protect = ApProtect::new(false);
        for (uicr, open) in [(0xFFFF_FFFF, true), (0xFFFF_FF5A, true), (0xFFFF_FF00, false)] {
            protect.reset(Reset::Soft, uicr);
            assert_eq!(protect.is_open(), open, "{uicr:#x}");
        }
    }

    #[test]
    fn hardened_silicon_needs_both_the_word_and_the_firmware() {
        let mut protect = ApProtect::new(true);
        protect.reset(Reset::PowerOn, u32::MAX);
        assert!(!protect.is_open());
        protect.reset(Reset::Pin, 0xFFFF_FF5A);
        assert!(!protect.is_open());
        protect.write(DISABLE, OPEN);
        assert!(protect.is_open());
        protect.write(FORCEPROTECT, 0);
        assert!(!protect.is_open());
    }

    #[test]
    fn after_eraseall_a_hardened_chip_stays_open_over_a_soft_reset_only() {
        let mut protect = ApProtect::new(true);
        protect.reset(Reset::PowerOn, 0);
        protect.erased_all();
        protect.reset(Reset::Soft, u32::MAX);
        assert!(protect.is_open());
        protect.reset(Reset::Pin, u32::MAX);
        assert!(!protect.is_open());
    }

    #[test]
    fn after_eraseall_a_word_that_closes_counts_at_the_next_reset() {
        let mut protect = ApProtect::new(true);
        protect.reset(Reset::PowerOn, 0);
        protect.erased_all();
        protect.reset(Reset::Soft, 0xFFFF_FF00);
        assert!(!protect.is_open());
    }
}
