//! What the boot loader does to the chip that it runs on.

use twinboard_sim::time::Span;

/// Where the chip's memories are, and who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Bytes of flash, from address 0.
    pub flash: u32,
    /// Bytes of a sector.
    pub sector: u32,
    /// Blocks of flash.
    pub blocks: u32,
    /// First address of RAM.
    pub ram: u32,
    /// Bytes of RAM.
    pub ram_size: u32,
    /// Bytes at the start of RAM that the boot loader itself uses.
    pub ram_reserved: u32,
    /// SIM_SDID.
    pub sdid: u32,
}

/// A command of the flash controller (FTFA).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlashCommand {
    /// Program Longword (0x06).
    ProgramLongword {
        /// Where, on a long-word.
        address: u32,
        /// What.
        value: u32,
    },
    /// Erase Flash Sector (0x09).
    EraseSector {
        /// Its first address.
        address: u32,
    },
    /// Erase All Blocks (0x44).
    EraseAllBlocks,
    /// Verify Backdoor Access Key (0x45).
    VerifyBackdoorKey {
        /// The key, in the order of its bytes in flash.
        key: [u8; 8],
    },
    /// Erase All Blocks Unsecure (0x49).
    EraseAllBlocksUnsecure,
}

/// Why the flash controller did not do it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlashFault {
    /// FSTAT.ACCERR.
    Access,
    /// FSTAT.FPVIOL.
    Protection,
    /// FSTAT.MGSTAT0.
    Command,
}

/// The chip as its boot loader reaches it.
pub trait RomChip {
    /// Where things are.
    fn layout(&self) -> Layout;

    /// Reads flash or RAM; false, and nothing read, if not all of it is memory.
    fn read(&self, address: u32, bytes: &mut [u8]) -> bool;

    /// Writes RAM; false, and nothing written, if not all of it is RAM.
    fn write_ram(&mut self, address: u32, bytes: &[u8]) -> bool;

    /// FSEC.SEC: the chip is secured now.
    fn secured(&self) -> bool;

    /// Launches a command of the flash controller: how long it will take.
    ///
    /// # Errors
    /// [`FlashFault`] if the controller refuses it at once.
    fn launch(&mut self, command: FlashCommand) -> Result<Span, FlashFault>;

    /// The command that was launched is through, and shows in flash.
    ///
    /// # Errors
    /// [`FlashFault`] if it failed.
    fn complete(&mut self, command: FlashCommand) -> Result<(), FlashFault>;
}
