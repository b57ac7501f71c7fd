//! ACL — access control lists (PS chapter "ACL"): eight regions of flash that can be locked until the next reset.
//!
//! The registers keep what is written once and can be read back; the protection itself is not modelled.

use super::peripheral::index;

const ACL: u32 = 0x800;
const STRIDE: u32 = 0x10;
const REGIONS: u32 = 8;

/// ADDR, SIZE and PERM of each region. They share the page with NVMC.
#[derive(Debug, Default)]
pub struct Acl {
    registers: [[Option<u32>; 3]; REGIONS as usize],
}

fn locate(offset: u32) -> Option<(usize, usize)> {
    (0..3).find_map(|field| Some((index(offset, ACL + 4 * field, STRIDE, REGIONS)?, field as usize)))
}

impl Acl {
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
    fn a_region_is_written_once_and_reads_back() {
        let mut acl = Acl::default();
        acl.write(0x814, 0x1_E000);
        acl.write(0x814, 0);
        assert_eq!((acl.read(0x814), acl.read(0x818), acl.read(0x80C)), (Some(0x1_E000), Some(0), None));
    }
}
