//! Copying a file onto a drive, in the order in which operating systems write.
//!
//! A file system keeps changed sectors in memory and writes them when it likes: the directory before the data or
//! after it, the tables in between, some of them twice. Firmware that programs a chip from what is written to its
//! drive must cope with all of it, so all of it is played here. What Linux does was recorded; the orders of macOS and
//! Windows are modelled on what these systems are known for: metadata between the data, and files of their own.

use std::io::{self, Write};

use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};

use super::drive::{Drive, DriveError, MAX_SECTORS};
use super::volume::{BlockDevice, Changes, Layout, Region, SECTOR, Volume};

/// How long a drive may take to show the result of a copy: DAPLink gives up on a file after 20 s, and is away for 2.5 s.
const VERDICT_WITHIN: Span = Span::secs(60);
/// Where the drive tells what went wrong.
const FAIL_TXT: &str = "FAIL.TXT";

/// Who copies, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum WriteOrder {
    /// Linux, `cp` and `umount`: data, tables, directory.
    LinuxUmount,
    /// Linux, `cp` and a second later `sync`: tables and directory first, the directory again at the end.
    LinuxSync,
    /// Linux, mounted with `-o flush`, as desktops do: data, tables, directory, right after the copy.
    LinuxFlush,
    /// Linux, mounted with `-o sync`: an empty directory entry, tables that grow cluster by cluster, data, directory.
    LinuxSyncMount,
    /// Linux, `dd conv=fsync`: data, directory, tables.
    LinuxFsync,
    /// Linux, `dd oflag=direct bs=4096`: data in pieces of 4 KB, directory, tables.
    LinuxDirect,
    /// macOS: an index of its own and a hidden `._` companion file; directory and tables between the data.
    MacOs,
    /// Windows: System Volume Information; the directory entry has its final size before the data comes.
    Windows,
}

impl WriteOrder {
    /// All of them.
    pub const ALL: [WriteOrder; 8] = [
        WriteOrder::LinuxUmount,
        WriteOrder::LinuxSync,
        WriteOrder::LinuxFlush,
        WriteOrder::LinuxSyncMount,
        WriteOrder::LinuxFsync,
        WriteOrder::LinuxDirect,
        WriteOrder::MacOs,
        WriteOrder::Windows,
    ];
}

/// The order in which the sectors of a file are written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Orders {
    /// As somebody does it.
    As(WriteOrder),
    /// These regions of the file system, as they are in the end, one after the other.
    Regions(Vec<Region>),
}

/// Consecutive sectors that go out in one WRITE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// The first.
    pub lba: u32,
    /// Their contents.
    pub data: Vec<u8>,
}

/// The WRITEs by which an operating system copies `data` to the file `name` on `volume`.
///
/// # Errors
/// [`DriveError`] if the volume cannot be read.
pub fn plan<B: BlockDevice>(
    volume: &Volume<B>,
    order: WriteOrder,
    name: &str,
    data: &[u8],
) -> Result<Vec<Run>, DriveError> {
    use Region::{Boot, Data, Fat, Root};
    const TABLES: [Region; 2] = [Fat(0), Fat(1)];
    let mut plan = Plan { layout: volume.layout(), runs: Vec::new() };
    match order {
        WriteOrder::LinuxUmount => {
            let file = Stages::of(volume, name, data)?;
            plan.write(&file.last, [Boot, Data, Fat(0), Fat(1), Root]);
            plan.write(&file.unmounted, [Boot]);
        }
        WriteOrder::LinuxSync => {
            let file = Stages::of(volume, name, data)?;
            plan.write(&file.last, [Boot, Fat(0), Fat(1), Root, Data, Root]);
        }
        WriteOrder::LinuxFlush => {
            let file = Stages::of(volume, name, data)?;
            plan.write(&file.last, [Boot, Data, Fat(0), Fat(1), Root]);
        }
        WriteOrder::LinuxSyncMount => {
            let file = Stages::of(volume, name, data)?;
            plan.write(&file.last, [Boot]);
            plan.write(&file.created, [Root]);
            for (cluster, grown) in file.grown.iter().enumerate() {
                plan.write(grown, TABLES);
                if cluster > 0 {
                    // Once for the new cluster, once for the link from the one before.
                    plan.write(grown, TABLES);
                }
            }
            plan.write(&file.last, [Data, Root]);
        }
        WriteOrder::LinuxFsync => {
            let file = Stages::of(volume, name, data)?;
            plan.write(&file.last, [Boot, Data, Root, Fat(0), Fat(1)]);
        }
        WriteOrder::LinuxDirect => {
            let file = Stages::of(volume, name, data)?;
            plan.write(&file.last, [Boot]);
            plan.pieces(&file.last, 4096 / SECTOR, |_, _| {});
            plan.write(&file.last, [Root, Fat(0), Fat(1)]);
        }
        WriteOrder::MacOs => {
            let index = Stages::in_directory(volume, ".fseventsd", &[("fseventsd-uuid", &[b'0'; 36])])?;
            plan.write(&index, [Boot, Root, Fat(0), Fat(1), Data]);
            let file = Stages::of(volume, name, data)?;
            plan.write(&file.created, [Root]);
            let companion = Stages::of_file(volume, &format!("._{name}"), &apple_double(), true)?;
            plan.write(&companion.created, [Root]);
            plan.pieces(&file.last, 128, |plan, piece| {
                if piece % 4 == 1 {
                    plan.write(&file.last, TABLES);
                    plan.write(&companion.created, [Root]);
                }
            });
            plan.write(&companion.last, [Fat(0), Fat(1), Root, Data, Root]);
        }
        WriteOrder::Windows => {
            let files: [(&str, &[u8]); 2] = [("WPSettings.dat", &[0x0c; 12]), ("IndexerVolumeGuid", &[b'{'; 76])];
            let information = Stages::in_directory(volume, "System Volume Information", &files)?;
            plan.write(&information, [Boot, Root, Fat(0), Fat(1), Data]);
            let file = Stages::of(volume, name, data)?;
            plan.write(&file.created, [Root]);
            plan.write(&file.last, [Fat(0), Fat(1), Root]);
            plan.pieces(&file.last, 128, |plan, piece| {
                if piece % 4 == 3 {
                    plan.write(&file.last, [Fat(0)]);
                }
            });
            plan.write(&file.last, [Fat(0), Fat(1), Root]);
        }
    }
    Ok(plan.runs)
}

/// The sectors that have changed after each step of writing a file.
struct Stages {
    /// The directory entry exists, without contents.
    created: Changes,
    /// After each cluster.
    grown: Vec<Changes>,
    /// Everything, as it is in the end.
    last: Changes,
    /// After unmounting: the boot sector's "clean" flag.
    unmounted: Changes,
}

impl Stages {
    fn of<B: BlockDevice>(volume: &Volume<B>, name: &str, data: &[u8]) -> Result<Stages, DriveError> {
        Stages::of_file(volume, name, data, false)
    }

    fn of_file<B: BlockDevice>(
        volume: &Volume<B>,
        name: &str,
        data: &[u8],
        hidden: bool,
    ) -> Result<Stages, DriveError> {
        let cluster = (volume.layout().cluster as usize * SECTOR).max(SECTOR);
        let mut stages = volume.with(|fs| {
            let root = fs.root_dir();
            root.create_file(name)?.truncate()?;
            if hidden {
                let entries = root.iter().collect::<io::Result<Vec<_>>>()?;
                let short = entries.iter().find(|entry| entry.file_name() == name).map(|e| e.short_file_name());
                volume.hide(&short.unwrap_or_default())?;
            }
            let created = volume.take_changes();
            let mut file = root.open_file(name)?;
            let mut grown = Vec::new();
            for piece in data.chunks(cluster) {
                file.write_all(piece)?;
                grown.push(volume.take_changes());
            }
            file.flush()?;
            drop(file);
            let mut last = created.clone();
            grown.iter().for_each(|changes| last.extend(changes));
            last.extend(volume.take_changes());
            Ok(Stages { created, grown, last, unmounted: Changes::new() })
        })?;
        stages.unmounted = volume.take_changes();
        Ok(stages)
    }

    /// The changes when a directory with small files is made.
    fn in_directory<B: BlockDevice>(
        volume: &Volume<B>,
        directory: &str,
        files: &[(&str, &[u8])],
    ) -> Result<Changes, DriveError> {
        volume.with(|fs| {
            let directory = fs.root_dir().create_dir(directory)?;
            files.iter().try_for_each(|(name, contents)| -> io::Result<()> {
                let mut file = directory.create_file(name)?;
                file.truncate()?;
                file.write_all(contents)
            })
        })?;
        Ok(volume.take_changes())
    }
}

/// The WRITEs that write the given regions, one after the other.
fn plan_regions<B: BlockDevice>(
    volume: &Volume<B>,
    regions: &[Region],
    name: &str,
    data: &[u8],
) -> Result<Vec<Run>, DriveError> {
    let mut plan = Plan { layout: volume.layout(), runs: Vec::new() };
    let file = Stages::of(volume, name, data)?;
    plan.write(&file.last, regions.iter().copied());
    Ok(plan.runs)
}

struct Plan {
    layout: Layout,
    runs: Vec<Run>,
}

impl Plan {
    /// Writes the changes that lie in `regions`, region by region.
    fn write(&mut self, changes: &Changes, regions: impl IntoIterator<Item = Region>) {
        for region in regions {
            let runs = self.runs_of(changes, region, MAX_SECTORS);
            self.runs.extend(runs);
        }
    }

    /// Writes the data in pieces of `sectors`; `between` is called after each with its number.
    fn pieces(&mut self, changes: &Changes, sectors: usize, between: impl Fn(&mut Plan, usize)) {
        for (piece, run) in self.runs_of(changes, Region::Data, sectors).into_iter().enumerate() {
            self.runs.push(run);
            between(self, piece);
        }
    }

    fn runs_of(&self, changes: &Changes, region: Region, limit: usize) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (&lba, sector) in changes.iter().filter(|(lba, _)| self.layout.region(**lba) == region) {
            match runs.last_mut() {
                Some(run) if run.data.len() < limit * SECTOR && run.lba + (run.data.len() / SECTOR) as u32 == lba => {
                    run.data.extend_from_slice(sector);
                }
                _ => runs.push(Run { lba, data: sector.to_vec() }),
            }
        }
        runs
    }
}

/// An AppleDouble file as macOS leaves it beside a file on a volume without extended attributes: its magic number and
/// nothing of interest.
fn apple_double() -> Vec<u8> {
    let mut file = vec![0; 4096];
    file[..8].copy_from_slice(&[0x00, 0x05, 0x16, 0x07, 0x00, 0x02, 0x00, 0x00]);
    file[8..24].copy_from_slice(b"Mac OS X        ");
    file
}

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
            if let Err(error) = self.write_sectors(run.lba, &run.data) {
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

#[cfg(test)]
mod tests {
    use super::super::volume::tests::RamDisk;
    use super::*;

    fn regions(runs: &[Run], layout: Layout) -> String {
        let letter = |run: &Run| match layout.region(run.lba) {
            Region::Boot => 'B',
            Region::Fat(copy) => char::from(b'1' + copy),
            Region::Root => 'R',
            Region::Data => 'D',
        };
        runs.iter().map(letter).collect()
    }

    fn planned(order: WriteOrder, bytes: usize) -> (String, Vec<usize>) {
        let volume = Volume::mount(RamDisk::formatted()).expect("mounts");
        let runs = plan(&volume, order, "app.hex", &vec![0x3a; bytes]).expect("plans");
        let data = runs.iter().filter(|run| volume.layout().region(run.lba) == Region::Data);
        (regions(&runs, volume.layout()), data.map(|run| run.data.len() / SECTOR).collect())
    }

    #[test]
    fn linux_writes_in_the_recorded_orders() {
        // Reference usbip.md 6.3; 1 and 2 are the copies of the table. The first B is the mount's dirty flag.
        assert_eq!(planned(WriteOrder::LinuxSync, 4096).0, "B12RDR");
        assert_eq!(planned(WriteOrder::LinuxFlush, 4096).0, "BD12R");
        assert_eq!(planned(WriteOrder::LinuxFsync, 4096).0, "BDR12");
        assert_eq!(planned(WriteOrder::LinuxUmount, 586 * SECTOR), ("BDDD12RB".into(), vec![240, 240, 106]));
        assert_eq!(planned(WriteOrder::LinuxDirect, 3 * 4096), ("BDDDR12".into(), vec![8, 8, 8]));
        let pairs = "12".repeat(2 * 5 - 1);
        assert_eq!(planned(WriteOrder::LinuxSyncMount, 20_000).0, format!("BR{pairs}DR"));
    }

    #[test]
    fn whatever_the_order_the_file_is_on_the_drive_in_the_end() {
        let data: Vec<u8> = (0..300_001u32).map(|i| (i * 7) as u8).collect();
        for order in WriteOrder::ALL {
            let mut disk = RamDisk::formatted();
            let runs = plan(&Volume::mount(&mut disk).expect("mounts"), order, "Long name.hex", &data).expect("plans");
            runs.iter().for_each(|run| disk.apply(run.lba, &run.data));
            let volume = Volume::mount(disk).expect("mounts");
            assert!(volume.read_file("Long name.hex").expect("reads").as_ref() == Some(&data), "{order:?}");
        }
    }
}
