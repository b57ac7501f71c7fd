//! The flash algorithm at work in the target (DAPLink `target_flash.c`).

use crate::daplink::error::Error;
use crate::daplink::personality::FlashTable;
use crate::daplink::shared::Core;
use crate::daplink::swd_host::TargetState;

/// Bytes that are read back at once when what was written is verified.
const VERIFY: usize = 16;

/// What the algorithm was initialized for (the third argument of its init, the first of its uninit).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Function {
    /// Versions that initialize it once do not say.
    Any = 0,
    Erase = 1,
    Program = 2,
}

/// The algorithm in the target.
#[derive(Debug, Default)]
pub struct Target {
    /// The algorithm is in the target's RAM.
    loaded: bool,
    function: Option<Function>,
}

impl Target {
    /// Resets and halts the target, and readies the algorithm if that is done once.
    pub async fn open(&mut self, core: &mut Core) -> Result<(), Error> {
        *self = Target::default();
        core.swd.set_target_state(TargetState::ResetProgram).await.map_err(|_| Error::Reset)?;
        if table(core).init_once {
            self.start(core, Some(Function::Any)).await?;
        }
        core.flash_busy = true;
        Ok(())
    }

    /// Ends the algorithm, unless it needs no end, then resets the target and lets it run, or leaves it halted.
    pub async fn close(&mut self, core: &mut Core) -> Result<(), Error> {
        let ended = if table(core).init_once { Ok(()) } else { self.start(core, None).await };
        core.flash_busy = false;
        ended?;
        let run = core.settings.settings().auto_reset;
        // Whether the target comes up again is not looked at.
        core.set_target_state(if run { TargetState::ResetRun } else { TargetState::ResetProgram }).await;
        core.swd.off();
        Ok(())
    }

    /// Erases all of the flash and the UICR, then gets hold of the target again.
    pub async fn erase_chip(&mut self, core: &mut Core) -> Result<(), Error> {
        self.start(core, Some(Function::Erase)).await?;
        let algorithm = table(core).algorithm;
        core.swd.call(&algorithm.frame, algorithm.erase_chip, [0; 4]).await.map_err(|_| Error::EraseAll)?;
        self.open(core).await
    }

    /// Erases the sector at `address`.
    pub async fn erase_sector(&mut self, core: &mut Core, address: u32) -> Result<(), Error> {
        let FlashTable { algorithm, sector, .. } = table(core);
        if !address.is_multiple_of(*sector) {
            return Err(Error::EraseSector);
        }
        self.start(core, Some(Function::Erase)).await?;
        core.swd
            .call(&algorithm.frame, algorithm.erase_sector, [address, 0, 0, 0])
            .await
            .map_err(|_| Error::EraseSector)
    }

    /// Writes `data` to `address`, and reads it back if automation is allowed.
    pub async fn program(&mut self, core: &mut Core, address: u32, data: &[u8]) -> Result<(), Error> {
        self.start(core, Some(Function::Program)).await?;
        let verify = core.settings.settings().automation_allowed;
        let mut address = address;
        let algorithm = table(core).algorithm;
        for chunk in data.chunks(algorithm.buffer_size as usize) {
            core.swd.write_memory(algorithm.buffer, chunk).await.map_err(|_| Error::AlgoDataSequence)?;
            let arguments = [address, algorithm.buffer_size, algorithm.buffer, 0];
            core.swd.call(&algorithm.frame, algorithm.program_page, arguments).await.map_err(|_| Error::Write)?;
            if verify {
                self.verify(core, address, chunk).await?;
            }
            address = address.wrapping_add(chunk.len() as u32);
        }
        Ok(())
    }

    async fn verify(&mut self, core: &mut Core, address: u32, data: &[u8]) -> Result<(), Error> {
        for (piece, address) in data.chunks(VERIFY).zip((address..).step_by(VERIFY)) {
            let mut read = [0; VERIFY];
            let read = &mut read[..piece.len()];
            core.swd.read_memory(address, read).await.map_err(|_| Error::AlgoDataSequence)?;
            if read != piece {
                return Err(table(core).mismatch);
            }
        }
        Ok(())
    }

    /// Makes the algorithm ready for `function`: downloads it, ends what it was initialized for, initializes it.
    async fn start(&mut self, core: &mut Core, function: Option<Function>) -> Result<(), Error> {
        let FlashTable { algorithm, init_once, .. } = table(core);
        let function = if *init_once { Some(Function::Any) } else { function };
        if function.is_some() && !self.loaded {
            core.swd.write_memory(algorithm.load, algorithm.blob).await.map_err(|_| Error::AlgoDownload)?;
            self.loaded = true;
        }
        if function == self.function {
            return Ok(());
        }
        if let Some(ended) = self.function {
            let arguments = [ended as u32, 0, 0, 0];
            core.swd.call(&algorithm.frame, algorithm.uninit, arguments).await.map_err(|_| Error::Uninit)?;
        }
        if let Some(begun) = function {
            let start = core.config.target_flash.0;
            let arguments = [start, 0, begun as u32, 0];
            core.swd.call(&algorithm.frame, algorithm.init, arguments).await.map_err(|_| Error::Init)?;
        }
        self.function = function;
        Ok(())
    }
}

fn table(core: &Core) -> &'static FlashTable {
    &core.config.personality().flash
}
