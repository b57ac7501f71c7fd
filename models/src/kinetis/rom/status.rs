//! What the boot loader answers with (KL27 sub-family reference manual, chapter "Kinetis ROM Bootloader", status codes).

/// A status code; its number goes over the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u32)]
pub enum Status {
    /// Done.
    Success = 0,
    /// A parameter is missing or makes no sense.
    InvalidArgument = 4,
    /// The start is not on a long-word, or for erasing not on a sector.
    FlashAlignmentError = 101,
    /// Not in flash.
    FlashAddressError = 102,
    /// FSTAT.ACCERR: the flash controller refuses the command.
    FlashAccessError = 103,
    /// FSTAT.FPVIOL: FPROT protects the place.
    FlashProtectionViolation = 104,
    /// FSTAT.MGSTAT0: the flash controller failed.
    FlashCommandFailure = 105,
    /// There is no such command.
    UnknownCommand = 10000,
    /// The chip is secured, and the command is not one of the few that are allowed then.
    SecurityViolation = 10001,
    /// The host ended the data phase.
    AbortDataPhase = 10002,
    /// Not in memory, or where the boot loader itself lives.
    MemoryRangeInvalid = 10200,
    /// The place did not hold what was written: it had not been erased.
    MemoryCumulativeWrite = 10203,
    /// There is no such property.
    UnknownProperty = 10300,
    /// The property can only be read.
    ReadOnlyProperty = 10301,
    /// The property cannot have this value.
    InvalidPropertyValue = 10302,
    /// The image's checksum is right.
    AppCrcCheckPassed = 10400,
    /// The image's checksum is wrong.
    AppCrcCheckFailed = 10401,
    /// The configuration area asks for no check.
    AppCrcCheckInactive = 10402,
    /// The configuration area asks for a check of something that is not in flash.
    AppCrcCheckOutOfRange = 10404,
}
