//! What the image in flash tells the boot loader and the chip: configuration area (BCA) and configuration field (FCF).

use twinboard_sim::time::Span;

/// Where the boot loader configuration area is in flash.
pub const BCA: u32 = 0x3C0;

/// Bytes of the area.
pub const BCA_SIZE: usize = 0x40;

/// Where the flash configuration field is: key, FPROT, FSEC, FOPT.
pub const FCF: u32 = 0x400;

const TAG: [u8; 4] = *b"kcfg";

/// How long the boot loader looks for a host if the area does not say.
const DEFAULT_TIMEOUT: Span = Span::ms(5_000);

const USB_VENDOR: u16 = 0x15A2;
const USB_PRODUCT: u16 = 0x0073;

/// Bits of enabledPeripherals and of property AvailablePeripherals.
pub mod peripheral {
    /// LPUART.
    pub const LPUART: u8 = 1 << 0;
    /// I2C slave.
    pub const I2C: u8 = 1 << 1;
    /// SPI slave.
    pub const SPI: u8 = 1 << 2;
    /// USB HID.
    pub const USB_HID: u8 = 1 << 4;
    /// All that this chip has.
    pub const ALL: u8 = LPUART | I2C | SPI | USB_HID;
}

/// What is to be checked before an image is started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CrcCheck {
    /// First address.
    pub start: u32,
    /// Bytes.
    pub count: u32,
    /// CRC-32/MPEG-2 of it, the four bytes of this value left out.
    pub expected: u32,
}

/// The boot loader configuration area, or what holds without one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bca {
    /// What is to be checked before the image is started.
    pub crc: Option<CrcCheck>,
    /// Which peripherals are listened to: [`peripheral`].
    pub enabled: u8,
    /// How long a host is waited for before a valid image is started.
    pub timeout: Span,
    /// idVendor.
    pub usb_vendor: u16,
    /// idProduct.
    pub usb_product: u16,
}

impl Default for Bca {
    fn default() -> Bca {
        Bca {
            crc: None,
            enabled: peripheral::ALL,
            timeout: DEFAULT_TIMEOUT,
            usb_vendor: USB_VENDOR,
            usb_product: USB_PRODUCT,
        }
    }
}

impl Bca {
    /// Reads the area. An erased field counts as not there, and so does an area without its tag.
    #[must_use]
    pub fn parse(bytes: &[u8; BCA_SIZE]) -> Bca {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let half = |at: usize| Some(u16::from_le_bytes([bytes[at], bytes[at + 1]])).filter(|&value| value != u16::MAX);
        let default = Bca::default();
        if bytes[..4] != TAG {
            return default;
        }
        let crc = CrcCheck { start: word(0x04), count: word(0x08), expected: word(0x0C) };
        let none = CrcCheck { start: u32::MAX, count: u32::MAX, expected: u32::MAX };
        Bca {
            crc: Some(crc).filter(|&crc| crc != none),
            enabled: bytes[0x10] & peripheral::ALL,
            timeout: half(0x12).map_or(default.timeout, |ms| Span::ms(u64::from(ms))),
            usb_vendor: half(0x14).unwrap_or(default.usb_vendor),
            usb_product: half(0x16).unwrap_or(default.usb_product),
        }
    }
}

/// FOPT, the chip's options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fopt(pub u8);

impl Fopt {
    /// BOOTSRC_SEL (7:6): 10 and 11 are the ROM.
    #[must_use]
    pub fn boots_from_rom(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// BOOTPIN_OPT (1) = 0: BOOTCFG0 is looked at.
    #[must_use]
    pub fn honours_boot_pin(self) -> bool {
        self.0 & 0x02 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_area_every_peripheral_is_listened_to_for_five_seconds() {
        let bca = Bca::parse(&[0xFF; BCA_SIZE]);
        assert_eq!(bca, Bca::default());
        assert_eq!((bca.enabled, bca.timeout), (0x17, Span::secs(5)));
        assert_eq!((bca.usb_vendor, bca.usb_product), (0x15A2, 0x0073));
    }

    #[test]
    fn the_area_of_the_micro_bit_leaves_usb_alone() {
        let mut bytes = [0xFF; BCA_SIZE];
        bytes[..4].copy_from_slice(b"kcfg");
        bytes[0x10] = 0x10;
        assert_eq!(Bca::parse(&bytes), Bca { enabled: peripheral::USB_HID, ..Bca::default() });
    }

    #[test]
    fn fields_are_read_where_the_manual_has_them() {
        let mut bytes = [0xFF; BCA_SIZE];
        bytes[..4].copy_from_slice(b"kcfg");
        bytes[0x04..0x10].copy_from_slice(&[0, 8, 0, 0, 0, 1, 0, 0, 0x78, 0x56, 0x34, 0x12]);
        bytes[0x12..0x18].copy_from_slice(&[0xF4, 0x01, 0x34, 0x12, 0x78, 0x56]);
        let crc = CrcCheck { start: 0x800, count: 0x100, expected: 0x1234_5678 };
        assert_eq!(
            Bca::parse(&bytes),
            Bca { crc: Some(crc), enabled: 0x17, timeout: Span::ms(500), usb_vendor: 0x1234, usb_product: 0x5678 }
        );
    }

    #[test]
    fn an_erased_chip_boots_from_rom_and_ignores_the_pin() {
        assert!(Fopt(0xFF).boots_from_rom() && !Fopt(0xFF).honours_boot_pin());
        // The micro:bit's image.
        assert!(!Fopt(0x39).boots_from_rom() && Fopt(0x39).honours_boot_pin());
    }
}
