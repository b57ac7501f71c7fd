//! DAPLink, the firmware of a micro:bit's interface chip, as native code: a USB drive that programs what is dropped
//! on it, a debug probe (CMSIS-DAP over HID, WebUSB and bulk) and a serial port, all for one target MCU.
//!
//! Which one decides the configuration's `board` ([`personality`]): version 0257 on a micro:bit V2.2 or version 0253 on
//! a micro:bit V1.3. Files follow the original's parts:
//!
//! | here | what it is |
//! |---|---|
//! | [`config`] | identity and settings |
//! | [`bootloader`] | the MAINTENANCE drive, and the interface chip's own flash |
//! | [`personality`] | what makes the boards differ, as tables |
//! | [`shared`] | what the parts share, and the joints between them |
//! | [`error`] | error codes and FAIL.TXT |
//! | [`dap`] | CMSIS-DAP commands |
//! | [`swd_host`] | the firmware's own access to the target |
//! | [`flash`] | programming the target's flash |
//! | [`cdc`], [`uart`] | the serial port and the UART behind it |
//! | [`descriptors`] | what the device says about itself |
//! | [`msc`] | the drive's USB side: Bulk-Only Transport and SCSI |
//! | [`drive`] | the virtual FAT volume, and the programmer behind it |
//! | [`i2c`], [`storage`] | what the target asks for over I2C, and the data file that it writes |
//! | [`power`] | supplies and the red LED |
//! | [`timing`] | what the CPU costs |

pub mod account;
pub mod bootloader;
mod button;
pub mod cdc;
pub mod chip;
pub mod config;
mod control;
pub mod dap;
pub mod descriptors;
pub mod drive;
pub mod error;
mod faulty;
mod firmware;
pub mod flash;
pub mod i2c;
pub mod msc;
pub mod personality;
pub mod power;
pub mod shared;
pub mod storage;
pub mod swd_host;
#[cfg(test)]
mod testing;
pub mod timing;
pub mod uart;

pub use account::Spent;
pub use bootloader::InterfaceFlash;
pub use chip::DapLink;
pub use config::{DapLinkConfig, NonVolatile, Settings};
pub use error::Error;
pub use personality::Board;
pub use shared::{Core, Io, TargetFlash, pins};
