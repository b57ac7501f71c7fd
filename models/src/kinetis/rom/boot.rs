//! What the chip executes after a reset: flash or ROM (KL27 reference manual, chapters "Reset and Boot" and "RCM").

use twinboard_sim::time::Time;

use super::chip::{Layout, RomChip};
use super::config::{BCA, BCA_SIZE, Bca, CrcCheck, Fopt};
use super::status::Status;

/// What decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Straps {
    /// FOPT as loaded from flash at this reset.
    pub fopt: Fopt,
    /// The level at BOOTCFG0 when the reset ends is low.
    pub boot_pin_low: bool,
    /// RCM_FM.FORCEROM, two bits.
    pub force_rom: u8,
}

/// Where the core begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootSource {
    /// Flash.
    Flash,
    /// The boot loader.
    Rom {
        /// RCM_MR.BOOTROM: 1 is the pin, 2 is FOPT, 3 both.
        mode: u8,
    },
}

impl Straps {
    /// The decision. RCM_FM.FORCEROM is as good as the pin (bit 0) and FOPT (bit 1).
    #[must_use]
    pub fn boot_source(&self) -> BootSource {
        let pin = self.boot_pin_low && self.fopt.honours_boot_pin();
        let mode = u8::from(pin) | u8::from(self.fopt.boots_from_rom()) << 1 | self.force_rom & 3;
        if mode == 0 { BootSource::Flash } else { BootSource::Rom { mode } }
    }
}

/// The configuration area in the chip's flash.
pub fn bca(chip: &dyn RomChip) -> Bca {
    let mut bytes = [0xFF; BCA_SIZE];
    // Flash is always readable for its own core.
    chip.read(BCA, &mut bytes);
    Bca::parse(&bytes)
}

/// What the check of the image that the area asks for says.
pub fn check_image(chip: &dyn RomChip, crc: Option<CrcCheck>) -> Status {
    let Some(CrcCheck { start, count, expected }) = crc else { return Status::AppCrcCheckInactive };
    let Layout { flash, .. } = chip.layout();
    if count == 0 || u64::from(start) + u64::from(count) > u64::from(flash) {
        return Status::AppCrcCheckOutOfRange;
    }
    let left_out = BCA + 0x0C..BCA + 0x10;
    let mut sum = u32::MAX;
    let mut at = start;
    let mut buffer = [0; 256];
    while at < start + count {
        let piece = &mut buffer[..((start + count - at) as usize).min(256)];
        chip.read(at, piece);
        for (address, &byte) in (at..).zip(&*piece) {
            if !left_out.contains(&address) {
                sum = crc32_mpeg2(sum, byte);
            }
        }
        at += piece.len() as u32;
    }
    if sum == expected { Status::AppCrcCheckPassed } else { Status::AppCrcCheckFailed }
}

/// One byte more, most significant bit first, polynomial 0x04C11DB7.
fn crc32_mpeg2(sum: u32, byte: u8) -> u32 {
    (0..8).fold(sum ^ u32::from(byte) << 24, |sum, _| if sum >> 31 == 1 { sum << 1 ^ 0x04C1_1DB7 } else { sum << 1 })
}

/// An image that can be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Application {
    /// Word 0 of its vectors.
    pub stack: u32,
    /// Word 1.
    pub entry: u32,
}

/// The image in flash, if its vectors look like one and the check does not object.
pub fn application(chip: &dyn RomChip) -> Option<Application> {
    let mut vectors = [0; 8];
    if !chip.read(0, &mut vectors) {
        return None;
    }
    let [s0, s1, s2, s3, e0, e1, e2, e3] = vectors;
    let (stack, entry) = (u32::from_le_bytes([s0, s1, s2, s3]), u32::from_le_bytes([e0, e1, e2, e3]));
    let Layout { flash, ram, ram_size, .. } = chip.layout();
    let in_ram = |address: u32| address.wrapping_sub(ram) <= ram_size;
    let objects = matches!(check_image(chip, bca(chip).crc), Status::AppCrcCheckFailed | Status::AppCrcCheckOutOfRange);
    (in_ram(stack) && (entry < flash || in_ram(entry)) && !objects).then_some(Application { stack, entry })
}

/// When the boot loader gives up waiting for a host and starts the image: never without a valid one, nor if a person
/// or a program asked for the boot loader by pin or by RCM_FM.
pub fn gives_up_at(chip: &dyn RomChip, entered: Time, mode: u8) -> Time {
    const PIN: u8 = 1;
    if mode & PIN != 0 || application(chip).is_none() {
        return Time::NEVER;
    }
    entered + bca(chip).timeout
}

#[cfg(test)]
mod tests {
    use super::super::testing::TestChip;
    use super::*;
    use twinboard_sim::time::Span;

    const MICROBIT: Fopt = Fopt(0x39);

    #[test]
    fn pin_options_and_force_bits_choose_the_rom() {
        let straps = |fopt, boot_pin_low, force_rom| Straps { fopt, boot_pin_low, force_rom }.boot_source();
        assert_eq!(straps(MICROBIT, false, 0), BootSource::Flash);
        assert_eq!(straps(MICROBIT, true, 0), BootSource::Rom { mode: 1 });
        assert_eq!(straps(Fopt(0x3B), true, 0), BootSource::Flash, "BOOTPIN_OPT = 1");
        assert_eq!(straps(Fopt(0xFF), true, 0), BootSource::Rom { mode: 2 }, "an erased chip");
        assert_eq!(straps(Fopt(0x39 | 0x80), true, 0), BootSource::Rom { mode: 3 });
        assert_eq!(straps(MICROBIT, false, 2), BootSource::Rom { mode: 2 });
    }

    #[test]
    fn an_image_needs_vectors_in_memory() {
        let mut chip = TestChip::blank();
        assert_eq!(application(&chip), None);
        chip.put(0, &[0x00, 0x0A, 0x00, 0x20, 0x85, 0x01, 0, 0]);
        assert_eq!(application(&chip), Some(Application { stack: 0x2000_0A00, entry: 0x185 }));
        chip.put(4, &0x0004_0001u32.to_le_bytes());
        assert_eq!(application(&chip), None, "its entry is behind the flash");
    }

    #[test]
    fn a_valid_image_starts_after_the_time_out_unless_the_pin_asked_for_the_rom() {
        let mut chip = TestChip::blank();
        assert_eq!(gives_up_at(&chip, Time::ZERO, 2), Time::NEVER, "nothing to start");
        chip.put(0, &[0x00, 0x0A, 0x00, 0x20, 0x85, 0x01, 0, 0]);
        assert_eq!(gives_up_at(&chip, Time::ZERO, 2), Time::ZERO + Span::secs(5));
        assert_eq!(gives_up_at(&chip, Time::ZERO, 1), Time::NEVER);
    }

    #[test]
    fn the_checksum_leaves_its_own_four_bytes_out() {
        // The check value of CRC-32/MPEG-2 (Williams' catalogue): "123456789" is 0x0376E6E7.
        let mut chip = TestChip::blank();
        let at = BCA + 0x0C - 5;
        chip.put(at, b"12345");
        chip.put(BCA + 0x10, b"6789");
        let crc = CrcCheck { start: at, count: 13, expected: 0x0376_E6E7 };
        assert_eq!(check_image(&chip, Some(crc)), Status::AppCrcCheckPassed);
        assert_eq!(check_image(&chip, Some(CrcCheck { expected: 0, ..crc })), Status::AppCrcCheckFailed);
        assert_eq!(check_image(&chip, Some(CrcCheck { count: u32::MAX, ..crc })), Status::AppCrcCheckOutOfRange);
        assert_eq!(check_image(&chip, None), Status::AppCrcCheckInactive);
    }
}
