//! ACL — access control lists (PS chapter "ACL"): eight regions of flash that can be locked until the next reset.
//!
//! A region's registers keep what is written once. Whoever writes or erases where PERM.WRITE is set gets a bus error;
//! PERM.READ is kept and protects nothing.

use super::peripheral::index;

const ACL: u32 = 0x800;
const STRIDE: u32 = 0x10;
const REGIONS: u32 = 8;

/// PERM: no writes and no erases.
const PERM_WRITE: u32 = 1 << 1;

/// ADDR, SIZE and PERM of each region. They share the page with NVMC.
#[derive(Debug, Default)]
pub struct Acl {
    registers: [[Option<u32>; 3]; REGIONS as usize],
}

fn locate(offset: u32) -> Option<(usize, usize)> {
    (0..3).find_map(|field| Some((index(offset, ACL + 4 * field, STRIDE, REGIONS)?, field as usize)))
}

impl Acl {
    fn regions(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let locked = |region: &&[Option<u32>; 3]| region[2].is_some_and(|perm| perm & PERM_WRITE != 0);
        self.registers.iter().filter(locked).map(|region| (region[0].unwrap_or(0), region[1].unwrap_or(0)))
    }

    /// Whether the word at `address` may be neither written nor erased.
    #[must_use]
    pub fn protects(&self, address: u32) -> bool {
        self.regions().any(|(start, size)| address.wrapping_sub(start) < size)
    }

    /// Whether anything may be neither written nor erased.
    #[must_use]
    pub fn protects_anything(&self) -> bool {
        self.regions().any(|(_, size)| size > 0)
    }

    /// Reads an ACL register.
    #[must_use]
    pub fn read(&self, offset: u32) -> Option<u32> {
        let (region, field) = locate(offset)?;
        Some(self.registers[region][field].unwrap_or(0))
    }

    /// Writes an ACL register, the first time after a reset.
    pub fn write(&mut self, offset: u32, value: u32) -> Option<()> {
        let (region, field) = locate(offset)?;
        self.registers[region][field].get_or_insert(value);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_with_perm_write_is_protected_from_its_first_to_its_last_byte() {
        let mut acl = Acl::default();
        for (offset, value) in [(0x800, 0x1000), (0x804, 0x2000), (0x808, 1 << 2)] {
            acl.write(offset, value);
        }
        assert!(!acl.protects(0x1000) && !acl.protects_anything(), "reading only");
        for (offset, value) in [(0x810, 0x4000), (0x814, 0x1000), (0x818, PERM_WRITE)] {
            acl.write(offset, value);
        }
        assert_eq!([0x3FFC, 0x4000, 0x4FFC, 0x5000].map(|at| acl.protects(at)), [false, true, true, false]);
        assert!(acl.protects_anything());
    }

    #[test]
    fn a_region_is_written_once_and_reads_back() {
        let mut acl = Acl::default();
        acl.write(0x814, 0x1_E000);
        acl.write(0x814, 0);
        assert_eq!((acl.read(0x814), acl.read(0x818), acl.read(0x80C)), (Some(0x1_E000), Some(0), None));
    }
}
