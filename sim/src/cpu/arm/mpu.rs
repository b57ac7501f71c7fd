//! The Memory Protection Unit (ARMv7-M ARM B3.5) and the default memory map (B3.1).

use super::Core;

/// MPU_CTRL.
mod ctrl {
    pub const ENABLE: u32 = 1 << 0;
    pub const HFNMIENA: u32 = 1 << 1;
    pub const PRIVDEFENA: u32 = 1 << 2;
}

/// What somebody wants to do at an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    Read,
    Write,
    Execute,
}

#[derive(Clone, Copy, Debug, Default)]
struct Region {
    /// RBAR.ADDR.
    base: u32,
    /// RASR.
    attributes: u32,
}

impl Region {
    fn contains(&self, address: u32) -> bool {
        let size = self.attributes >> 1 & 31;
        if self.attributes & 1 == 0 || size < 4 {
            return false;
        }
        let mask = u32::MAX >> (31 - size);
        if (address ^ self.base) & !mask != 0 {
            return false;
        }
        // Regions of 256 bytes and more have eight subregions.
        let subregion = if size < 7 { 0 } else { (address & mask) >> (size - 2) };
        size < 7 || self.attributes >> (8 + subregion) & 1 == 0
    }

    /// Table B3-15, and XN.
    fn allows(&self, access: Access, privileged: bool) -> bool {
        let (read, write) = match (self.attributes >> 24 & 7, privileged) {
            (1, true) | (2, true) | (3, _) => (true, true),
            (2, false) | (5, true) | (6 | 7, _) => (true, false),
            _ => (false, false),
        };
        match access {
            Access::Read => read,
            Access::Write => write,
            Access::Execute => read && self.attributes >> 28 & 1 == 0,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Mpu {
    control: u32,
    number: u32,
    regions: Vec<Region>,
}

/// XN in the default memory map: peripherals, devices, the private peripheral bus.
fn never_executes(address: u32) -> bool {
    matches!(address >> 29, 2 | 5..=7)
}

impl Mpu {
    pub fn new(regions: u8) -> Mpu {
        Mpu { control: 0, number: 0, regions: vec![Region::default(); regions.into()] }
    }

    #[inline(always)]
    pub fn enabled(&self) -> bool {
        self.control & ctrl::ENABLE != 0
    }

    /// `negative`: the execution priority is that of HardFault or NMI, where the MPU is off unless HFNMIENA.
    fn allows(&self, address: u32, access: Access, privileged: bool, negative: bool) -> bool {
        let default = access != Access::Execute || !never_executes(address);
        let off = !self.enabled() || (negative && self.control & ctrl::HFNMIENA == 0);
        if off || address >> 20 == 0xE00 {
            return default;
        }
        // The highest region wins.
        match self.regions.iter().rev().find(|region| region.contains(address)) {
            Some(region) => region.allows(access, privileged) && default,
            None => privileged && self.control & ctrl::PRIVDEFENA != 0 && default,
        }
    }

    /// Reads the register at `offset` from 0xE000ED90.
    pub fn read(&self, offset: u32) -> u32 {
        if offset == 0 {
            return (self.regions.len() as u32) << 8;
        }
        let region = self.regions.get(self.number as usize).copied().unwrap_or_default();
        match offset {
            _ if self.regions.is_empty() => 0,
            0x04 => self.control,
            0x08 => self.number,
            0x0C | 0x14 | 0x1C | 0x24 => region.base | self.number & 15,
            _ => region.attributes,
        }
    }

    /// Writes the register at `offset` from 0xE000ED90.
    pub fn write(&mut self, offset: u32, value: u32) {
        if self.regions.is_empty() {
            return;
        }
        let count = self.regions.len() as u32;
        match offset {
            0x04 => self.control = value & (ctrl::ENABLE | ctrl::HFNMIENA | ctrl::PRIVDEFENA),
            0x08 => self.number = (value & 0xFF).min(count - 1),
            // RBAR and its aliases; VALID chooses the region.
            0x0C | 0x14 | 0x1C | 0x24 => {
                if value & 0x10 != 0 {
                    self.number = (value & 15).min(count - 1);
                }
                self.regions[self.number as usize].base = value & !0x1F;
            }
            0x10 | 0x18 | 0x20 | 0x28 => self.regions[self.number as usize].attributes = value & 0x173F_FF3F,
            _ => {}
        }
    }
}

impl Core {
    pub(super) fn mpu_allows_data(&self, address: u32, write: bool, privileged: bool) -> bool {
        let access = if write { Access::Write } else { Access::Read };
        self.mpu.allows(address, access, privileged, self.execution_priority() < 0)
    }

    pub(super) fn mpu_allows_fetch(&self, address: u32) -> bool {
        if !self.mpu.enabled() {
            return !never_executes(address);
        }
        self.mpu.allows(address, Access::Execute, self.regs.privileged(), self.execution_priority() < 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One enabled region.
    fn with_region(base: u32, attributes: u32) -> Mpu {
        let mut mpu = Mpu::new(8);
        mpu.write(0x0C, base | 0x10);
        mpu.write(0x10, attributes | 1);
        mpu.write(0x04, ctrl::ENABLE);
        mpu
    }

    /// SIZE for 2^`bits` bytes.
    fn size(bits: u32) -> u32 {
        (bits - 1) << 1
    }

    #[test]
    fn a_region_covers_its_size_and_no_more() {
        let mpu = with_region(0x2000_0000, 3 << 24 | size(10));
        assert!(mpu.allows(0x2000_03FF, Access::Write, false, false));
        assert!(!mpu.allows(0x2000_0400, Access::Read, true, false));
    }

    #[test]
    fn disabled_subregions_are_holes() {
        let mpu = with_region(0x2000_0000, 3 << 24 | size(10) | 1 << 9);
        assert!(mpu.allows(0x2000_007F, Access::Read, false, false));
        assert!(!mpu.allows(0x2000_0080, Access::Read, false, false));
        assert!(mpu.allows(0x2000_0100, Access::Read, false, false));
    }

    #[test]
    fn access_permissions_follow_the_table() {
        let mpu = with_region(0x2000_0000, 2 << 24 | size(10));
        assert!(mpu.allows(0x2000_0000, Access::Write, true, false));
        assert!(mpu.allows(0x2000_0000, Access::Read, false, false));
        assert!(!mpu.allows(0x2000_0000, Access::Write, false, false));
    }

    #[test]
    fn hard_fault_and_nmi_run_without_it() {
        let mpu = with_region(0x2000_0000, size(10));
        assert!(!mpu.allows(0x2000_0000, Access::Read, true, false));
        assert!(mpu.allows(0x2000_0000, Access::Read, true, true));
    }

    #[test]
    fn peripherals_never_execute() {
        assert!(!Mpu::new(0).allows(0x4000_0000, Access::Execute, true, false));
        assert!(Mpu::new(0).allows(0x2000_0000, Access::Execute, true, false));
    }
}
