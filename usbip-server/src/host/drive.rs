//! A USB drive: SCSI commands over bulk-only transport, and what a removable medium does (come, go, change).

use std::fmt;

use twinboard_sim::machine::Machine;
use twinboard_sim::time::Span;

use super::bot::{Bot, BotError, Data};
use super::volume::{BlockDevice, SECTOR, Sector};
use super::{Host, UsbError};

/// The largest data stage that Linux asks of a mass-storage device, in sectors.
pub const MAX_SECTORS: usize = 240;
/// How often a desktop asks a drive whether its medium is still there.
const POLL: Span = Span::ms(100);

/// What REQUEST SENSE tells about a failed command (SPC-4 §4.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Sense {
    /// Sense key.
    pub key: u8,
    /// Additional sense code.
    pub asc: u8,
    /// Additional sense code qualifier.
    pub ascq: u8,
}

impl Sense {
    /// NOT READY, medium not present.
    pub const NO_MEDIUM: Sense = Sense { key: 0x02, asc: 0x3a, ascq: 0x00 };
    /// UNIT ATTENTION, the medium may have changed.
    pub const MEDIUM_CHANGED: Sense = Sense { key: 0x06, asc: 0x28, ascq: 0x00 };
}

impl fmt::Display for Sense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match *self {
            Sense::NO_MEDIUM => "medium not present",
            Sense::MEDIUM_CHANGED => "medium may have changed",
            Sense { key: 0x05, .. } => "illegal request",
            Sense { key: 0x07, .. } => "data protect",
            _ => "check condition",
        };
        write!(f, "{meaning} ({:02x}/{:02x}/{:02x})", self.key, self.asc, self.ascq)
    }
}

/// Why a drive did not do something.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DriveError {
    /// The transport failed.
    #[error(transparent)]
    Bot(#[from] BotError),
    /// The drive refused a command.
    #[error("the drive refused command {command:#04x}: {sense}")]
    Check {
        /// The operation code.
        command: u8,
        /// Why.
        sense: Sense,
    },
    /// The answer to a command is too short to mean anything.
    #[error("the drive answered command {0:#04x} with too few bytes")]
    ShortAnswer(u8),
    /// The medium did not come (back) in time.
    #[error("the drive had no medium for {0:?}")]
    NotReady(Span),
    /// The file is larger than what is free; what fits was written.
    #[error("no space left on the drive")]
    NoSpace,
    /// The system wrote to this block, read it back, and found something else.
    #[error("what was written to block {0} is not there any more")]
    Forgotten(u32),
    /// What is on the drive is no FAT file system.
    #[error("the drive's file system: {0}")]
    FileSystem(String),
}

impl From<UsbError> for DriveError {
    fn from(error: UsbError) -> DriveError {
        DriveError::Bot(error.into())
    }
}

/// How long operating systems leave a drive alone after it was configured (Linux: `delay_use` of usb-storage, 1 s).
///
/// Official firmware 0234 and its bootloader forget what was dropped in the first 90 ms.
pub const DELAY_USE: Span = Span::secs(1);

/// What TEST UNIT READY says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Medium {
    /// It is there.
    Present,
    /// It is there, and may be another one than before.
    Changed,
    /// It is not there.
    Absent,
}

/// A drive with one logical unit.
#[derive(Debug)]
pub struct Drive<'h, M> {
    bot: Bot<'h, M>,
}

impl<M: Machine> Host<M> {
    /// The device's drive.
    ///
    /// # Errors
    /// [`UsbError`] if it has none.
    pub fn drive(&mut self) -> Result<Drive<'_, M>, UsbError> {
        Ok(Drive { bot: self.bot()? })
    }
}

impl<M: Machine> Drive<'_, M> {
    /// The host, to let time pass.
    pub fn host(&mut self) -> &mut Host<M> {
        self.bot.host
    }

    /// Does a SCSI command. If it fails, REQUEST SENSE tells why.
    ///
    /// # Errors
    /// [`DriveError::Check`] if the drive refuses it.
    pub fn scsi(&mut self, command: &[u8], data: Data<'_>) -> Result<Vec<u8>, DriveError> {
        let outcome = self.bot.command(command, data)?;
        if outcome.passed {
            return Ok(outcome.data);
        }
        let command = command.first().copied().unwrap_or(0);
        Err(DriveError::Check { command, sense: self.request_sense()? })
    }

    /// REQUEST SENSE (0x03), 18 bytes.
    ///
    /// # Errors
    /// [`DriveError`] if it fails.
    pub fn request_sense(&mut self) -> Result<Sense, DriveError> {
        match self.bot.command(&[0x03, 0, 0, 0, 18, 0], Data::In(18))?.data[..] {
            [_, _, key, _, _, _, _, _, _, _, _, _, asc, ascq, ..] => Ok(Sense { key: key & 0x0f, asc, ascq }),
            _ => Err(DriveError::ShortAnswer(0x03)),
        }
    }

    /// INQUIRY (0x12), 36 bytes.
    ///
    /// # Errors
    /// [`DriveError`] if it fails.
    pub fn inquiry(&mut self) -> Result<Vec<u8>, DriveError> {
        self.scsi(&[0x12, 0, 0, 0, 36, 0], Data::In(36))
    }

    /// TEST UNIT READY (0x00).
    ///
    /// # Errors
    /// [`DriveError`] if it fails for another reason than the medium.
    pub fn medium(&mut self) -> Result<Medium, DriveError> {
        match self.scsi(&[0; 6], Data::None) {
            Ok(_) => Ok(Medium::Present),
            Err(DriveError::Check { sense: Sense { key: 0x02, .. }, .. }) => Ok(Medium::Absent),
            Err(DriveError::Check { sense: Sense { key: 0x06, .. }, .. }) => Ok(Medium::Changed),
            Err(error) => Err(error),
        }
    }

    /// READ CAPACITY (0x25): the number of sectors.
    ///
    /// # Errors
    /// [`DriveError`] if it fails.
    pub fn capacity(&mut self) -> Result<u32, DriveError> {
        let data = self.scsi(&[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], Data::In(8))?;
        let last = data.first_chunk().ok_or(DriveError::ShortAnswer(0x25))?;
        Ok(u32::from_be_bytes(*last).saturating_add(1))
    }

    /// READ (10) of `count` sectors, at most [`MAX_SECTORS`].
    ///
    /// # Errors
    /// [`DriveError`] if it fails or comes short.
    pub fn read_sectors(&mut self, lba: u32, count: usize) -> Result<Vec<u8>, DriveError> {
        let count = count.min(MAX_SECTORS);
        let data = self.scsi(&transfer_10(0x28, lba, count), Data::In(count * SECTOR))?;
        if data.len() == count * SECTOR { Ok(data) } else { Err(DriveError::ShortAnswer(0x28)) }
    }

    /// WRITE (10) of whole sectors, at most [`MAX_SECTORS`].
    ///
    /// # Errors
    /// [`DriveError`] if it fails.
    pub fn write_sectors(&mut self, lba: u32, data: &[u8]) -> Result<(), DriveError> {
        let (count, now) = (data.len() / SECTOR, self.host().now());
        if self.host().faults.drops(now, lba, count) {
            return Ok(());
        }
        self.scsi(&transfer_10(0x2a, lba, count), Data::Out(data)).map(drop)
    }

    /// Asks for the medium until it is there, at the longest for `within`.
    ///
    /// # Errors
    /// [`DriveError::NotReady`] if it does not come.
    pub fn wait_ready(&mut self, within: Span) -> Result<(), DriveError> {
        if self.poll_until(within, |medium| medium == Medium::Present)? {
            Ok(())
        } else {
            Err(DriveError::NotReady(within))
        }
    }

    /// Asks for the medium until it has been away or has changed, at the longest for `within`. Whether it has.
    ///
    /// # Errors
    /// [`DriveError`] if the drive does not answer.
    pub fn wait_changed(&mut self, within: Span) -> Result<bool, DriveError> {
        self.poll_until(within, |medium| medium != Medium::Present)
    }

    fn poll_until(&mut self, within: Span, mut done: impl FnMut(Medium) -> bool) -> Result<bool, DriveError> {
        let until = self.host().now() + within;
        loop {
            if done(self.medium()?) {
                return Ok(true);
            }
            if self.host().now() >= until {
                return Ok(false);
            }
            self.host().sleep(POLL);
        }
    }
}

/// The command block of READ (10) or WRITE (10).
fn transfer_10(operation: u8, lba: u32, count: usize) -> [u8; 10] {
    let [a, b, c, d] = lba.to_be_bytes();
    let [high, low] = u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes();
    [operation, 0, a, b, c, d, 0, high, low, 0]
}

impl<M: Machine> BlockDevice for Drive<'_, M> {
    type Error = DriveError;

    fn sectors(&mut self) -> Result<u32, DriveError> {
        self.capacity()
    }

    fn read(&mut self, lba: u32, sectors: &mut [Sector]) -> Result<(), DriveError> {
        let data = self.read_sectors(lba, sectors.len())?;
        for (sector, bytes) in sectors.iter_mut().zip(data.chunks_exact(SECTOR)) {
            sector.copy_from_slice(bytes);
        }
        Ok(())
    }
}
