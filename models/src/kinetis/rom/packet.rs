//! Command packets: tag, flags, a reserved byte, the number of parameters, and the parameters as little-endian words.

use super::frame::PAYLOAD;
use super::status::Status;

/// The most parameters of a packet.
pub const MAX_PARAMETERS: usize = 7;

const HEADER: usize = 4;

const FLASH_ERASE_ALL: u8 = 0x01;
const FLASH_ERASE_REGION: u8 = 0x02;
const READ_MEMORY: u8 = 0x03;
const WRITE_MEMORY: u8 = 0x04;
const FILL_MEMORY: u8 = 0x05;
const FLASH_SECURITY_DISABLE: u8 = 0x06;
const GET_PROPERTY: u8 = 0x07;
const EXECUTE: u8 = 0x09;
const CALL: u8 = 0x0A;
const RESET: u8 = 0x0B;
const SET_PROPERTY: u8 = 0x0C;
const FLASH_ERASE_ALL_UNSECURE: u8 = 0x0D;

const GENERIC_RESPONSE: u8 = 0xA0;
const READ_MEMORY_RESPONSE: u8 = 0xA3;
const GET_PROPERTY_RESPONSE: u8 = 0xA7;

/// Flags bit 0: a data phase follows.
const HAS_DATA_PHASE: u8 = 1;

/// Property AvailableCommands: bit tag − 1 of every command.
pub const AVAILABLE_COMMANDS: u32 = {
    let tags = [
        FLASH_ERASE_ALL,
        FLASH_ERASE_REGION,
        READ_MEMORY,
        WRITE_MEMORY,
        FILL_MEMORY,
        FLASH_SECURITY_DISABLE,
        GET_PROPERTY,
        EXECUTE,
        CALL,
        RESET,
        SET_PROPERTY,
        FLASH_ERASE_ALL_UNSECURE,
    ];
    let (mut mask, mut i) = (0, 0);
    while i < tags.len() {
        mask |= 1 << (tags[i] - 1);
        i += 1;
    }
    mask
};

/// A packet as it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet {
    /// What kind of packet it is.
    pub tag: u8,
    count: usize,
    parameters: [u32; MAX_PARAMETERS],
}

/// What is wrong with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PacketError {
    /// Shorter than its header.
    #[error("a packet of at least {HEADER} bytes was expected, not of {0}")]
    Short(usize),
    /// More parameters are promised than are there.
    #[error("{0} parameters were promised, fewer are there")]
    Parameters(u8),
}

/// What the host wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Erases flash, unless FPROT protects any of it.
    FlashEraseAll,
    /// Erases whole sectors.
    FlashEraseRegion {
        /// First address.
        start: u32,
        /// Bytes.
        length: u32,
    },
    /// Reads; the data follows the response.
    ReadMemory {
        /// First address.
        start: u32,
        /// Bytes.
        count: u32,
    },
    /// Writes; the data follows the response.
    WriteMemory {
        /// First address.
        start: u32,
        /// Bytes.
        count: u32,
    },
    /// Repeats a word.
    FillMemory {
        /// First address.
        start: u32,
        /// Bytes.
        length: u32,
        /// The word, little endian.
        pattern: u32,
    },
    /// Opens a secured chip until its next reset.
    FlashSecurityDisable {
        /// The backdoor comparison key, in the order of its bytes in flash.
        key: [u8; 8],
    },
    /// Reads a property.
    GetProperty {
        /// Which one.
        tag: u32,
    },
    /// Leaves the boot loader for a program.
    Execute {
        /// Where it starts.
        address: u32,
        /// R0.
        argument: u32,
        /// SP.
        stack: u32,
    },
    /// Calls a function; the boot loader goes on when it returns.
    Call {
        /// Where it starts.
        address: u32,
        /// R0.
        argument: u32,
    },
    /// Resets the chip.
    Reset,
    /// Changes a property.
    SetProperty {
        /// Which one.
        tag: u32,
        /// Its new value.
        value: u32,
    },
    /// Erases flash whatever FPROT says, and leaves the chip unsecured.
    FlashEraseAllUnsecure,
}

impl Packet {
    /// Reads a packet.
    ///
    /// # Errors
    /// [`PacketError`].
    pub fn parse(bytes: &[u8]) -> Result<Packet, PacketError> {
        let Some((&[tag, _, _, count], rest)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(PacketError::Short(bytes.len()));
        };
        let mut packet = Packet { tag, count: usize::from(count), parameters: [0; MAX_PARAMETERS] };
        let words = rest.as_chunks::<4>().0;
        let (Some(words), Some(parameters)) = (words.get(..packet.count), packet.parameters.get_mut(..packet.count))
        else {
            return Err(PacketError::Parameters(count));
        };
        for (parameter, word) in parameters.iter_mut().zip(words) {
            *parameter = u32::from_le_bytes(*word);
        }
        Ok(packet)
    }

    /// What the packet says. Parameters beyond those of the command (memory ids of newer boot loaders) do not count.
    ///
    /// # Errors
    /// [`Status::UnknownCommand`], or [`Status::InvalidArgument`] if parameters are missing.
    pub fn command(&self) -> Result<Command, Status> {
        let [first, second, third, ..] = self.parameters;
        let (needed, command) = match self.tag {
            FLASH_ERASE_ALL => (0, Command::FlashEraseAll),
            FLASH_ERASE_REGION => (2, Command::FlashEraseRegion { start: first, length: second }),
            READ_MEMORY => (2, Command::ReadMemory { start: first, count: second }),
            WRITE_MEMORY => (2, Command::WriteMemory { start: first, count: second }),
            FILL_MEMORY => (3, Command::FillMemory { start: first, length: second, pattern: third }),
            FLASH_SECURITY_DISABLE => {
                let mut key = [0; 8];
                key[..4].copy_from_slice(&first.to_le_bytes());
                key[4..].copy_from_slice(&second.to_le_bytes());
                (2, Command::FlashSecurityDisable { key })
            }
            GET_PROPERTY => (1, Command::GetProperty { tag: first }),
            EXECUTE => (3, Command::Execute { address: first, argument: second, stack: third }),
            CALL => (2, Command::Call { address: first, argument: second }),
            RESET => (0, Command::Reset),
            SET_PROPERTY => (2, Command::SetProperty { tag: first, value: second }),
            FLASH_ERASE_ALL_UNSECURE => (0, Command::FlashEraseAllUnsecure),
            _ => return Err(Status::UnknownCommand),
        };
        if self.count < needed { Err(Status::InvalidArgument) } else { Ok(command) }
    }
}

impl Command {
    /// Whether a secured chip does it.
    #[must_use]
    pub fn allowed_when_secured(&self) -> bool {
        matches!(
            self,
            Command::GetProperty { .. }
                | Command::SetProperty { .. }
                | Command::Reset
                | Command::FlashSecurityDisable { .. }
                | Command::FlashEraseAllUnsecure
        )
    }
}

/// A response packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Response {
    bytes: [u8; PAYLOAD],
    length: usize,
}

impl Response {
    /// GenericResponse: what became of the command with this tag.
    #[must_use]
    pub fn generic(status: Status, tag: u8) -> Response {
        Response::new(GENERIC_RESPONSE, 0, &[status as u32, u32::from(tag)])
    }

    /// ReadMemoryResponse: so many bytes follow.
    #[must_use]
    pub fn read_memory(status: Status, count: u32) -> Response {
        Response::new(READ_MEMORY_RESPONSE, HAS_DATA_PHASE, &[status as u32, count])
    }

    /// GetPropertyResponse: status, and the property's words.
    #[must_use]
    pub fn get_property(status: Status, values: &[u32]) -> Response {
        let mut words = [0; MAX_PARAMETERS];
        words[0] = status as u32;
        let count = values.len().min(MAX_PARAMETERS - 1);
        words[1..=count].copy_from_slice(&values[..count]);
        Response::new(GET_PROPERTY_RESPONSE, 0, &words[..=count])
    }

    fn new(tag: u8, flags: u8, words: &[u32]) -> Response {
        let mut bytes = [0; PAYLOAD];
        bytes[..HEADER].copy_from_slice(&[tag, flags, 0, words.len() as u8]);
        for (place, word) in bytes[HEADER..].chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        Response { bytes, length: HEADER + 4 * words.len() }
    }

    /// The packet.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn command(bytes: &[u8]) -> Result<Command, Status> {
        Packet::parse(bytes).expect("a packet").command()
    }

    #[test]
    fn parameters_are_little_endian_words() {
        let write = [4, 1, 0, 3, 0, 0x10, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(
            command(&write),
            Ok(Command::WriteMemory { start: 0x1000, count: 32 }),
            "the memory id does not count"
        );
        let key = [6, 0, 0, 2, b'M', b'I', b'C', b'R', b'O', b'B', b'I', b'T'];
        assert_eq!(command(&key), Ok(Command::FlashSecurityDisable { key: *b"MICROBIT" }));
    }

    #[test]
    fn unknown_tags_and_missing_parameters_are_told() {
        for tag in [0, 8, 0x0E, 0x11, 0xA0] {
            assert_eq!(command(&[tag, 0, 0, 0]), Err(Status::UnknownCommand));
        }
        assert_eq!(command(&[3, 0, 0, 1, 0, 0, 0, 0]), Err(Status::InvalidArgument));
        assert_eq!(Packet::parse(&[3, 0, 0, 2, 0, 0, 0, 0]), Err(PacketError::Parameters(2)));
        assert_eq!(Packet::parse(&[3, 0, 0]), Err(PacketError::Short(3)));
    }

    #[test]
    fn the_mask_of_commands_has_bit_tag_minus_one_of_each() {
        assert_eq!(AVAILABLE_COMMANDS, 0x1F7F);
    }

    #[test]
    fn responses_say_how_many_words_they_have() {
        let generic = Response::generic(Status::FlashProtectionViolation, 4);
        assert_eq!(generic.bytes(), [0xA0, 0, 0, 2, 104, 0, 0, 0, 4, 0, 0, 0]);
        assert_eq!(Response::read_memory(Status::Success, 32).bytes(), [0xA3, 1, 0, 2, 0, 0, 0, 0, 32, 0, 0, 0]);
        assert_eq!(Response::get_property(Status::UnknownProperty, &[]).bytes(), [0xA7, 0, 0, 1, 0x3C, 0x28, 0, 0]);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            if let Ok(packet) = Packet::parse(&bytes) {
                let _ = packet.command();
            }
        }
    }
}
