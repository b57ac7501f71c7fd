//! The SCSI commands of the drive: what they answer, apart from reading and writing sectors.
//!
//! The set is the one of a removable direct-access device that hosts need (SPC-2, SBC), with the original firmware's
//! answers, also where they are peculiar.

/// Bytes in a sector.
pub const SECTOR: usize = 512;

/// Operation codes (first byte of a command block).
pub mod op {
    #![allow(missing_docs, reason = "the names are the standard's")]
    pub const TEST_UNIT_READY: u8 = 0x00;
    pub const REQUEST_SENSE: u8 = 0x03;
    pub const INQUIRY: u8 = 0x12;
    pub const MODE_SENSE_6: u8 = 0x1a;
    pub const START_STOP_UNIT: u8 = 0x1b;
    pub const PREVENT_ALLOW_MEDIUM_REMOVAL: u8 = 0x1e;
    pub const READ_FORMAT_CAPACITIES: u8 = 0x23;
    pub const READ_CAPACITY_10: u8 = 0x25;
    pub const READ_10: u8 = 0x28;
    pub const WRITE_10: u8 = 0x2a;
    pub const VERIFY_10: u8 = 0x2f;
    pub const SYNCHRONIZE_CACHE_10: u8 = 0x35;
    pub const MODE_SENSE_10: u8 = 0x5a;
    pub const SYNCHRONIZE_CACHE_16: u8 = 0x91;
    pub const SERVICE_ACTION_IN_16: u8 = 0x9e;
    pub const ATA_PASS_THROUGH_12: u8 = 0xa1;
    pub const READ_12: u8 = 0xa8;
    pub const WRITE_12: u8 = 0xaa;
}

/// Whether there is a medium, and what REQUEST SENSE says about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Medium {
    /// There is one.
    pub ready: bool,
    /// There was one when a command last looked.
    seen: bool,
}

impl Medium {
    /// A command looks whether there is a medium.
    pub fn check(&mut self) -> bool {
        self.seen = self.ready;
        self.ready
    }

    /// The answer to REQUEST SENSE: 06/28 once after the medium came, 02/3A while it is gone, else 05/20 if the
    /// command before failed.
    pub fn sense(&mut self, failed: bool) -> [u8; 18] {
        let (key, code) = if self.ready && !self.seen {
            self.seen = true;
            (0x06, 0x28)
        } else if !self.ready {
            (0x02, 0x3a)
        } else if failed {
            (0x05, 0x20)
        } else {
            (0x00, 0x00)
        };
        [0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, code, 0, 0, 0, 0, 0]
    }
}

/// The data of INQUIRY; the EVPD bit is ignored, so vital product data pages get it too.
#[must_use]
pub fn inquiry() -> [u8; 36] {
    let mut data = [b' '; 36];
    data[..8].copy_from_slice(&[0x00, 0x80, 0x02, 0x02, 36 - 4, 0, 0, 0]);
    data[8..12].copy_from_slice(b"MBED");
    data[16..19].copy_from_slice(b"VFS");
    data[32..35].copy_from_slice(b"0.1");
    data
}

/// The data of READ CAPACITY (10) of a medium of `sectors`.
#[must_use]
pub fn capacity(sectors: u32) -> [u8; 8] {
    let mut data = [0; 8];
    data[..4].copy_from_slice(&sectors.wrapping_sub(1).to_be_bytes());
    data[4..].copy_from_slice(&(SECTOR as u32).to_be_bytes());
    data
}

/// The data of READ FORMAT CAPACITIES: one descriptor, formatted medium.
#[must_use]
pub fn format_capacities(sectors: u32) -> [u8; 12] {
    let mut data = [0; 12];
    data[3] = 8;
    data[4..8].copy_from_slice(&sectors.to_be_bytes());
    data[8..].copy_from_slice(&(0x0200_0000 | SECTOR as u32).to_be_bytes());
    data
}

/// First block and number of blocks of a READ, WRITE or VERIFY command block.
#[must_use]
pub fn extent(command: &[u8; 16]) -> (u32, u32) {
    let be = |at: usize, count: usize| command[at..at + count].iter().fold(0, |sum, &b| sum << 8 | u32::from(b));
    let blocks = if matches!(command[0], op::READ_12 | op::WRITE_12) { be(6, 4) } else { be(7, 2) };
    (be(2, 4), blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sense_reports_a_new_medium_once_and_a_missing_one_always() {
        let mut medium = Medium::default();
        assert!(!medium.check());
        assert_eq!((medium.sense(true)[2], medium.sense(true)[12]), (0x02, 0x3a));
        medium.ready = true;
        assert_eq!(medium.sense(true)[12], 0x28);
        assert_eq!(medium.sense(true)[2], 0x05);
        assert_eq!(medium.sense(false)[2], 0x00);
    }

    #[test]
    fn a_command_that_sees_the_new_medium_swallows_the_unit_attention() {
        let mut medium = Medium { ready: true, ..Medium::default() };
        assert!(medium.check());
        assert_eq!(medium.sense(false)[2], 0x00);
    }

    #[test]
    fn extents_are_big_endian() {
        let mut command = [0; 16];
        command[..9].copy_from_slice(&[op::READ_10, 0, 0, 2, 0, 0x7f, 0, 1, 0]);
        assert_eq!(extent(&command), (0x2007f, 256));
        command[..10].copy_from_slice(&[op::WRITE_12, 0, 0, 0, 0, 1, 0, 1, 0, 2]);
        assert_eq!(extent(&command), (1, 0x10002));
    }
}
