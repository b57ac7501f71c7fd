//! Copying a file onto a drive, in the order of an operating system ([`super::orders`]), and waiting for the drive's verdict.

use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};

use super::drive::{Drive, DriveError};
use super::orders::plan_regions;
pub use super::orders::{Orders, Run, WriteOrder, plan};
use super::volume::{SECTOR, Volume};

/// How long a drive may take to show the result of a copy: DAPLink gives up on a file after 20 s, and is away for 2.5 s.
const VERDICT_WITHIN: Span = Span::secs(60);
/// Where the drive tells what went wrong.
const FAIL_TXT: &str = "FAIL.TXT";

/// What came of a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copied {
    /// When the writing began.
    pub start: Time,
    /// How long the writing took.
    pub writing: Span,
    /// Bytes that were written, tables and directory too.
    pub written: u64,
    /// What stopped the writing, if something did.
    pub interrupted: Option<DriveError>,
    /// How long it then took until the drive was back with its verdict.
    pub settling: Span,
    /// Whether the drive went away and came back, as it does to show a verdict.
    pub remounted: bool,
    /// FAIL.TXT, if there is one.
    pub fail: Option<String>,
}

impl Copied {
    /// Whether the drive took the file.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.remounted && self.fail.is_none()
    }
}

impl<M: Machine> Drive<'_, M> {
    /// Copies `data` to the file `name`, as an operating system would, then waits for the drive's verdict. Of a file that
    /// is too large, what fits is copied.
    ///
    /// # Errors
    /// [`DriveError`] if the drive cannot be mounted before or after; that it refuses a write is part of the answer.
    pub fn copy(&mut self, name: &str, data: &[u8], order: WriteOrder) -> Result<Copied, DriveError> {
        self.copy_part(name, data, order, u64::MAX)
    }

    /// As [`Drive::copy`], but the writing stops after `limit` bytes, as when the copy is interrupted.
    ///
    /// # Errors
    /// As [`Drive::copy`].
    pub fn copy_part(&mut self, name: &str, data: &[u8], order: WriteOrder, limit: u64) -> Result<Copied, DriveError> {
        self.copy_watched(name, data, order, limit, &mut |_, _| {})
    }

    /// As [`Drive::copy_part`]; `progress` is told how many bytes of how many are written.
    ///
    /// # Errors
    /// As [`Drive::copy`].
    pub fn copy_watched(
        &mut self,
        name: &str,
        data: &[u8],
        order: WriteOrder,
        limit: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Copied, DriveError> {
        self.copy_ordered(name, data, &Orders::As(order), limit, progress)
    }

    /// As [`Drive::copy_watched`], with the sectors in any order. `progress` is told of the whole before anything is written.
    ///
    /// # Errors
    /// As [`Drive::copy`].
    pub fn copy_ordered(
        &mut self,
        name: &str,
        data: &[u8],
        orders: &Orders,
        limit: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Copied, DriveError> {
        self.wait_ready(VERDICT_WITHIN)?;
        let volume = Volume::mount(&mut *self)?;
        let room = volume.free()?;
        let fits = usize::try_from(room).map_or(data.len(), |room| room.min(data.len()));
        let mut runs = match orders {
            Orders::As(order) => plan(&volume, *order, name, &data[..fits])?,
            Orders::Regions(regions) => plan_regions(&volume, regions, name, &data[..fits])?,
        };
        let start = self.host().now();
        let total = runs.iter().map(|run| run.data.len() as u64).sum();
        progress(0, total);
        let mut written = 0;
        let mut interrupted = (fits < data.len()).then_some(DriveError::NoSpace);
        let mut swapped = false;
        for index in 0..runs.len() {
            swapped = !swapped && self.swaps(&runs[index..]);
            if swapped {
                runs.swap(index, index + 1);
            }
            let run = &runs[index];
            if written + run.data.len() as u64 > limit {
                break;
            }
            self.host().sleep(run.pause);
            if let Err(error) = self.write_run(run) {
                interrupted = Some(error);
                break;
            }
            written += run.data.len() as u64;
            progress(written, total);
        }
        let end = self.host().now();
        let remounted = self.wait_changed(VERDICT_WITHIN)?;
        self.wait_ready(VERDICT_WITHIN)?;
        let settling = self.host().now().since(end);
        let fail = self.read_file(FAIL_TXT)?.map(|text| String::from_utf8_lossy(&text).into_owned());
        Ok(Copied { start, writing: end.since(start), written, interrupted, settling, remounted, fail })
    }

    /// Writes, and reads back what the system wants to see again.
    fn write_run(&mut self, run: &Run) -> Result<(), DriveError> {
        self.write_sectors(run.lba, &run.data)?;
        let count = run.data.len() / SECTOR;
        if run.read_back && self.read_sectors(run.lba, count)? != run.data {
            return Err(DriveError::Forgotten(run.lba));
        }
        Ok(())
    }

    /// Whether the first of these WRITEs is to change places with the second.
    fn swaps(&mut self, runs: &[Run]) -> bool {
        let [first, second, ..] = runs else { return false };
        let now = self.host().now();
        self.host().faults.swaps(now, first, second)
    }

    /// The contents of the file `name` in the root directory, freshly read; none if there is no such file.
    ///
    /// # Errors
    /// [`DriveError`] if the drive cannot be read.
    pub fn read_file(&mut self, name: &str) -> Result<Option<Vec<u8>>, DriveError> {
        Volume::mount(&mut *self)?.read_file(name)
    }
}
