//! The flash algorithm for nRF51 and nRF52 (`firmware/flash-algo-nrf52`), and where its parts are in the target's RAM.
//! The places are those of the algorithm that DAPLink 0257 uses.

use crate::daplink::swd_host::CallFrame;

/// The program.
pub const BLOB: &[u8] = include_bytes!("../../../../firmware/flash-algo-nrf52/flash-algo-nrf52.bin");

/// Where it is downloaded to.
pub const LOAD: u32 = 0x2000_0000;

/// What its functions find in their registers.
pub const FRAME: CallFrame =
    CallFrame { breakpoint: LOAD + 1, static_base: LOAD + 0x170, stack_pointer: LOAD + 0x1000 };

/// `init(flash start, clock, function)`.
pub const INIT: u32 = LOAD + 0x20;
/// `uninit(function)`.
pub const UNINIT: u32 = LOAD + 0x24;
/// `erase_chip()`: flash and UICR.
pub const ERASE_CHIP: u32 = LOAD + 0x28;
/// `erase_sector(address)`: a page of flash, or the UICR from 0x10001000 on.
pub const ERASE_SECTOR: u32 = LOAD + 0x4c;
/// `program_page(address, size, buffer)`.
pub const PROGRAM_PAGE: u32 = LOAD + 0x7a;

/// The buffer for the data of [`PROGRAM_PAGE`].
pub const BUFFER: u32 = LOAD + 0x200;
/// Its size in bytes.
pub const BUFFER_SIZE: u32 = 512;
