//! Mass storage's bulk-only transport, the host's side (USB Mass Storage Class, Bulk-Only Transport 1.0).
//!
//! A command goes out in a *command block wrapper* of 31 bytes (CBW), data follows one way or the other, and a
//! *command status wrapper* of 13 bytes comes back (CSW). A device that cannot go on halts an endpoint; what the host
//! then does, in which order, is laid down, and devices rely on it.

use twinboard_sim::machine::Machine;
use twinboard_sim::time::Span;

use super::{Host, UsbError, endpoint};
use crate::descriptor::TransferType;

/// "USBC".
const CBW_SIGNATURE: u32 = 0x4342_5355;
/// "USBS".
const CSW_SIGNATURE: u32 = 0x5342_5355;
/// How long a command may take before the host gives up (Linux's SCSI time-out).
const COMMAND_WITHIN: Span = Span::secs(30);

/// A command's data stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Data<'a> {
    /// None.
    None,
    /// Up to so many bytes to the host.
    In(usize),
    /// To the device.
    Out(&'a [u8]),
}

/// How a command ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// bCSWStatus is 0, "command passed"; otherwise it is 1, "command failed".
    pub passed: bool,
    /// dCSWDataResidue.
    pub residue: u32,
    /// What the device sent in the data stage.
    pub data: Vec<u8>,
}

/// Why the transport failed. The device has been through reset recovery, unless it is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BotError {
    /// A transfer failed.
    #[error(transparent)]
    Usb(#[from] UsbError),
    /// The device sent something that is no CSW, or the CSW of another command.
    #[error("the device answered a command with an invalid status")]
    InvalidCsw,
    /// bCSWStatus is 2: the device lost track.
    #[error("the device reported a phase error")]
    PhaseError,
}

/// A mass-storage interface.
#[derive(Debug)]
pub struct Bot<'h, M> {
    pub(super) host: &'h mut Host<M>,
    interface: u8,
    bulk_in: u8,
    bulk_out: u8,
}

impl<M: Machine> Host<M> {
    /// The device's mass-storage interface, below SCSI.
    ///
    /// # Errors
    /// [`UsbError`] if there is none.
    pub fn bot(&mut self) -> Result<Bot<'_, M>, UsbError> {
        let storage = self.interface(|i| (i.class, i.protocol) == (0x08, 0x50), "mass-storage interface")?;
        let interface = storage.number;
        let bulk_in = endpoint(storage, TransferType::Bulk, true)?.address;
        let bulk_out = endpoint(storage, TransferType::Bulk, false)?.address;
        Ok(Bot { host: self, interface, bulk_in, bulk_out })
    }
}

/// A CBW.
#[must_use]
pub fn command_block_wrapper(tag: u32, length: u32, to_host: bool, lun: u8, command: &[u8]) -> [u8; 31] {
    let mut cbw = [0; 31];
    cbw[0..4].copy_from_slice(&CBW_SIGNATURE.to_le_bytes());
    cbw[4..8].copy_from_slice(&tag.to_le_bytes());
    cbw[8..12].copy_from_slice(&length.to_le_bytes());
    cbw[12] = if to_host { 0x80 } else { 0 };
    cbw[13] = lun;
    let used = command.len().min(16);
    cbw[14] = used as u8;
    cbw[15..15 + used].copy_from_slice(&command[..used]);
    cbw
}

impl<M: Machine> Bot<'_, M> {
    /// The interface's number, and its bulk endpoints: IN, OUT.
    #[must_use]
    pub fn endpoints(&self) -> (u8, u8, u8) {
        (self.interface, self.bulk_in, self.bulk_out)
    }

    /// GET MAX LUN (§3.2). A device with one unit may stall.
    ///
    /// # Errors
    /// [`UsbError`], but not for a stall.
    pub fn max_lun(&mut self) -> Result<u8, UsbError> {
        match self.host.control_in([0xa1, 0xfe, 0, 0, self.interface, 0, 1, 0]) {
            Ok(data) => Ok(data.first().copied().unwrap_or(0)),
            Err(error) if error.is_stall() => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Does `command` on unit 0.
    ///
    /// # Errors
    /// [`BotError`], after reset recovery.
    pub fn command(&mut self, command: &[u8], data: Data<'_>) -> Result<Outcome, BotError> {
        let result = self.try_command(command, data);
        if result.is_err() && self.host.is_present() {
            // Should that fail as well, the next command will say so.
            let _ = self.reset_recovery();
        }
        result
    }

    /// Bulk-only mass storage reset, then the halts of both endpoints cleared, IN first (§5.3.4).
    ///
    /// # Errors
    /// [`UsbError`] if one of the three requests fails.
    pub fn reset_recovery(&mut self) -> Result<(), UsbError> {
        self.host.control_out([0x21, 0xff, 0, 0, self.interface, 0, 0, 0], &[])?;
        self.host.clear_halt(self.bulk_in)?;
        self.host.clear_halt(self.bulk_out)
    }

    fn try_command(&mut self, command: &[u8], data: Data<'_>) -> Result<Outcome, BotError> {
        self.host.tag = self.host.tag.wrapping_add(1);
        let tag = self.host.tag;
        let (length, to_host) = match data {
            Data::None => (0, false),
            Data::In(length) => (length, true),
            Data::Out(bytes) => (bytes.len(), false),
        };
        let cbw = command_block_wrapper(tag, u32::try_from(length).unwrap_or(u32::MAX), to_host, 0, command);
        self.host.write(self.bulk_out, &cbw, COMMAND_WITHIN)?;
        let data = match data {
            Data::None => Vec::new(),
            Data::In(length) => {
                let read = self.host.read(self.bulk_in, length, COMMAND_WITHIN);
                self.unless_stalled(read, self.bulk_in)?
            }
            Data::Out(bytes) => {
                let written = self.host.write(self.bulk_out, bytes, COMMAND_WITHIN);
                self.unless_stalled(written, self.bulk_out)?;
                Vec::new()
            }
        };
        let csw = self.status()?;
        let word = |at: usize| u32::from_le_bytes([csw[at], csw[at + 1], csw[at + 2], csw[at + 3]]);
        if word(0) != CSW_SIGNATURE || word(4) != tag {
            return Err(BotError::InvalidCsw);
        }
        match csw[12] {
            status @ (0 | 1) => Ok(Outcome { passed: status == 0, residue: word(8), data }),
            2 => Err(BotError::PhaseError),
            _ => Err(BotError::InvalidCsw),
        }
    }

    /// A data stage may end with a stall: the halt is cleared, and the CSW comes next (§6.7.2, §6.7.3).
    fn unless_stalled<T: Default>(&mut self, result: Result<T, UsbError>, endpoint: u8) -> Result<T, UsbError> {
        match result {
            Err(error) if error.is_stall() => {
                self.host.clear_halt(endpoint)?;
                Ok(T::default())
            }
            other => other,
        }
    }

    /// Reads the CSW, once more after a stall or an empty packet (figure 2).
    fn status(&mut self) -> Result<[u8; 13], BotError> {
        for _ in 0..2 {
            match self.host.read(self.bulk_in, 13, COMMAND_WITHIN) {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return bytes.try_into().map_err(|_| BotError::InvalidCsw),
                Err(error) if error.is_stall() => self.host.clear_halt(self.bulk_in)?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(BotError::InvalidCsw)
    }
}
