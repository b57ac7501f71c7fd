//! What the host can ask and set (KL27 reference manual, "Get/SetProperty Command Properties").

use super::boot;
use super::chip::{Layout, RomChip};
use super::config::peripheral;
use super::frame::PAYLOAD;
use super::packet::AVAILABLE_COMMANDS;
use super::status::Status;

const CURRENT_VERSION: u32 = 0x01;
const AVAILABLE_PERIPHERALS: u32 = 0x02;
const FLASH_START: u32 = 0x03;
const FLASH_SIZE: u32 = 0x04;
const FLASH_SECTOR_SIZE: u32 = 0x05;
const FLASH_BLOCK_COUNT: u32 = 0x06;
const COMMANDS: u32 = 0x07;
const CRC_CHECK_STATUS: u32 = 0x08;
const VERIFY_WRITES: u32 = 0x0A;
const MAX_PACKET_SIZE: u32 = 0x0B;
const RESERVED_REGIONS: u32 = 0x0C;
const VALIDATE_REGIONS: u32 = 0x0D;
const RAM_START: u32 = 0x0E;
const RAM_SIZE: u32 = 0x0F;
const SYSTEM_DEVICE_ID: u32 = 0x10;
const FLASH_SECURITY_STATE: u32 = 0x11;

/// K1.0.0, which does not know its chip's unique id (property 0x12).
const VERSION: u32 = (b'K' as u32) << 24 | 1 << 16;

/// The properties that can be set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Properties {
    /// VerifyWrites: what was programmed is compared with what is there.
    pub verify_writes: bool,
    /// ValidateRegions: the boot loader's own memory cannot be written.
    pub validate_regions: bool,
}

impl Default for Properties {
    fn default() -> Properties {
        Properties { verify_writes: true, validate_regions: true }
    }
}

/// The words of a property, two at the most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value {
    words: [u32; 2],
    count: usize,
}

impl Value {
    /// The words.
    #[must_use]
    pub fn words(&self) -> &[u32] {
        &self.words[..self.count]
    }
}

impl From<u32> for Value {
    fn from(word: u32) -> Value {
        Value { words: [word, 0], count: 1 }
    }
}

impl Properties {
    /// Reads a property.
    ///
    /// # Errors
    /// [`Status::UnknownProperty`].
    pub fn get(&self, tag: u32, chip: &dyn RomChip) -> Result<Value, Status> {
        let Layout { flash, sector, blocks, ram, ram_size, ram_reserved, sdid } = chip.layout();
        Ok(Value::from(match tag {
            CURRENT_VERSION => VERSION,
            AVAILABLE_PERIPHERALS => u32::from(peripheral::ALL),
            FLASH_START => 0,
            FLASH_SIZE => flash,
            FLASH_SECTOR_SIZE => sector,
            FLASH_BLOCK_COUNT => blocks,
            COMMANDS => AVAILABLE_COMMANDS,
            CRC_CHECK_STATUS => boot::check_image(chip, boot::bca(chip).crc) as u32,
            VERIFY_WRITES => u32::from(self.verify_writes),
            MAX_PACKET_SIZE => PAYLOAD as u32,
            RESERVED_REGIONS => return Ok(Value { words: [ram, ram + ram_reserved - 1], count: 2 }),
            VALIDATE_REGIONS => u32::from(self.validate_regions),
            RAM_START => ram,
            RAM_SIZE => ram_size,
            SYSTEM_DEVICE_ID => sdid,
            FLASH_SECURITY_STATE => u32::from(chip.secured()),
            _ => return Err(Status::UnknownProperty),
        }))
    }

    /// Sets a property.
    ///
    /// # Errors
    /// [`Status::UnknownProperty`], [`Status::ReadOnlyProperty`], [`Status::InvalidPropertyValue`].
    pub fn set(&mut self, tag: u32, value: u32, chip: &dyn RomChip) -> Result<(), Status> {
        let flag = match tag {
            VERIFY_WRITES => &mut self.verify_writes,
            VALIDATE_REGIONS => &mut self.validate_regions,
            _ => return Err(self.get(tag, chip).err().unwrap_or(Status::ReadOnlyProperty)),
        };
        if value > 1 {
            return Err(Status::InvalidPropertyValue);
        }
        *flag = value == 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::TestChip;
    use super::*;

    #[test]
    fn the_version_reads_as_k_1_0_0() {
        // As blhost shows it: 1258356736.
        let value = Properties::default().get(1, &TestChip::blank()).expect("a property");
        assert_eq!(value.words(), [1_258_356_736]);
    }

    #[test]
    fn the_unique_id_and_others_are_unknown() {
        for tag in [0, 9, 0x12, 0x18, u32::MAX] {
            assert_eq!(Properties::default().get(tag, &TestChip::blank()), Err(Status::UnknownProperty));
        }
    }

    #[test]
    fn two_properties_can_be_set_to_zero_or_one() {
        let (mut properties, chip) = (Properties::default(), TestChip::blank());
        assert_eq!(properties.set(VERIFY_WRITES, 0, &chip), Ok(()));
        assert_eq!(properties.set(VALIDATE_REGIONS, 0, &chip), Ok(()));
        assert_eq!(properties, Properties { verify_writes: false, validate_regions: false });
        assert_eq!(properties.set(VERIFY_WRITES, 2, &chip), Err(Status::InvalidPropertyValue));
        assert_eq!(properties.set(FLASH_SIZE, 1, &chip), Err(Status::ReadOnlyProperty));
        assert_eq!(properties.set(0x12, 1, &chip), Err(Status::UnknownProperty));
    }
}
