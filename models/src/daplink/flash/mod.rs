//! Programming the target's flash.
//!
//! The interface chip cannot write the target's flash over the debug port at any speed: a small program, the *flash
//! algorithm* ([`algorithm`]), is downloaded into the target's RAM, and its functions are called there with 512 bytes
//! at a time in a buffer beside it ([`target`], DAPLink `target_flash.c`). Above it the [`FlashManager`]
//! (`flash_manager.c`) makes blocks of 1 KiB out of whatever pieces a file comes in.

pub mod algorithm;
pub mod target;

#[cfg(test)]
mod chip_tests;
#[cfg(test)]
mod tests;

use super::error::Error;
use super::shared::{Core, TargetFlash};
use target::Target;

/// Bytes that are written at once; what a file leaves out of a block is 0xFF.
const BLOCK: u32 = 1024;

/// What an erased byte of flash is.
const ERASED: u8 = 0xff;

/// The program that scrolls a number over the micro:bit's display (`firmware/error-scroll`).
const ERROR_SCROLL: &[u8] = include_bytes!("../../../../firmware/error-scroll/error-scroll.bin");

/// After this the little-endian number follows.
const NUMBER_MARK: [u8; 4] = 0xface_c0de_u32.to_le_bytes();

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Closed,
    Open,
    /// Something failed; nothing is written until the manager is closed.
    Failed,
}

/// Writes a stream of bytes to the target's flash, in blocks.
///
/// Pieces may come in any order, unless the version of the firmware wants them ascending, but a block that is left is
/// written and forgotten: what comes for it later is written over it, with 0xFF around.
#[derive(Debug)]
pub struct FlashManager {
    target: Target,
    state: State,
    buffer: [u8; BLOCK as usize],
    /// The address of what is in `buffer`, if there is anything.
    block: Option<u32>,
    /// The sector that was written last.
    sector: Option<u32>,
    /// Behind the last byte that came.
    end: u32,
}

impl Default for FlashManager {
    fn default() -> FlashManager {
        FlashManager {
            target: Target::default(),
            state: State::Closed,
            buffer: [ERASED; BLOCK as usize],
            block: None,
            sector: None,
            end: 0,
        }
    }
}

impl FlashManager {
    /// Writes the block in the buffer, if there is one.
    async fn flush(&mut self, core: &mut Core) -> Result<(), Error> {
        if let Some(address) = self.block.take() {
            let result = self.target.program(core, address, &self.buffer).await;
            self.buffer.fill(ERASED);
            result?;
        }
        Ok(())
    }

    async fn write(&mut self, core: &mut Core, address: u32, data: &[u8]) -> Result<(), Error> {
        let table = &core.config.personality().flash;
        if let Some(assert) = table.ascending
            && address < self.end
        {
            core.failed_assertion = Some(assert);
            return Err(Error::Internal);
        }
        self.end = address.wrapping_add(data.len() as u32);
        let (mut address, mut data) = (address, data);
        while !data.is_empty() {
            let (block, offset) = (address - address % BLOCK, (address % BLOCK) as usize);
            let sector = address - address % table.sector;
            if self.block != Some(block) {
                self.flush(core).await?;
            }
            if self.sector != Some(sector) {
                self.sector = Some(sector);
                if core.page_erase {
                    self.target.erase_sector(core, sector).await?;
                }
            }
            let (piece, rest) = data.split_at(data.len().min(BLOCK as usize - offset));
            self.buffer[offset..offset + piece.len()].copy_from_slice(piece);
            self.block = Some(block);
            if offset + piece.len() == BLOCK as usize {
                self.flush(core).await?;
            }
            address = address.wrapping_add(piece.len() as u32);
            data = rest;
        }
        Ok(())
    }
}

impl TargetFlash for FlashManager {
    async fn open(&mut self, core: &mut Core) -> Result<(), Error> {
        *self = FlashManager::default();
        self.target.open(core).await?;
        if !core.page_erase
            && let Err(error) = self.target.erase_chip(core).await
        {
            // The error that is reported is the one of erasing.
            let _ = self.target.close(core).await;
            return Err(error);
        }
        self.state = State::Open;
        Ok(())
    }

    async fn data(&mut self, core: &mut Core, address: u32, data: &[u8]) -> Result<(), Error> {
        if self.state != State::Open {
            return Err(Error::Internal);
        }
        let result = self.write(core, address, data).await;
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    async fn close(&mut self, core: &mut Core) -> Result<(), Error> {
        let written = match self.state {
            State::Closed => return Ok(()),
            State::Open => self.flush(core).await,
            State::Failed => Ok(()),
        };
        self.state = State::Closed;
        self.target.close(core).await.and(written)
    }

    async fn erase_chip(&mut self, core: &mut Core) -> Result<(), Error> {
        self.target.open(core).await?;
        let erased = self.target.erase_chip(core).await;
        self.target.close(core).await.and(erased)
    }

    async fn show_number(&mut self, core: &mut Core, number: u16) -> Result<(), Error> {
        let mut program = ERROR_SCROLL.to_vec();
        let mark = program.windows(NUMBER_MARK.len()).position(|w| w == NUMBER_MARK).ok_or(Error::Internal)?;
        let place = mark + NUMBER_MARK.len();
        program.get_mut(place..place + 2).ok_or(Error::Internal)?.copy_from_slice(&number.to_le_bytes());
        self.open(core).await?;
        let written = self.data(core, 0, &program).await;
        self.close(core).await.and(written)
    }
}
