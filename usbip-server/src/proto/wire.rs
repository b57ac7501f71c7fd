//! The messages, byte for byte.

use std::fmt;

use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The protocol's version, 1.1.1.
pub const VERSION: u16 = 0x0111;
/// Operation: list the devices.
pub const OP_REQ_DEVLIST: u16 = 0x8005;
/// The answer to it.
pub const OP_REP_DEVLIST: u16 = 0x0005;
/// Operation: import a device.
pub const OP_REQ_IMPORT: u16 = 0x8003;
/// The answer to it.
pub const OP_REP_IMPORT: u16 = 0x0003;
/// Submit a URB.
pub const CMD_SUBMIT: u32 = 1;
/// Take a URB back.
pub const CMD_UNLINK: u32 = 2;
/// How a URB ended.
pub const RET_SUBMIT: u32 = 3;
/// How taking back ended.
pub const RET_UNLINK: u32 = 4;

/// Status of an operation: done.
pub const ST_OK: u32 = 0;
/// Status of an import: somebody else has the device.
pub const ST_DEV_BUSY: u32 = 2;
/// Status of an import: no such device.
pub const ST_NODEV: u32 = 4;

/// Speed of a device record: full speed.
pub const SPEED_FULL: u32 = 2;
/// transfer_flags: end an OUT transfer of whole packets with an empty one.
pub const URB_ZERO_PACKET: u32 = 0x40;
/// transfer_flags: data flows to the host.
pub const URB_DIR_IN: u32 = 0x200;
/// number_of_packets as some kernels write it where there are none.
pub const NO_PACKETS: u32 = u32::MAX;
/// Length of an isochronous packet descriptor.
pub const ISO_DESCRIPTOR: u64 = 16;

/// The head of every operation and its answer.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[allow(missing_docs, reason = "the protocol's own names")]
pub struct OpHeader {
    pub version: U16,
    pub code: U16,
    pub status: U32,
}

impl OpHeader {
    /// An operation's head.
    #[must_use]
    pub fn new(code: u16, status: u32) -> OpHeader {
        OpHeader { version: VERSION.into(), code: code.into(), status: status.into() }
    }
}

/// A device as list and import describe it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[allow(missing_docs, reason = "the protocol's own names")]
pub struct DeviceRecord {
    pub path: [u8; 256],
    pub busid: BusId,
    pub busnum: U32,
    pub devnum: U32,
    pub speed: U32,
    pub id_vendor: U16,
    pub id_product: U16,
    pub bcd_device: U16,
    pub device_class: u8,
    pub device_sub_class: u8,
    pub device_protocol: u8,
    pub configuration_value: u8,
    pub num_configurations: u8,
    pub num_interfaces: u8,
}

impl DeviceRecord {
    /// How submits name the device.
    #[must_use]
    pub fn devid(&self) -> u32 {
        self.busnum.get() << 16 | self.devnum.get()
    }
}

/// An interface as list describes it, behind its device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[allow(missing_docs, reason = "the protocol's own names")]
pub struct InterfaceRecord {
    pub class: u8,
    pub sub_class: u8,
    pub protocol: u8,
    pub padding: u8,
}

/// What the four URB messages begin with. Answers leave all but the first two words 0.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[allow(missing_docs, reason = "the protocol's own names")]
pub struct UrbHeader {
    pub command: U32,
    pub seqnum: U32,
    pub devid: U32,
    pub direction: U32,
    pub ep: U32,
}

/// CMD_SUBMIT; OUT data and isochronous descriptors follow.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[allow(missing_docs, reason = "the protocol's own names")]
pub struct CmdSubmit {
    pub header: UrbHeader,
    pub transfer_flags: U32,
    pub transfer_buffer_length: U32,
    pub start_frame: U32,
    pub number_of_packets: U32,
    pub interval: U32,
    pub setup: [u8; 8],
}

/// RET_SUBMIT; IN data follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[allow(missing_docs, reason = "the protocol's own names")]
pub struct RetSubmit {
    pub header: UrbHeader,
    /// An error number in two's complement.
    pub status: U32,
    pub actual_length: U32,
    pub start_frame: U32,
    pub number_of_packets: U32,
    pub error_count: U32,
    pub setup: [u8; 8],
}

/// CMD_UNLINK.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[allow(missing_docs, reason = "the protocol's own names")]
pub struct CmdUnlink {
    pub header: UrbHeader,
    /// The sequence number of the submit to take back.
    pub unlink_seqnum: U32,
    pub padding: [u8; 24],
}

/// RET_UNLINK.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[allow(missing_docs, reason = "the protocol's own names")]
pub struct RetUnlink {
    pub header: UrbHeader,
    /// An error number in two's complement.
    pub status: U32,
    pub padding: [u8; 24],
}

/// Length of each of the four URB messages.
pub const URB_MESSAGE: usize = size_of::<CmdSubmit>();

/// The name of a device on its server (`1-1`), padded with NUL.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(transparent)]
pub struct BusId(pub [u8; 32]);

impl BusId {
    /// Cuts names longer than 31 bytes.
    #[must_use]
    pub fn new(name: &str) -> BusId {
        let mut id = [0; 32];
        let length = name.len().min(31);
        id[..length].copy_from_slice(&name.as_bytes()[..length]);
        BusId(id)
    }
}

impl fmt::Display for BusId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        f.pad(&self.0[..end].escape_ascii().to_string())
    }
}

impl fmt::Debug for BusId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_lengths_that_the_protocol_says() {
        assert_eq!(size_of::<OpHeader>(), 8);
        assert_eq!(size_of::<DeviceRecord>(), 312);
        assert_eq!(size_of::<InterfaceRecord>(), 4);
        let urb = [size_of::<CmdSubmit>(), size_of::<RetSubmit>(), size_of::<CmdUnlink>(), size_of::<RetUnlink>()];
        assert_eq!(urb, [48; 4]);
    }

    #[test]
    fn a_bus_id_shows_its_name_and_no_control_characters() {
        assert_eq!(BusId::new("1-2").to_string(), "1-2");
        assert_eq!(BusId([7; 32]).to_string().len(), 32 * "\\x07".len());
    }
}
