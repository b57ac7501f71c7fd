//! The flash algorithms, our own programs, and where their parts are in the target's RAM. The places are those of the
//! algorithms that DAPLink uses.

use crate::daplink::swd_host::CallFrame;

/// A flash algorithm.
#[derive(Debug)]
pub struct Algorithm {
    /// The program.
    pub blob: &'static [u8],
    /// Where it is downloaded to.
    pub load: u32,
    /// What its functions find in their registers.
    pub frame: CallFrame,
    /// `init(flash start, clock, function)`.
    pub init: u32,
    /// `uninit(function)`.
    pub uninit: u32,
    /// `erase_chip()`: flash and UICR.
    pub erase_chip: u32,
    /// `erase_sector(address)`: a page of flash, or the UICR from 0x10001000 on.
    pub erase_sector: u32,
    /// `program_page(address, size, buffer)`.
    pub program_page: u32,
    /// The buffer for the data of `program_page`.
    pub buffer: u32,
    /// Its size in bytes.
    pub buffer_size: u32,
}

const LOAD: u32 = 0x2000_0000;

const FRAME: CallFrame = CallFrame { breakpoint: LOAD + 1, static_base: LOAD + 0x170, stack_pointer: LOAD + 0x1000 };

/// nRF52 (`firmware/flash-algo-nrf52`).
pub const NRF52: Algorithm = Algorithm {
    blob: include_bytes!("../../../../firmware/flash-algo-nrf52/flash-algo-nrf52.bin"),
    load: LOAD,
    frame: FRAME,
    init: LOAD + 0x20,
    uninit: LOAD + 0x24,
    erase_chip: LOAD + 0x28,
    erase_sector: LOAD + 0x4c,
    program_page: LOAD + 0x7a,
    buffer: LOAD + 0x200,
    buffer_size: 512,
};

/// nRF51 (`firmware/flash-algo-nrf51`).
pub const NRF51: Algorithm = Algorithm {
    blob: include_bytes!("../../../../firmware/flash-algo-nrf51/flash-algo-nrf51.bin"),
    erase_sector: LOAD + 0x48,
    program_page: LOAD + 0x70,
    ..NRF52
};
