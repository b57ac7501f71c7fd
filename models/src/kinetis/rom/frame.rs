//! HID reports as frames: report id, a byte of padding, the length of the payload (little endian), the payload.
//!
//! What the host sends may be shorter than a whole report; the length decides.

/// The most bytes that a frame carries: property MaxPacketSize.
pub const PAYLOAD: usize = 32;

/// Report id, padding and length.
const HEADER: usize = 4;

/// Bytes of a frame: what goes to the host always has all of them.
pub const FRAME: usize = HEADER + PAYLOAD;

const COMMAND_OUT: u8 = 1;
const DATA_OUT: u8 = 2;
const RESPONSE_IN: u8 = 3;
const DATA_IN: u8 = 4;

/// A frame that came from the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutFrame<'a> {
    /// Report 1: a command packet.
    Command(&'a [u8]),
    /// Report 2: a piece of a data phase. None of it: the host ends the phase.
    Data(&'a [u8]),
}

/// What is wrong with a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    /// Shorter than its header.
    #[error("a frame of at least {HEADER} bytes was expected, not of {0}")]
    Short(usize),
    /// A report that goes the other way, or none at all.
    #[error("report 1 or 2 was expected, not {0}")]
    Report(u8),
    /// More is promised than is there, or than a frame holds.
    #[error("{claimed} bytes were promised, {present} are there")]
    Length {
        /// The header's length.
        claimed: u16,
        /// Bytes behind the header, as far as a frame holds them.
        present: usize,
    },
}

impl<'a> OutFrame<'a> {
    /// Reads a report.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn parse(report: &'a [u8]) -> Result<OutFrame<'a>, FrameError> {
        let Some((&[id, _, low, high], rest)) = report.split_first_chunk::<HEADER>() else {
            return Err(FrameError::Short(report.len()));
        };
        let present = rest.len().min(PAYLOAD);
        let claimed = u16::from_le_bytes([low, high]);
        let payload = rest[..present].get(..usize::from(claimed)).ok_or(FrameError::Length { claimed, present })?;
        match id {
            COMMAND_OUT => Ok(OutFrame::Command(payload)),
            DATA_OUT => Ok(OutFrame::Data(payload)),
            other => Err(FrameError::Report(other)),
        }
    }
}

/// A frame for the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InFrame([u8; FRAME]);

impl InFrame {
    /// Report 3: a response packet; more than [`PAYLOAD`] bytes of it are left out.
    #[must_use]
    pub fn response(packet: &[u8]) -> InFrame {
        InFrame::new(RESPONSE_IN, packet)
    }

    /// Report 4: a piece of a data phase; more than [`PAYLOAD`] bytes of it are left out.
    #[must_use]
    pub fn data(piece: &[u8]) -> InFrame {
        InFrame::new(DATA_IN, piece)
    }

    fn new(id: u8, payload: &[u8]) -> InFrame {
        let length = payload.len().min(PAYLOAD);
        let mut frame = [0; FRAME];
        frame[0] = id;
        frame[2..HEADER].copy_from_slice(&(length as u16).to_le_bytes());
        frame[HEADER..HEADER + length].copy_from_slice(&payload[..length]);
        InFrame(frame)
    }

    /// The report.
    #[must_use]
    pub fn bytes(&self) -> &[u8; FRAME] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_may_be_short_or_padded_and_its_length_counts() {
        assert_eq!(OutFrame::parse(&[1, 0, 2, 0, 0xAA, 0xBB]), Ok(OutFrame::Command(&[0xAA, 0xBB])));
        let mut padded = [0; FRAME];
        padded[..6].copy_from_slice(&[2, 0, 1, 0, 0xAA, 0xBB]);
        assert_eq!(OutFrame::parse(&padded), Ok(OutFrame::Data(&[0xAA])));
        assert_eq!(OutFrame::parse(&[2, 0, 0, 0]), Ok(OutFrame::Data(&[])));
    }

    #[test]
    fn no_length_is_believed() {
        assert_eq!(OutFrame::parse(&[1, 0, 3, 0, 1, 2]), Err(FrameError::Length { claimed: 3, present: 2 }));
        let long = [2, 0, 60, 0, 0, 0].into_iter().chain([0; 60]).collect::<Vec<_>>();
        assert_eq!(OutFrame::parse(&long), Err(FrameError::Length { claimed: 60, present: PAYLOAD }));
        assert_eq!(OutFrame::parse(&[1, 0, 0]), Err(FrameError::Short(3)));
        assert_eq!(OutFrame::parse(&[3, 0, 0, 0]), Err(FrameError::Report(3)));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = OutFrame::parse(&bytes);
        }
    }
}
