//! MPU — memory protection unit of the nRF51 (not Arm's): blocks of flash that the program itself cannot change until
//! the next reset, and a first region of RAM and peripherals for a SoftDevice (dossier §2.17).
//!
//! The protection of flash blocks acts; the regions of RAM and peripherals are registers only.

const PERR0: u32 = 0x528;
const RLENR0: u32 = 0x52C;
const PROTENSET0: u32 = 0x600;
const PROTENSET1: u32 = 0x604;
const DISABLEINDEBUG: u32 = 0x608;
const PROTBLOCKSIZE: u32 = 0x60C;

/// Bytes of a block.
const BLOCK: u32 = 0x1000;

/// The register machine.
#[derive(Debug)]
pub struct Mpu {
    perr0: u32,
    rlenr0: u32,
    /// PROTENSET0 and PROTENSET1: one bit per block.
    proten: u64,
    disable_in_debug: bool,
}

impl Default for Mpu {
    fn default() -> Mpu {
        Mpu { perr0: 0, rlenr0: 0, proten: 0, disable_in_debug: true }
    }
}

impl Mpu {
    /// Whether writes and erases at `address` are refused. `debugged`: the chip is in debug interface mode.
    #[must_use]
    pub fn protects(&self, address: u32, debugged: bool) -> bool {
        let block = address / BLOCK;
        block < 64 && self.proten >> block & 1 == 1 && !(debugged && self.disable_in_debug)
    }

    /// Reads a register of the MPU.
    #[must_use]
    pub fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            PERR0 => self.perr0,
            RLENR0 => self.rlenr0,
            PROTENSET0 => self.proten as u32,
            PROTENSET1 => (self.proten >> 32) as u32,
            DISABLEINDEBUG => self.disable_in_debug.into(),
            PROTBLOCKSIZE => 0,
            _ => return None,
        })
    }

    /// Writes a register of the MPU. Protection can be added, and taken away only by a reset.
    pub fn write(&mut self, offset: u32, value: u32) -> Option<()> {
        match offset {
            PERR0 => self.perr0 = value,
            RLENR0 => self.rlenr0 = value,
            PROTENSET0 => self.proten |= u64::from(value),
            PROTENSET1 => self.proten |= u64::from(value) << 32,
            DISABLEINDEBUG => self.disable_in_debug = value & 1 == 1,
            PROTBLOCKSIZE => {}
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_4_kb_stays_protected_until_reset() {
        let mut mpu = Mpu::default();
        mpu.write(PROTENSET0, 1 << 3);
        mpu.write(PROTENSET1, 1 << 28);
        mpu.write(PROTENSET0, 0);
        let addresses = [0x2FFC, 0x3000, 0x3FFC, 0x4000, 0x3_C000, 0x1000_1000];
        assert_eq!(addresses.map(|at| mpu.protects(at, false)), [false, true, true, false, true, false]);
        assert_eq!((mpu.read(PROTENSET0), mpu.read(PROTENSET1)), (Some(8), Some(1 << 28)));
    }

    #[test]
    fn in_debug_interface_mode_the_protection_acts_only_if_disableindebug_is_0() {
        // Appendix A: DISABLEINDEBUG resets to 1.
        let mut mpu = Mpu::default();
        mpu.write(PROTENSET0, 1);
        assert!(!mpu.protects(0, true));
        mpu.write(DISABLEINDEBUG, 0);
        assert!(mpu.protects(0, true));
    }
}
