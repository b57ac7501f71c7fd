//! The bookkeeping of a file that a host copies onto the drive.
//!
//! A host writes data, directory and allocation table in any order, some of it twice, and never says "that was all".
//! So the firmware follows two tracks: the *stream*, sectors that look like an image and what follows them without a
//! gap, and the *file*, a directory entry with the right extension. The transfer is over when both agree.

use super::stream::Format;
use super::volume::Entry;
use crate::daplink::error::Error;

/// How far a transfer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum State {
    /// Nothing has come.
    #[default]
    NotStarted,
    /// Something has come.
    InProgress,
    /// What has come could be all of it.
    CanBeFinished,
    /// It is over; further writes are ignored until the next mount.
    Finished,
}

/// What becomes of a sector of data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sector {
    /// It is not part of the file.
    Ignored,
    /// It comes after the end of the stream, which makes the file longer.
    AfterEnd,
    /// It belongs to the stream.
    Stream,
}

/// A transfer.
#[derive(Clone, Debug, Default)]
pub struct Transfer {
    /// Slot of the file's directory entry.
    file: Option<usize>,
    /// Where the file begins, by the directory.
    file_start: Option<u32>,
    /// Size of the file, by the directory.
    file_size: u32,
    /// Where the stream began.
    start: Option<u32>,
    /// The sector that must come next.
    next: u32,
    /// The lowest sector that came when it was no longer wanted.
    out_of_order: Option<u32>,
    processed: u32,
    transferred: u32,
    format: Option<Format>,
    state: State,
    /// The stream was opened.
    started: bool,
    /// The stream came to its end.
    ended: bool,
    /// The stream could end here.
    may_end: bool,
}

impl Transfer {
    /// How far it is.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether a stream was opened.
    #[must_use]
    pub fn started(&self) -> bool {
        self.started
    }

    /// For how long the host may be quiet before the drive gives up on it, in ms.
    #[must_use]
    pub fn patience(&self) -> u32 {
        if self.state == State::InProgress { 20_000 } else { 500 }
    }

    /// The directory says something about the file in `slot`.
    ///
    /// # Errors
    /// It contradicts what came before: the file begins elsewhere, has become another kind of file, or smaller than
    /// what was already transferred.
    pub fn file_info(&mut self, slot: usize, entry: &Entry, format: Option<Format>) -> Result<(), Error> {
        let (start, size) = (entry.start_sector(), entry.size());
        self.file.get_or_insert(slot);
        self.file_start = self.file_start.or(start);
        self.format = self.format.or(format);
        let shrunk = size > 0 && size < self.file_size && size < self.transferred;
        let moved = start.is_some() && start != self.file_start;
        let changed = format.is_some() && format != self.format;
        if shrunk || moved || changed {
            return Err(Error::ErrorDuringTransfer);
        }
        self.file_size = size;
        Ok(())
    }

    /// Whether `slot` is the file's directory entry.
    #[must_use]
    pub fn is_file(&self, slot: usize) -> bool {
        self.file == Some(slot)
    }

    /// The file was deleted. True if that ends the transfer because no stream was opened yet.
    pub fn deleted(&mut self) -> bool {
        if self.started {
            (self.file, self.file_start, self.file_size) = (None, None, 0);
        } else {
            *self = Transfer::default();
        }
        !self.started
    }

    /// A sector that looks like the start of an image came at `lba`.
    ///
    /// # Errors
    /// It is not the kind of file that the directory promised.
    pub fn stream_begins(&mut self, lba: u32, format: Format) -> Result<(), Error> {
        if *self.start.get_or_insert(lba) != lba || *self.format.get_or_insert(format) != format {
            return Err(Error::ErrorDuringTransfer);
        }
        self.next = lba;
        self.started = true;
        Ok(())
    }

    /// A sector came at `lba` after the stream began.
    pub fn sector(&mut self, lba: u32, bytes: u32) -> Sector {
        if self.start.is_none_or(|start| lba < start) || lba > self.next {
            return Sector::Ignored;
        }
        if lba < self.next {
            self.out_of_order = Some(self.out_of_order.map_or(lba, |lowest| lowest.min(lba)));
            return Sector::Ignored;
        }
        self.transferred = self.transferred.saturating_add(bytes);
        self.next += 1;
        if self.ended { Sector::AfterEnd } else { Sector::Stream }
    }

    /// The stream took a sector.
    pub fn stream_took(&mut self, bytes: u32, may_end: bool, ended: bool) {
        self.processed = self.processed.saturating_add(bytes);
        self.may_end = may_end || ended;
        self.ended = ended;
    }

    fn file_may_end(&self) -> bool {
        self.file.is_some() && self.file_size > 0 && self.transferred >= self.file_size && self.start == self.file_start
    }

    /// Judges anew after something happened.
    pub fn update(&mut self) {
        let begun = self.file.is_some() || self.format.is_some();
        self.state = match (self.file_may_end(), begun) {
            (true, _) if self.ended => State::Finished,
            (true, _) if self.may_end => State::CanBeFinished,
            (_, true) => State::InProgress,
            _ => self.state,
        };
    }

    /// Ends the transfer because of an error.
    pub fn fail(&mut self) {
        self.state = State::Finished;
    }

    /// Ends the transfer because the host has been quiet for too long.
    ///
    /// # Errors
    /// What came was not a whole file.
    pub fn time_out(&mut self) -> Result<(), Error> {
        self.state = State::Finished;
        let begun = self.file.is_some() || self.format.is_some();
        let disorder = self
            .out_of_order
            .zip(self.start)
            .is_some_and(|(lba, start)| u64::from(lba.saturating_sub(start)) * 512 < u64::from(self.processed));
        if disorder {
            Err(Error::OutOfOrderSector)
        } else if !begun || (self.file_may_end() && self.may_end) {
            Ok(())
        } else {
            Err(Error::TransferTimeout)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(cluster: u16, size: u32) -> Entry {
        let mut bytes = [0; 32];
        bytes[..11].copy_from_slice(b"APP     HEX");
        bytes[26..28].copy_from_slice(&cluster.to_le_bytes());
        bytes[28..].copy_from_slice(&size.to_le_bytes());
        Entry(bytes)
    }

    const FIRST: u32 = 133;

    #[test]
    fn a_transfer_is_over_when_stream_and_directory_agree() {
        let mut transfer = Transfer::default();
        transfer.stream_begins(FIRST, Format::Hex).expect("fits");
        assert_eq!(transfer.sector(FIRST, 512), Sector::Stream);
        transfer.stream_took(512, false, true);
        transfer.update();
        assert_eq!(transfer.state(), State::InProgress, "the directory has not spoken");
        transfer.file_info(5, &entry(2, 300), Some(Format::Hex)).expect("agrees");
        transfer.update();
        assert_eq!(transfer.state(), State::Finished);
    }

    #[test]
    fn a_size_of_zero_first_and_the_real_one_later_is_fine_but_shrinking_is_not() {
        let mut transfer = Transfer::default();
        transfer.file_info(5, &entry(0, 0), Some(Format::Hex)).expect("empty at first");
        transfer.stream_begins(FIRST, Format::Hex).expect("fits");
        for lba in FIRST..FIRST + 4 {
            transfer.sector(lba, 512);
        }
        transfer.file_info(5, &entry(2, 4000), Some(Format::Hex)).expect("grown");
        assert_eq!(transfer.file_info(5, &entry(2, 1000), Some(Format::Hex)), Err(Error::ErrorDuringTransfer));
    }

    #[test]
    fn repeated_sectors_are_out_of_order_and_gaps_are_not_part_of_the_file() {
        let mut transfer = Transfer::default();
        transfer.stream_begins(FIRST, Format::Binary).expect("fits");
        assert_eq!(transfer.sector(FIRST, 512), Sector::Stream);
        transfer.stream_took(512, true, false);
        assert_eq!(transfer.sector(FIRST + 2, 512), Sector::Ignored);
        assert_eq!(transfer.sector(FIRST - 1, 512), Sector::Ignored);
        assert_eq!(transfer.clone().time_out(), Err(Error::TransferTimeout));
        assert_eq!(transfer.sector(FIRST, 512), Sector::Ignored);
        assert_eq!(transfer.time_out(), Err(Error::OutOfOrderSector));
    }

    #[test]
    fn nothing_begun_times_out_well() {
        assert_eq!(Transfer::default().time_out(), Ok(()));
    }
}
