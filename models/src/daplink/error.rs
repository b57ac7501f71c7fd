//! The firmware's error codes and what it tells people about them (FAIL.TXT).
//!
//! The codes, texts and type bits are those of DAPLink 0256 and later; an [`ErrorTable`] tells what an older version
//! has instead.

use thiserror::Error;

/// Why something failed. The discriminant is the firmware's own code, which the vendor commands report and the
/// micro:bit's display shows as 500 + code; the message is FAIL.TXT's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Error)]
#[repr(u8)]
#[allow(missing_docs, reason = "each message is the documentation")]
pub enum Error {
    #[error("An error has occurred")]
    Failure = 1,
    #[error("An internal error has occurred")]
    Internal = 2,
    #[error("An error occurred during the transfer")]
    ErrorDuringTransfer = 3,
    #[error("The transfer timed out.")]
    TransferTimeout = 4,
    #[error("Possible mismatch between file size and size programmed")]
    FileBounds = 5,
    #[error("File sent out of order by PC. Target might not be programmed correctly.")]
    OutOfOrderSector = 6,
    #[error("Failed to reset/halt the target MCU")]
    Reset = 7,
    #[error("Failed to download flash algorithm to target MCU")]
    AlgoDownload = 8,
    #[error("Flash algorithm missing for a region")]
    AlgoMissing = 9,
    #[error("Failed to download the flash data contents to be programmed")]
    AlgoDataSequence = 10,
    #[error("Failed to initialize the target MCU")]
    Init = 11,
    #[error("Failed to uninitialize the target MCU")]
    Uninit = 12,
    #[error("Programming aborted: image would lock target MCU")]
    SecurityBits = 13,
    #[error("Failed to unlock target MCU for programming")]
    Unlock = 14,
    #[error("Flash algorithm erase sector command FAILURE")]
    EraseSector = 15,
    #[error("Flash algorithm erase all command FAILURE")]
    EraseAll = 16,
    #[error("Flash algorithm write command FAILURE")]
    Write = 17,
    #[error("Flash algorithm write verify command FAILURE")]
    WriteVerify = 18,
    #[error("The hex file cannot be decoded. Checksum calculation failure occurred.")]
    HexChecksum = 21,
    #[error("The hex file cannot be decoded. Parser logic failure occurred.")]
    HexParser = 22,
    #[error("The hex file cannot be programmed. Logic failure occurred.")]
    HexProgram = 23,
    #[error(
        "The hex file you dropped isn't compatible with this mode or device. Are you in MAINTENANCE mode? See HELP FAQ.HTM"
    )]
    HexInvalidAddress = 24,
    #[error("The hex file offset load address is not correct.")]
    HexInvalidAppOffset = 25,
    #[error("The starting address for the bootloader update is wrong.")]
    BootloaderUpdateAddress = 26,
    #[error("The starting address for the interface update is wrong.")]
    InterfaceUpdateAddress = 27,
    #[error("The application file format is unknown and cannot be parsed and/or processed.")]
    UnsupportedUpdate = 28,
    #[error("The application image is not compatible with the target.")]
    IncompatibleImage = 29,
    #[error("In application programming initialization failed.")]
    IapInit = 30,
    #[error("In application programming uninit failed.")]
    IapUninit = 31,
    #[error("In application programming write failed.")]
    IapWrite = 32,
    #[error("In application programming sector erase failed.")]
    IapEraseSector = 33,
    #[error("In application programming mass erase failed.")]
    IapEraseAll = 34,
    #[error("In application programming aborted due to an out of bounds address.")]
    IapOutOfBounds = 35,
    #[error("In application programming not supported on this device.")]
    IapUpdateNotSupported = 36,
    #[error("In application programming failed because the update sent was incomplete.")]
    IapUpdateIncomplete = 37,
    #[error("The bootloader CRC did not pass.")]
    BootloaderUpdateBadCrc = 39,
}

/// The code for "no error".
pub const SUCCESS: u8 = 0;
/// The control value of a stream that has come to its end.
pub const SUCCESS_DONE: u8 = 19;
/// The control value of a stream that may end here or go on.
pub const SUCCESS_DONE_OR_CONTINUE: u8 = 20;

/// Whom an error is about; bits of [`Error::kinds`], in the order in which FAIL.TXT lists them.
const KINDS: [&str; 5] = ["internal", "transient", "user", "target", "interface"];
const INTERNAL: u8 = 1;
const TRANSIENT: u8 = 2;
const USER: u8 = 4;
const TARGET: u8 = 8;
const INTERFACE: u8 = 16;

impl Error {
    /// The firmware's number for it.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The type bits: internal, transient, user, target, interface, from bit 0.
    #[must_use]
    pub fn kinds(self) -> u8 {
        match self.code() {
            1 | 2 => INTERNAL,
            3 | 5 | 6 => TRANSIENT,
            4 | 21..=23 => TRANSIENT | USER,
            13 | 24..=29 => USER,
            7..=18 => TARGET,
            _ => INTERFACE,
        }
    }

    /// The text of FAIL.TXT: the message and whom it is about, a line each.
    #[must_use]
    pub fn fail_txt(self) -> String {
        self.text(&self.to_string())
    }

    fn text(self, message: &str) -> String {
        let kinds: Vec<&str> =
            KINDS.iter().enumerate().filter(|(bit, _)| self.kinds() >> bit & 1 == 1).map(|(_, name)| *name).collect();
        format!("error: {message}\r\ntype: {}\r\n", kinds.join(", "))
    }
}

/// What a version of the firmware makes of the errors.
#[derive(Debug)]
pub struct ErrorTable {
    /// Errors that it does not have; the codes above them are lower by one each.
    pub absent: &'static [Error],
    /// Messages that it words in its own way.
    pub wording: &'static [(Error, &'static str)],
}

impl ErrorTable {
    /// The version's number for an error; that of [`Error::Failure`] for one that it does not have.
    #[must_use]
    pub fn code(&self, error: Error) -> u8 {
        let error = if self.absent.contains(&error) { Error::Failure } else { error };
        self.shift(error.code())
    }

    /// The version's number for a number of 0256: an error's code or one of the control values.
    #[must_use]
    pub fn shift(&self, code: u8) -> u8 {
        code - self.absent.iter().filter(|absent| absent.code() < code).count() as u8
    }

    /// The text of FAIL.TXT: the message and whom it is about, a line each.
    #[must_use]
    pub fn fail_txt(&self, error: Error) -> String {
        match self.wording.iter().find(|(known, _)| *known == error) {
            Some((_, message)) => error.text(message),
            None => error.fail_txt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fail_txt_has_the_message_and_the_types_a_line_each() {
        assert_eq!(Error::TransferTimeout.fail_txt(), "error: The transfer timed out.\r\ntype: transient, user\r\n");
        assert_eq!(Error::Reset.fail_txt(), "error: Failed to reset/halt the target MCU\r\ntype: target\r\n");
    }

    #[test]
    fn version_0253_has_four_errors_less_and_its_own_words() {
        let table = &crate::daplink::personality::MICROBIT_V1.errors;
        let codes = [
            (Error::AlgoDownload, 8),
            (Error::AlgoDataSequence, 9),
            (Error::SecurityBits, 11),
            (Error::Write, 15),
            (Error::HexChecksum, 18),
            (Error::UnsupportedUpdate, 25),
            (Error::IapInit, 26),
            (Error::BootloaderUpdateBadCrc, 35),
        ];
        assert_eq!(codes.map(|(error, _)| table.code(error)), codes.map(|(_, code)| code));
        assert_eq!((table.shift(SUCCESS_DONE), table.shift(SUCCESS_DONE_OR_CONTINUE)), (16, 17));
        assert_eq!(
            table.fail_txt(Error::Reset),
            "error: The interface firmware FAILED to reset/halt the target MCU\r\ntype: target\r\n"
        );
        assert_eq!(table.fail_txt(Error::HexChecksum), Error::HexChecksum.fail_txt());
    }

    #[test]
    fn security_bits_are_the_users_doing_though_they_are_about_the_target() {
        assert_eq!(Error::SecurityBits.kinds(), USER);
        assert_eq!(Error::IncompatibleImage.code(), 29);
        assert_eq!(Error::BootloaderUpdateBadCrc.kinds(), INTERFACE);
    }
}
