//! The kinds of boards whose DAPLink is known, and what makes them differ: a table for each.
//!
//! [`super::DapLinkConfig`] is one specimen's identity, which a board file may change field by field; a [`Personality`]
//! is what the build of the firmware and the board's circuit decide. The parts of the firmware read their own table and
//! know no board by name.

mod microbit_v1;
mod microbit_v2;

use serde::{Deserialize, Serialize};

use super::bootloader::BootloaderTable;
use super::config::DapLinkConfig;
use super::dap::timing::PinTiming;
use super::drive::Assert;
use super::drive::actions::ActionFile;
use super::drive::hex::HexRules;
use super::drive::texts::Detail;
use super::error::{Error, ErrorTable};
use super::flash::algorithm::Algorithm;
use super::storage::StorageTable;
use super::swd_host::{ResetLine, TargetState};
use super::timing::CpuTiming;
use super::uart::UartTable;

pub use microbit_v1::MICROBIT_V1;
pub use microbit_v2::MICROBIT_V2;

/// A kind of board.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Board {
    /// micro:bit V1.3: KL26Z, DAPLink 0253, target nRF51822.
    MicrobitV1,
    /// micro:bit V2.2: nRF52820, DAPLink 0257, target nRF52833.
    #[default]
    MicrobitV2,
}

impl Board {
    /// Its table.
    #[must_use]
    pub const fn personality(self) -> &'static Personality {
        match self {
            Board::MicrobitV1 => &MICROBIT_V1,
            Board::MicrobitV2 => &MICROBIT_V2,
        }
    }
}

/// What the firmware of one kind of board is.
#[derive(Debug)]
pub struct Personality {
    /// Identity and settings of a board as it is sold.
    pub config: fn() -> DapLinkConfig,
    /// What the device says about itself.
    pub usb: UsbTable,
    /// CMSIS-DAP.
    pub dap: DapTable,
    /// The SWD pins.
    pub pins: PinTable,
    /// How the target is reset.
    pub target: TargetTable,
    /// How the target's flash is programmed.
    pub flash: FlashTable,
    /// The drive.
    pub drive: DriveTable,
    /// Error numbers and their texts.
    pub errors: ErrorTable,
    /// The serial port.
    pub serial: SerialTable,
    /// The activity LED.
    pub lamp: LampTable,
    /// The bootloader below it.
    pub bootloader: BootloaderTable,
    /// The flash for the data file, on boards whose target reaches the interface chip over I2C.
    pub storage: Option<&'static StorageTable>,
    /// What the CPU takes its time for.
    pub timing: CpuTiming,
}

/// The texts and functions of the USB device.
#[derive(Debug)]
pub struct UsbTable {
    /// iManufacturer.
    pub manufacturer: &'static str,
    /// iProduct.
    pub product: &'static str,
    /// iInterface of the HID function.
    pub hid: &'static str,
    /// iInterface of the CMSIS-DAP v2 function; none if there is no such function.
    pub bulk: Option<&'static str>,
}

/// An answer of `DAP_Info`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Info {
    /// A text; its terminating NUL counts.
    Text(&'static str),
    /// The USB serial number, as a text.
    Serial,
    /// The interface version in four digits, as a text.
    Version,
    /// Bytes.
    Bytes(&'static [u8]),
    /// How many packets a function's queue holds.
    PacketCount,
}

/// What the build of CMSIS-DAP has.
#[derive(Debug)]
pub struct DapTable {
    /// The answers of `DAP_Info`, by id; all others have length 0.
    pub info: &'static [(u8, Info)],
    /// Packets that a function's queue holds, at most [`super::dap::queue::MAX_PACKETS`].
    pub packets: usize,
    /// `DAP_SWD_Sequence` (CMSIS-DAP 1.2 and later).
    pub swd_sequence: bool,
    /// There is a test domain timer: transfers can be stamped, and `DAP_SWJ_Pins` can wait.
    pub timestamps: bool,
    /// DAPLink's `SelectEraseMode` (vendor command 0x8D).
    pub erase_mode: bool,
    /// The assertion that fails when a HID host fetches no responses.
    pub hid_overflow: Assert,
}

/// The SWD pins.
#[derive(Debug)]
pub struct PinTable {
    /// How fast the firmware moves them.
    pub timing: PinTiming,
    /// There is an nRESET pin. No micro:bit has it wired to the target.
    pub nreset: bool,
    /// The target takes SWCLK and SWDIO that are low together for a reset.
    pub reset_on_swdio: bool,
}

/// How the target is reset.
#[derive(Debug)]
pub struct TargetTable {
    /// By which way.
    pub reset: ResetLine,
    /// After a reset the debug power requests are dropped before the pins are released.
    pub drops_power: bool,
    /// What the target becomes when the reset button is pressed.
    pub button: TargetState,
}

/// How the target's flash is programmed.
#[derive(Debug)]
pub struct FlashTable {
    /// The program in the target's RAM.
    pub algorithm: &'static Algorithm,
    /// Bytes that are erased at once.
    pub sector: u32,
    /// The algorithm is initialized once when the target is opened, and never ended; else for each kind of work.
    pub init_once: bool,
    /// The error for a word that reads back as another.
    pub mismatch: Error,
    /// The assertion that fails when an address is lower than the one before; none if any order is taken.
    pub ascending: Option<Assert>,
    /// A program that scrolls the error's number is written to the target after a failed transfer.
    pub shows_errors: bool,
}

/// The drive.
#[derive(Debug)]
pub struct DriveTable {
    /// First line of DETAILS.TXT.
    pub banner: &'static str,
    /// The lines of DETAILS.TXT that follow.
    pub details: &'static [Detail],
    /// Names of files whose creation does something.
    pub actions: &'static [ActionFile],
    /// How hex files are read.
    pub hex: HexRules,
    /// The assertion that ASSERT.ACT makes fail.
    pub test_assert: Assert,
}

/// The serial port.
#[derive(Debug)]
pub struct SerialTable {
    /// Baud rate after each bus reset.
    pub baud: u32,
    /// A change of DTR or RTS clears the buffers.
    pub control_lines_clear: bool,
    /// The UART behind it.
    pub uart: UartTable,
}

/// The activity LED.
#[derive(Debug)]
pub struct LampTable {
    /// The pin's level at which it is lit.
    pub lit: bool,
    /// It is only used while a host has configured the device.
    pub needs_host: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daplink::dap::queue::MAX_PACKETS;

    #[test]
    fn every_table_is_consistent_with_itself() {
        for board in [Board::MicrobitV1, Board::MicrobitV2] {
            let table = board.personality();
            let config = (table.config)();
            assert_eq!(config.board, board);
            assert!((1..=MAX_PACKETS).contains(&table.dap.packets));
            assert!(!table.errors.absent.contains(&table.flash.mismatch));
            assert!(config.target_flash.1.is_multiple_of(table.flash.sector));
            let algorithm = table.flash.algorithm;
            assert!(algorithm.load + algorithm.blob.len() as u32 <= algorithm.frame.static_base);
            assert!(config.serial(false).len() == 48);
        }
    }
}
