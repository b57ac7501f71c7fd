//! The bootloader of the interface chip: whether it stays (MAINTENANCE), what it is then, and the flash it writes.
//!
//! The bootloader starts the interface firmware unless the reset button is held, START_BL.ACT asked it to stay, or what is
//! there is no firmware. If it stays, it is the same program with another drive and nothing beside it: what is dropped
//! goes into the interface chip's own flash (DAPLink `main_bootloader.c`, `iap_flash_intf.c`).

use twinboard_sim::time::Span;

use super::config::DapLinkConfig;
use super::drive::actions::ActionFile;
use super::drive::texts::Detail;
use super::error::Error;
use super::faulty::Row;
use super::shared::{Core, TargetFlash};
use crate::image::interface::{BuildInfo, InterfaceChip, NRF52820, Role};

/// Which of the two programs runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// The interface firmware.
    #[default]
    Interface,
    /// The bootloader.
    Bootloader,
}

/// What the build of a bootloader has.
#[derive(Debug)]
pub struct BootloaderTable {
    /// Its version.
    pub version: u16,
    /// Where HELP_FAQ.HTM leads.
    pub url: BootloaderUrl,
    /// The lines of DETAILS.TXT.
    pub details: &'static [Detail],
    /// Names of files whose creation does something.
    pub actions: &'static [ActionFile],
    /// Erasing a sector of its own flash.
    pub erase: Span,
    /// Programming a word of it.
    pub word: Span,
}

/// Where HELP_FAQ.HTM leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootloaderUrl {
    /// There.
    Plain(&'static str),
    /// To the interface's page, with board id and version, and a note that the bootloader asks.
    Noted,
}

/// What an erased byte of flash is.
const ERASED: u8 = 0xff;

/// From the start to the pull-up, if START_BL.ACT made it stay: the host should see the interface go.
pub(super) const HELD: Span = Span::secs(1);

/// The flash of the interface chip from where interface firmware begins to where it ends.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum InterfaceFlash {
    /// What native firmware stands for.
    #[default]
    Native,
    /// What was written by the bootloader.
    Written(Vec<u8>),
}

impl InterfaceFlash {
    /// Whether the bootloader would start it.
    #[must_use]
    pub fn is_startable(&self, chip: &InterfaceChip) -> bool {
        match self {
            InterfaceFlash::Native => true,
            InterfaceFlash::Written(bytes) => {
                BuildInfo::parse(bytes).is_some_and(|info| info.is_plausible(&chip.interface, &chip.ram))
            }
        }
    }

    /// Version and CRC-32 as DETAILS.TXT shows them, if there is a firmware that says what it is.
    pub(super) fn version(&self, config: &DapLinkConfig) -> Option<(u32, u32)> {
        match self {
            InterfaceFlash::Native => Some((config.interface_version.into(), config.interface_crc)),
            InterfaceFlash::Written(bytes) => {
                let info = BuildInfo::parse(bytes)?;
                let fits = info.key == Some(Role::Interface) && info.hic_id == config.hic_id;
                fits.then(|| {
                    (info.version, crc32fast::hash(bytes.split_last_chunk::<4>().map_or(bytes, |(all, _)| all)))
                })
            }
        }
    }
}

impl DapLinkConfig {
    /// The chip that it runs on.
    #[must_use]
    pub fn chip(&self) -> &'static InterfaceChip {
        InterfaceChip::with_id(self.hic_id).unwrap_or(&NRF52820)
    }

    /// The same specimen while its bootloader runs: what the bootloader programs is the interface firmware.
    pub(super) fn in_bootloader(&self) -> DapLinkConfig {
        let chip = self.chip();
        DapLinkConfig {
            mode: Mode::Bootloader,
            version: self.bootloader_version.unwrap_or(self.personality().bootloader.version),
            interface_version: self.version,
            board_id: self.bootloader_board_id,
            family_id: 0,
            drive_name: "MAINTENANCE".into(),
            target_flash: (chip.interface.start, chip.interface.end),
            target_ram: (chip.ram.start, chip.ram.end),
            ..self.clone()
        }
    }
}

/// The interface chip's own flash, as the bootloader programs it.
#[derive(Debug, Default)]
pub(super) struct OwnFlash;

impl TargetFlash for OwnFlash {
    async fn open(&mut self, core: &mut Core) -> Result<(), Error> {
        let chip = core.config.chip();
        let sectors = (chip.interface.end - chip.interface.start) / chip.sector;
        let (erase, range) = (core.config.personality().bootloader.erase, chip.interface.clone());
        let Some(faults) = core.settings.faults() else {
            // The vectors are in the sector that goes first: without power from now on, the bootloader stays.
            core.settings.set_interface(InterfaceFlash::Written(vec![ERASED; range.len()]));
            core.work(erase * u64::from(sectors)).await;
            return Ok(());
        };
        let mut row = Row::sectors(&faults, core.clock.now(), range.clone(), chip.sector, erase);
        if !row.refused || row.takes > Span::ZERO {
            core.settings.with_interface(|flash| {
                let mut cells = match std::mem::take(flash) {
                    InterfaceFlash::Native => vec![ERASED; range.len()],
                    InterfaceFlash::Written(bytes) => bytes,
                };
                row.erase(&mut cells);
                *flash = InterfaceFlash::Written(cells);
            });
        }
        core.work(row.takes).await;
        if row.refused { Err(Error::IapEraseAll) } else { Ok(()) }
    }

    async fn data(&mut self, core: &mut Core, address: u32, data: &[u8]) -> Result<(), Error> {
        let start = core.config.chip().interface.start;
        let offset = address.checked_sub(start).ok_or(Error::IapOutOfBounds)? as usize;
        let (word, words) = (core.config.personality().bootloader.word, data.len().div_ceil(4));
        let Some(faults) = core.settings.faults() else {
            core.work(word * words as u64).await;
            return in_place(core, offset, data.len(), |cells| {
                // Writing only clears bits.
                cells.iter_mut().zip(data).for_each(|(cell, byte)| *cell &= byte);
            });
        };
        let mut row = Row::words(&faults, core.clock.now(), address, words, word);
        if row.is_cut() {
            in_place(core, offset, data.len(), |cells| row.write(cells, data))?;
            core.work(row.takes).await;
            return Ok(());
        }
        core.work(row.takes).await;
        in_place(core, offset, data.len(), |cells| row.write(cells, data))?;
        if row.refused { Err(Error::IapWrite) } else { Ok(()) }
    }

    async fn close(&mut self, _: &mut Core) -> Result<(), Error> {
        Ok(())
    }

    async fn erase_chip(&mut self, _: &mut Core) -> Result<(), Error> {
        // The bootloader does not know the target.
        Ok(())
    }

    async fn show_number(&mut self, _: &mut Core, _: u16) -> Result<(), Error> {
        Ok(())
    }
}

/// Does something to `length` bytes of the interface firmware from `offset` on.
fn in_place(core: &Core, offset: usize, length: usize, f: impl FnOnce(&mut [u8])) -> Result<(), Error> {
    core.settings.with_interface(|flash| {
        let InterfaceFlash::Written(bytes) = flash else { return Err(Error::Internal) };
        f(bytes.get_mut(offset..).and_then(|rest| rest.get_mut(..length)).ok_or(Error::IapOutOfBounds)?);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daplink::Board;
    use crate::image::interface::KL26Z;

    #[test]
    fn firmware_is_started_if_its_vectors_are_plausible_whatever_its_crc() {
        let mut image = vec![0xff; KL26Z.interface.len()];
        assert!(!InterfaceFlash::Written(image.clone()).is_startable(&KL26Z), "erased");
        for (slot, word) in image.as_chunks_mut().0.iter_mut().zip([0x2000_22a8u32, 0x8309, 0x8311, 0x95fd]) {
            *slot = word.to_le_bytes();
        }
        let written = InterfaceFlash::Written(image.clone());
        assert!(written.is_startable(&KL26Z) && InterfaceFlash::Native.is_startable(&KL26Z));
        assert_eq!(written.version(&DapLinkConfig::of(Board::MicrobitV1)), None, "it does not say");
        image[4..8].copy_from_slice(&0x309u32.to_le_bytes());
        assert!(!InterfaceFlash::Written(image).is_startable(&KL26Z), "its reset vector is the bootloader's");
    }

    #[test]
    fn the_bootloader_is_another_device_of_the_same_chip() {
        let config = DapLinkConfig::of(Board::MicrobitV2).in_bootloader();
        assert_eq!(config.serial(false), "99050000000528207477696 26e626f78000000006e052820".replace(' ', ""));
        assert_eq!(config.target_url(), "https://microbit.org/device/?id=9905&v=0257&bl=1");
        let config = DapLinkConfig::of(Board::MicrobitV1).in_bootloader();
        assert_eq!(&config.serial(false)[..8], "00000000");
        assert_eq!(config.target_url(), "https://daplink.io");
    }
}
