//! What a file is for, judged by its first 48 bytes, and the way from decoded data to the flash manager.

use crate::daplink::bootloader::Mode;
use crate::daplink::config::DapLinkConfig;
use crate::daplink::error::Error;
use crate::daplink::shared::{Core, TargetFlash};

/// Bytes needed to tell what an image is.
pub const HEAD: usize = 48;

const BUILD_KEY_INTERFACE: u32 = 0x9b93_9e8f;
const BUILD_KEY_BOOTLOADER: u32 = 0x9b93_9d93;

/// What an image is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Image {
    /// The interface chip: its interface firmware.
    Interface,
    /// The interface chip: its bootloader.
    Bootloader,
    /// The target.
    Target,
}

impl Image {
    /// What begins with `head`, if that can be told. With an address (`addressed`: it comes from a hex file) everything
    /// that is not a DAPLink image is for the target; without one only what has a plausible vector table.
    #[must_use]
    pub fn detect(head: &[u8; HEAD], config: &DapLinkConfig, addressed: bool) -> Option<Image> {
        if word(head, 0x24) == config.hic_id {
            return match word(head, 0x20) {
                BUILD_KEY_INTERFACE => Some(Image::Interface),
                BUILD_KEY_BOOTLOADER => Some(Image::Bootloader),
                _ => None,
            };
        }
        (addressed || has_vectors(head, config)).then_some(Image::Target)
    }
}

fn word(head: &[u8; HEAD], at: usize) -> u32 {
    u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

/// Whether the stack pointer lies in the target's RAM, and reset, NMI and hard fault vectors in its flash; the bounds
/// count on both sides, as the firmware has it.
fn has_vectors(head: &[u8; HEAD], config: &DapLinkConfig) -> bool {
    let (ram, flash) = (config.target_ram, config.target_flash);
    (ram.0..=ram.1).contains(&word(head, 0))
        && [4, 8, 12].iter().all(|&at| (flash.0..=flash.1).contains(&word(head, at)))
}

/// Whether an image is for a Cortex-M0, whose memory management, bus and usage fault vectors are reserved and zero.
fn is_for_cortex_m0(head: &[u8; HEAD]) -> bool {
    head[0x10..0x1c].iter().all(|&byte| byte == 0)
}

/// Holds data back until it is clear what it is for, then hands it on.
#[derive(Clone, Debug)]
pub struct Decoder {
    head: [u8; HEAD],
    buffered: usize,
    start: Option<u32>,
    next: u32,
    image: Option<Image>,
    /// The flash manager is open.
    open: bool,
    /// The image has no addresses of its own, so it ends where the flash ends.
    is_binary: bool,
    /// It has come to its end.
    done: bool,
}

impl Decoder {
    /// A decoder at the start of a file.
    #[must_use]
    pub fn new(is_binary: bool) -> Decoder {
        Decoder {
            head: [0xff; HEAD],
            buffered: 0,
            start: None,
            next: 0,
            image: None,
            open: false,
            is_binary,
            done: false,
        }
    }

    /// Takes data; true when it is certainly the last.
    ///
    /// # Errors
    /// The image is not one for this board, or the flash manager failed.
    pub async fn write<F: TargetFlash>(
        &mut self,
        core: &mut Core,
        flash: &mut F,
        mut address: u32,
        mut data: &[u8],
    ) -> Result<bool, Error> {
        let start = *self.start.get_or_insert_with(|| {
            self.next = address;
            address
        });
        if !self.open {
            let sequential = address == self.next;
            self.next = self.next.wrapping_add(data.len() as u32);
            if sequential {
                let (head, rest) = data.split_at(data.len().min(HEAD - self.buffered));
                self.head[self.buffered..self.buffered + head.len()].copy_from_slice(head);
                self.buffered += head.len();
                address = address.wrapping_add(head.len() as u32);
                data = rest;
                if self.buffered < HEAD {
                    return Ok(false);
                }
                self.image = Image::detect(&self.head, &core.config, true);
            } else {
                self.image = Some(Image::Target);
            }
            self.check_image(core, start)?;
            self.open = true;
            core.flash_busy = true;
            flash.open(core).await?;
            flash.data(core, start, &self.head[..self.buffered]).await?;
        }
        if !data.is_empty() {
            flash.data(core, address, data).await?;
        }
        let end = u64::from(core.config.target_flash.1);
        // DAPLink's own images are padded to the end of their place.
        let ends = self.is_binary || self.image == Some(Image::Interface);
        self.done |= ends && u64::from(address) + data.len() as u64 >= end;
        Ok(self.done)
    }

    fn check_image(&self, core: &Core, start: u32) -> Result<(), Error> {
        if core.config.mode == Mode::Bootloader {
            return match self.image {
                // What is not DAPLink's is the firmware of another maker.
                Some(Image::Interface | Image::Target) if start == core.config.target_flash.0 => Ok(()),
                Some(Image::Interface | Image::Target) => Err(Error::InterfaceUpdateAddress),
                _ => Err(Error::UnsupportedUpdate),
            };
        }
        match self.image {
            Some(Image::Target) if core.settings.settings().detect_incompatible && is_for_cortex_m0(&self.head) => {
                Err(Error::IncompatibleImage)
            }
            Some(Image::Target) => Ok(()),
            Some(Image::Bootloader) if core.settings.settings().automation_allowed => Err(if start == 0 {
                // Native firmware has no flash of its own that an update could go to.
                Error::IapUpdateNotSupported
            } else {
                Error::BootloaderUpdateAddress
            }),
            _ => Err(Error::UnsupportedUpdate),
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The flash manager could not write what it still had, or the file ended before it was clear what it is.
    pub async fn close<F: TargetFlash>(&mut self, core: &mut Core, flash: &mut F) -> Result<(), Error> {
        if self.open {
            let result = flash.close(core).await;
            core.flash_busy = false;
            result?;
        }
        if self.done || self.image == Some(Image::Target) { Ok(()) } else { Err(Error::IapUpdateIncomplete) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(words: &[u32]) -> [u8; HEAD] {
        let mut head = [0xff; HEAD];
        for (slot, word) in head.chunks_exact_mut(4).zip(words) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        head
    }

    #[test]
    fn a_binary_needs_vectors_in_the_targets_memory() {
        let config = DapLinkConfig::default();
        let good = head(&[0x2002_0000, 0x1a1, 0x1a3, 0x8_0000]);
        assert_eq!(Image::detect(&good, &config, false), Some(Image::Target));
        assert_eq!(Image::detect(&head(&[0x2002_0001, 1, 1, 1]), &config, false), None);
        assert_eq!(Image::detect(&head(&[0x2000_4000, 1, 1, 0x8_0001]), &config, false), None);
        assert_eq!(Image::detect(&[0xff; HEAD], &config, true), Some(Image::Target));
    }

    #[test]
    fn images_for_the_interface_chip_are_known_by_key_and_hic_id() {
        let config = DapLinkConfig::default();
        let mut words = [0u32; 12];
        (words[8], words[9]) = (BUILD_KEY_INTERFACE, config.hic_id);
        assert_eq!(Image::detect(&head(&words), &config, true), Some(Image::Interface));
        words[8] = 0;
        assert_eq!(Image::detect(&head(&words), &config, true), None);
    }

    #[test]
    fn a_cortex_m0_image_has_no_fault_vectors() {
        assert!(is_for_cortex_m0(&head(&[1, 1, 1, 1, 0, 0, 0])));
        assert!(!is_for_cortex_m0(&head(&[1, 1, 1, 1, 0, 0, 1])));
    }
}
