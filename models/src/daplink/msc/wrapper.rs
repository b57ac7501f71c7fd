//! The wrappers of the Bulk-Only Transport: how a command comes and how its status goes (BOT 1.0 §5).

/// A valid command block wrapper.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cbw {
    /// dCBWTag: comes back with the status.
    pub tag: u32,
    /// dCBWDataTransferLength: what the host expects to transfer.
    pub length: u32,
    /// bmCBWFlags bit 7: the data goes to the host.
    pub is_in: bool,
    /// bCBWLUN.
    pub lun: u8,
    /// bCBWCBLength, as it came.
    pub command_length: u8,
    /// The command block.
    pub command: [u8; 16],
}

impl Cbw {
    /// dCBWSignature.
    pub const SIGNATURE: [u8; 4] = *b"USBC";
    /// Bytes in a CBW.
    pub const LENGTH: usize = 31;

    /// The wrapper in `packet`; None if it is not valid (BOT §6.2.1: 31 bytes with the signature).
    #[must_use]
    pub fn parse(packet: &[u8]) -> Option<Cbw> {
        let packet: &[u8; Cbw::LENGTH] = packet.try_into().ok()?;
        let (head, rest) = packet.split_first_chunk::<4>()?;
        let (tag, rest) = rest.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (&[flags, lun, command_length], command) = rest.split_first_chunk::<3>()?;
        (*head == Cbw::SIGNATURE).then_some(Cbw {
            tag: u32::from_le_bytes(*tag),
            length: u32::from_le_bytes(*length),
            is_in: flags & 0x80 != 0,
            lun,
            command_length,
            command: command.try_into().ok()?,
        })
    }

    /// Whether the command block is meaningful (BOT §6.2.2).
    #[must_use]
    pub fn is_meaningful(&self) -> bool {
        self.lun == 0 && (1..=16).contains(&self.command_length)
    }
}

/// bCSWStatus.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Status {
    /// Command passed.
    #[default]
    Passed = 0,
    /// Command failed; REQUEST SENSE tells why.
    Failed = 1,
    /// The host expected a transfer that the device cannot do.
    PhaseError = 2,
}

/// A command status wrapper.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Csw {
    /// dCSWTag.
    pub tag: u32,
    /// dCSWDataResidue: bytes of the expected length that were not processed.
    pub residue: u32,
    /// bCSWStatus.
    pub status: Status,
}

impl Csw {
    /// The 13 bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> [u8; 13] {
        let mut bytes = [0; 13];
        bytes[..4].copy_from_slice(b"USBS");
        bytes[4..8].copy_from_slice(&self.tag.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.residue.to_le_bytes());
        bytes[12] = self.status as u8;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_31_bytes_with_the_signature_are_a_cbw() {
        let mut packet = [0u8; 32];
        packet[..4].copy_from_slice(b"USBC");
        packet[4] = 7;
        packet[12] = 0x80;
        packet[15] = 0x12;
        let cbw = Cbw::parse(&packet[..31]).expect("valid");
        assert_eq!((cbw.tag, cbw.is_in, cbw.command[0]), (7, true, 0x12));
        assert_eq!(Cbw::parse(&packet[..30]), None);
        assert_eq!(Cbw::parse(&packet), None);
        packet[0] = b'u';
        assert_eq!(Cbw::parse(&packet[..31]), None);
    }
}
