//! What one board's DAPLink is: identity, versions, defaults. Data, no behaviour.
//!
//! What all boards of a kind share stands in [`super::personality`].

use std::sync::Arc;

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use twinboard_sim::time::Span;

use super::bootloader::{BootloaderUrl, InterfaceFlash, Mode};
use super::dap::queue::MAX_PACKETS;
use super::personality::{Board, Personality};
use crate::fault::flash::SharedFlashFaults;

/// The identity and the build of the firmware, as burnt into the interface chip. [`DapLinkConfig::of`] has those of the
/// known boards.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DapLinkConfig {
    /// The kind of board, which decides everything that is not a field here, and the defaults of what is.
    pub board: Board,
    /// Interface version, decimal (257 shows as `0257`).
    pub version: u16,
    /// Version of the bootloader below it, if there is one.
    #[serde(default)]
    pub bootloader_version: Option<u16>,
    /// Build ID line of DETAILS.TXT, compiler included, where there is one.
    pub build_id: String,
    /// Git SHA line of DETAILS.TXT.
    pub git_sha: String,
    /// CRC-32 of the interface image, as DETAILS.TXT shows it.
    pub interface_crc: u32,
    /// CRC-32 of the bootloader image.
    pub bootloader_crc: u32,
    /// Board id, four hex digits as a number (`0x9906`: micro:bit V2.2 with an nRF52820).
    pub board_id: u16,
    /// The board id that marks a family's sections in a Universal Hex file, for firmware that knows such files.
    pub default_board_id: u16,
    /// Family id: vendor in the high byte.
    pub family_id: u16,
    /// The interface chip's id.
    pub hic_id: u32,
    /// The interface chip's unique id. nRF52820: FICR INFO.PART, DEVICEID[0], DEVICEID[1], 0. KL26Z: SIM UIDL, UIDML,
    /// UIDMH, 0.
    pub device_id: [u32; 4],
    /// bMaxPower in mA.
    pub max_power_ma: u16,
    /// Label of the drive, 11 bytes; shorter ones are filled with NUL, as the firmware of micro:bit V2 does.
    pub drive_name: String,
    /// Where MICROBIT.HTM leads: board id and version are appended.
    pub url: String,
    /// The target's flash, first and last+1 address.
    pub target_flash: (u32, u32),
    /// The target's RAM, first and last+1 address.
    pub target_ram: (u32, u32),
    /// From power-on to the pull-up on D+: the eleventh tick of 90 ms, the first being at 30 ms.
    pub connect_delay_ms: u64,
    /// `DAP_DEFAULT_SWJ_CLOCK` in hertz, of the firmware's own access to the target and of debuggers that set none; none
    /// is the board's.
    pub swj_clock: Option<u32>,
    /// `DAP_PACKET_COUNT`, 1 to 8; none is the board's.
    pub packet_count: Option<u8>,
    /// The settings that the chip is delivered with.
    pub settings: Settings,
    /// Board id of the bootloader, which serves several boards.
    pub bootloader_board_id: u16,
    /// Which of the chip's two programs this is.
    #[serde(skip)]
    pub mode: Mode,
    /// While the bootloader runs: the version of the interface.
    #[serde(skip)]
    pub interface_version: u16,
}

impl Default for DapLinkConfig {
    /// That of the default board.
    fn default() -> Self {
        DapLinkConfig::of(Board::default())
    }
}

impl DapLinkConfig {
    /// The firmware of a board as it is sold.
    #[must_use]
    pub fn of(board: Board) -> DapLinkConfig {
        (board.personality().config)()
    }

    /// What the firmware is beside its identity.
    #[must_use]
    pub fn personality(&self) -> &'static Personality {
        self.board.personality()
    }

    /// The serial number: board id, family id, the chip's unique id and the HIC id in 48 hex digits. A drive that is
    /// switched off sets bit 3 of the third family digit, so that hosts see another device.
    #[must_use]
    pub fn serial(&self, drive_disabled: bool) -> String {
        let family = self.family_id | if drive_disabled { 0x0080 } else { 0 };
        let [a, b, c, d] = self.device_id;
        format!("{:04x}{family:04x}{a:08x}{b:08x}{c:08x}{d:08x}{:08x}", self.board_id, self.hic_id)
    }

    /// The URL of MICROBIT.HTM and of DETAILS.TXT.
    #[must_use]
    pub fn target_url(&self) -> String {
        let url = format!("{}{:04x}&v={:04}", self.url, self.board_id, self.version);
        match (self.mode, self.personality().bootloader.url) {
            (Mode::Interface, _) => url,
            (Mode::Bootloader, BootloaderUrl::Noted) => url + "&bl=1",
            (Mode::Bootloader, BootloaderUrl::Plain(url)) => url.into(),
        }
    }

    /// How many responses a CMSIS-DAP function's queue holds (`DAP_PACKET_COUNT`).
    #[must_use]
    pub fn packets(&self) -> usize {
        self.packet_count.map_or(self.personality().dap.packets, |count| usize::from(count).clamp(1, MAX_PACKETS))
    }

    /// From power-on to the pull-up on D+.
    #[must_use]
    pub fn connect_delay(&self) -> Span {
        Span::ms(self.connect_delay_ms)
    }
}

/// The persistent settings (the user configuration page of the interface chip's flash).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Reset the target after programming, so that the program runs.
    pub auto_reset: bool,
    /// Action files work without the reset button, bootloader updates are allowed, writes are verified.
    pub automation_allowed: bool,
    /// The UART bridge marks lost bytes.
    pub overflow_detect: bool,
    /// Refuse images for another core (the error 529 of the display).
    pub detect_incompatible: bool,
}

impl Settings {
    /// The configuration page of boards as they are sold: action files need the reset button, and images for another
    /// core are refused.
    pub const FACTORY: Settings =
        Settings { auto_reset: true, automation_allowed: false, overflow_detect: false, detect_incompatible: true };
}

impl Default for Settings {
    /// The defaults that the firmware writes into an empty configuration page.
    fn default() -> Self {
        Settings { auto_reset: true, automation_allowed: true, overflow_detect: true, detect_incompatible: false }
    }
}

/// What the interface chip's flash keeps over a power cut. Shared between the chip and its firmware.
#[derive(Clone, Debug)]
pub struct NonVolatile(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    settings: Settings,
    interface: InterfaceFlash,
    /// CRC-32 of native firmware's image, if that was damaged.
    damaged_crc: Option<u32>,
    /// The flash behind the data file ([`super::storage`]), from its configuration on.
    storage: Vec<u8>,
    /// What can go wrong with it.
    faults: Option<SharedFlashFaults>,
}

impl NonVolatile {
    /// A configuration page with these settings, and no storage for a data file.
    #[must_use]
    pub fn new(settings: Settings) -> NonVolatile {
        NonVolatile::with_storage(settings, 0)
    }

    /// The same with `size` bytes of storage, erased.
    #[must_use]
    pub fn with_storage(settings: Settings, size: usize) -> NonVolatile {
        let storage = vec![0xFF; size];
        let kept = Kept { settings, interface: InterfaceFlash::Native, damaged_crc: None, storage, faults: None };
        NonVolatile(Arc::new(Mutex::new(kept)))
    }

    /// Lets `faults` strike at this flash.
    pub fn set_faults(&self, faults: SharedFlashFaults) {
        self.0.lock().faults = Some(faults);
    }

    /// What can go wrong with it.
    pub(super) fn faults(&self) -> Option<SharedFlashFaults> {
        self.0.lock().faults.clone()
    }

    /// The flash behind the data file.
    pub fn storage(&self) -> MappedMutexGuard<'_, [u8]> {
        MutexGuard::map(self.0.lock(), |kept| kept.storage.as_mut_slice())
    }

    /// Replaces the flash behind the data file; what `contents` does not cover is erased, what does not fit is left out.
    pub fn set_storage(&self, contents: &[u8]) {
        for (index, byte) in self.storage().iter_mut().enumerate() {
            *byte = contents.get(index).copied().unwrap_or(0xFF);
        }
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.0.lock().settings
    }

    /// Changes the settings.
    pub fn change(&self, f: impl FnOnce(&mut Settings)) {
        f(&mut self.0.lock().settings);
    }

    /// Looks at the interface firmware, or writes into it.
    pub fn with_interface<T>(&self, f: impl FnOnce(&mut InterfaceFlash) -> T) -> T {
        f(&mut self.0.lock().interface)
    }

    /// CRC-32 of native firmware's image, if that was damaged where nobody needs it.
    #[must_use]
    pub fn damaged_crc(&self) -> Option<u32> {
        self.0.lock().damaged_crc
    }

    /// Damages native firmware's image where nobody needs it: from now on its CRC-32 is `crc`.
    pub fn set_damaged_crc(&self, crc: u32) {
        self.0.lock().damaged_crc = Some(crc);
    }

    /// Puts another interface firmware there.
    pub fn set_interface(&self, flash: InterfaceFlash) {
        self.0.lock().interface = flash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_number_is_board_family_chip_and_hic() {
        let config = DapLinkConfig { device_id: [0x52820, 1, 0xabcd, 0], ..DapLinkConfig::default() };
        assert_eq!(config.serial(false), "9906360200052820000000010000abcd000000006e052820");
        assert_eq!(&config.serial(true)[4..8], "3682");
    }
}
