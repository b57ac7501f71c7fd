//! The orders in which operating systems and their tools write a file onto a FAT drive.
//!
//! A file system keeps changed sectors in memory and writes them when it likes: the directory before the data or
//! after it, the tables in between, some of them twice. Firmware that programs a chip from what is written to its
//! drive must cope with all of it, so all of it is played here. What Linux does was recorded; the orders of macOS and
//! Windows are modelled on what these systems are known for, and on what DAPLink's users and maintainers reported of them.

use std::io::{self, Seek, SeekFrom, Write};

use twinboard_sim::time::Span;

use super::drive::{DriveError, MAX_SECTORS};
use super::volume::{BlockDevice, Changes, Layout, Region, SECTOR, Volume};

/// How much Thonny writes between one `fsync` and the next, in bytes.
const THONNY_BLOCK: usize = 8 << 10;
/// How much of a file each of macOS' writing threads is given at a time, in sectors: 1 MiB.
const MACOS_JOB: usize = (1 << 20) / SECTOR;
/// WRITEs of macOS and Windows, in sectors: 64 KiB.
const PIECE: usize = 128;
/// What a file that macOS 15 removed again leaves free, in bytes: the 32 blocks after which a copied file went on elsewhere.
const SEQUOIA_HOLE: usize = 32 * SECTOR;
/// From the end of the metadata traffic to the copy: a person who waits until the drive's LED is still.
const PERSON: Span = Span::secs(1);

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
    /// Finder of macOS 13.0: the `._` companion file comes first and is read back; if it is not there, the copy ends.
    MacOsVenturaFinder,
    /// macOS 13, `cp`: jobs of 1 MiB, two at a time, each written by a thread of its own.
    MacOsVentura,
    /// macOS 15: after its metadata the drive has a hole, so that the file does not lie in one piece.
    MacOsSequoia,
    /// Windows: System Volume Information; the directory entry has its final size before the data comes.
    Windows,
    /// Windows, a file that grows as it is written, and half-way System Volume Information, the indexer's, behind it.
    WindowsIndexer,
    /// Thonny on Linux: `flush` and `fsync` after every 8 KiB.
    Thonny,
}

impl WriteOrder {
    /// All of them.
    pub const ALL: [WriteOrder; 13] = [
        WriteOrder::LinuxUmount,
        WriteOrder::LinuxSync,
        WriteOrder::LinuxFlush,
        WriteOrder::LinuxSyncMount,
        WriteOrder::LinuxFsync,
        WriteOrder::LinuxDirect,
        WriteOrder::MacOs,
        WriteOrder::MacOsVenturaFinder,
        WriteOrder::MacOsVentura,
        WriteOrder::MacOsSequoia,
        WriteOrder::Windows,
        WriteOrder::WindowsIndexer,
        WriteOrder::Thonny,
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
    /// How long the system waits before it.
    pub pause: Span,
    /// The system reads them back at once, and gives up if they are not what it wrote.
    pub read_back: bool,
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
        WriteOrder::MacOs => plan.macos(volume, name, data)?,
        WriteOrder::MacOsVenturaFinder => plan.ventura_finder(volume, name, data)?,
        WriteOrder::MacOsVentura => {
            plan.macos_index(volume)?;
            let file = Stages::of(volume, name, data)?;
            plan.write(&file.created, [Root]);
            plan.jobs(&file.last);
            plan.write(&file.last, [Fat(0), Fat(1), Root]);
        }
        WriteOrder::MacOsSequoia => plan.sequoia(volume, name, data)?,
        WriteOrder::Windows => {
            for changes in information(volume, false)? {
                plan.write(&changes, [Boot, Root, Fat(0), Fat(1), Data]);
            }
            let file = Stages::of(volume, name, data)?;
            plan.write(&file.created, [Root]);
            plan.write(&file.last, [Fat(0), Fat(1), Root]);
            plan.pieces(&file.last, PIECE, |plan, piece| {
                if piece % 4 == 3 {
                    plan.write(&file.last, [Fat(0)]);
                }
            });
            plan.write(&file.last, [Fat(0), Fat(1), Root]);
        }
        WriteOrder::WindowsIndexer => plan.indexed(volume, name, data)?,
        WriteOrder::Thonny => {
            for (block, changes) in appended(volume, name, data, THONNY_BLOCK)?.iter().enumerate() {
                let dirty = (block == 0).then_some(Boot);
                plan.write(changes, dirty.into_iter().chain([Data, Root, Fat(0), Fat(1)]));
            }
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

/// System Volume Information as Windows makes it: the changes all at once, or of directory and files one by one.
fn information<B: BlockDevice>(volume: &Volume<B>, one_by_one: bool) -> Result<Vec<Changes>, DriveError> {
    const DIRECTORY: &str = "System Volume Information";
    const FILES: [(&str, &[u8]); 2] = [("WPSettings.dat", &[0x0c; 12]), ("IndexerVolumeGuid", &[b'{'; 76])];
    if !one_by_one {
        return Ok(vec![in_directory(volume, DIRECTORY, &FILES)?]);
    }
    let mut all = vec![in_directory(volume, DIRECTORY, &[])?];
    for (name, contents) in FILES {
        volume.with(|fs| fs.root_dir().open_dir(DIRECTORY)?.create_file(name)?.write_all(contents))?;
        all.push(volume.take_changes());
    }
    Ok(all)
}

/// The changes after each `block` bytes that are appended to the file `name` and flushed. An empty file has one block.
fn appended<B: BlockDevice>(
    volume: &Volume<B>,
    name: &str,
    data: &[u8],
    block: usize,
) -> Result<Vec<Changes>, DriveError> {
    volume.with(|fs| {
        let mut file = fs.root_dir().create_file(name)?;
        file.truncate()?;
        let mut all = Vec::new();
        for piece in data.chunks(block.max(1)).chain(data.is_empty().then_some(data)) {
            file.seek(SeekFrom::End(0))?;
            file.write_all(piece)?;
            file.flush()?;
            all.push(volume.take_changes());
        }
        Ok(all)
    })
}

/// The WRITEs that write the given regions, one after the other.
pub(super) fn plan_regions<B: BlockDevice>(
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

    /// Writes the data in jobs of [`MACOS_JOB`], two at a time, whose pieces alternate.
    fn jobs(&mut self, changes: &Changes) {
        let pieces = self.runs_of(changes, Region::Data, PIECE);
        for pair in pieces.chunks(2 * MACOS_JOB / PIECE) {
            let (first, second) = pair.split_at(pair.len().min(MACOS_JOB / PIECE));
            let mut others = second.iter();
            for piece in first {
                self.runs.push(piece.clone());
                self.runs.extend(others.next().cloned());
            }
        }
    }

    /// The index of file system events that macOS makes on every drive.
    fn macos_index<B: BlockDevice>(&mut self, volume: &Volume<B>) -> Result<(), DriveError> {
        use Region::{Boot, Data, Fat, Root};
        let index = in_directory(volume, ".fseventsd", &[("fseventsd-uuid", &[b'0'; 36])])?;
        self.write(&index, [Boot, Root, Fat(0), Fat(1), Data]);
        Ok(())
    }

    fn macos<B: BlockDevice>(&mut self, volume: &Volume<B>, name: &str, data: &[u8]) -> Result<(), DriveError> {
        use Region::{Data, Fat, Root};
        self.macos_index(volume)?;
        let file = Stages::of(volume, name, data)?;
        self.write(&file.created, [Root]);
        let companion = Stages::of_file(volume, &format!("._{name}"), &apple_double(), true)?;
        self.write(&companion.created, [Root]);
        self.pieces(&file.last, PIECE, |plan, piece| {
            if piece % 4 == 1 {
                plan.write(&file.last, [Fat(0), Fat(1)]);
                plan.write(&companion.created, [Root]);
            }
        });
        self.write(&companion.last, [Fat(0), Fat(1), Root, Data, Root]);
        Ok(())
    }

    fn ventura_finder<B: BlockDevice>(
        &mut self,
        volume: &Volume<B>,
        name: &str,
        data: &[u8],
    ) -> Result<(), DriveError> {
        use Region::{Data, Fat, Root};
        self.macos_index(volume)?;
        let companion = Stages::of_file(volume, &format!("._{name}"), &apple_double(), true)?;
        self.write(&companion.last, [Fat(0), Fat(1), Root]);
        let attributes = self.runs.len();
        self.write(&companion.last, [Data]);
        self.runs[attributes..].iter_mut().for_each(|run| run.read_back = true);
        let file = Stages::of(volume, name, data)?;
        self.write(&file.created, [Root]);
        self.pieces(&file.last, PIECE, |_, _| {});
        self.write(&file.last, [Fat(0), Fat(1), Root]);
        Ok(())
    }

    fn sequoia<B: BlockDevice>(&mut self, volume: &Volume<B>, name: &str, data: &[u8]) -> Result<(), DriveError> {
        use Region::{Boot, Data, Fat, Root};
        const EVERYWHERE: [Region; 5] = [Boot, Root, Fat(0), Fat(1), Data];
        const SPOTLIGHT: &str = ".Spotlight-V100";
        const LOG: &str = "store.updates";
        self.macos_index(volume)?;
        let trashes = Stages::of_file(volume, "._.Trashes", &apple_double(), true)?;
        self.write(&trashes.last, EVERYWHERE);
        for (directory, files) in [
            (".Trashes", &[][..]),
            (SPOTLIGHT, &[("VolumeConfiguration.plist", &[b'<'; 4096][..]), (LOG, &[0x11; SEQUOIA_HOLE][..])]),
            (".TemporaryItems", &[("store.db", &[0x22; 8192][..])]),
        ] {
            let changes = in_directory(volume, directory, files)?;
            self.write(&changes, EVERYWHERE);
        }
        volume.with(|fs| fs.root_dir().open_dir(SPOTLIGHT)?.remove(LOG))?;
        self.write(&volume.take_changes(), EVERYWHERE);
        let traffic = self.runs.len();
        let file = Stages::of(volume, name, data)?;
        self.write(&file.created, [Root]);
        self.pieces(&file.last, PIECE, |_, _| {});
        self.write(&file.last, [Fat(0), Fat(1), Root]);
        if let Some(first) = self.runs.get_mut(traffic) {
            first.pause = PERSON;
        }
        Ok(())
    }

    fn indexed<B: BlockDevice>(&mut self, volume: &Volume<B>, name: &str, data: &[u8]) -> Result<(), DriveError> {
        use Region::{Boot, Data, Fat, Root};
        let cluster = (volume.layout().cluster as usize * SECTOR).max(SECTOR);
        let (first, second) = data.split_at((data.len() / 2).next_multiple_of(cluster).min(data.len()));
        let file = Stages::of(volume, name, first)?;
        self.write(&file.last, [Boot]);
        self.write(&file.created, [Root]);
        self.pieces(&file.last, PIECE, |_, _| {});
        for changes in information(volume, true)? {
            self.write(&changes, [Root, Fat(0), Fat(1), Data]);
        }
        volume.with(|fs| {
            let mut file = fs.root_dir().open_file(name)?;
            file.seek(SeekFrom::End(0))?;
            file.write_all(second)
        })?;
        let rest = volume.take_changes();
        self.pieces(&rest, PIECE, |_, _| {});
        // The tables and the directory entry of the first half are in the last state of the same sectors.
        let mut tables = file.last;
        tables.extend(rest);
        self.write(&tables, [Fat(0), Fat(1), Root]);
        Ok(())
    }

    fn runs_of(&self, changes: &Changes, region: Region, limit: usize) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (&lba, sector) in changes.iter().filter(|(lba, _)| self.layout.region(**lba) == region) {
            match runs.last_mut() {
                Some(run) if run.data.len() < limit * SECTOR && run.lba + (run.data.len() / SECTOR) as u32 == lba => {
                    run.data.extend_from_slice(sector);
                }
                _ => runs.push(Run { lba, data: sector.to_vec(), pause: Span::ZERO, read_back: false }),
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

    /// Where the data of "app.hex" lie, in sectors from the first of them, in the order in which they are written.
    fn data_of(order: WriteOrder, bytes: usize) -> Vec<(u32, usize)> {
        let volume = Volume::mount(RamDisk::formatted()).expect("mounts");
        let data: Vec<u8> = (0..bytes).map(|at| b':' + (at / SECTOR % 64) as u8).collect();
        let runs = plan(&volume, order, "app.hex", &data).expect("plans");
        let is_data =
            |run: &&Run| volume.layout().region(run.lba) == Region::Data && run.data[0] == run.data[SECTOR - 1];
        let is_file = |run: &&Run| (b':'..b':' + 64).contains(&run.data[0]) && run.data[0] != b'<';
        let runs: Vec<_> = runs.iter().filter(is_data).filter(is_file).collect();
        let first = runs.iter().map(|run| run.lba).min().expect("data");
        runs.iter().map(|run| (run.lba - first, run.data.len() / SECTOR)).collect()
    }

    #[test]
    fn macos_13_writes_up_to_a_megabyte_in_order_and_two_megabytes_at_a_time() {
        let pieces = |from: u32, to: u32| (from..to).map(|piece| (piece * 128, 128));
        assert_eq!(data_of(WriteOrder::MacOsVentura, 1 << 20), pieces(0, 16).collect::<Vec<_>>());
        let mut expected: Vec<_> = pieces(0, 16).zip(pieces(16, 32)).flat_map(|(a, b)| [a, b]).collect();
        expected.extend(pieces(32, 40));
        assert_eq!(data_of(WriteOrder::MacOsVentura, (5 << 20) / 2), expected);
    }

    #[test]
    fn after_the_metadata_of_macos_15_a_file_goes_on_elsewhere_after_32_blocks() {
        let data = data_of(WriteOrder::MacOsSequoia, 64 << 10);
        let (hole, rest) = data.split_first().expect("two pieces");
        assert_eq!(*hole, (0, 32));
        // Behind the index, two clusters of store.db and its directory.
        assert!(rest[0].0 > 32, "{data:?}");
        assert_eq!(rest.iter().map(|run| run.1).sum::<usize>(), 96);
    }

    #[test]
    fn thonny_writes_data_directory_and_tables_after_every_8_kib() {
        let (regions, data) = planned(WriteOrder::Thonny, 20_000);
        assert_eq!((regions.as_str(), data), ("BDR12DR12DR12", vec![16, 16, 8]));
    }

    #[test]
    fn the_indexer_writes_behind_the_first_half_of_a_file_that_grows() {
        let (regions, data) = planned(WriteOrder::WindowsIndexer, 16 << 10);
        // Directory, then two files of one cluster each, each with the directory's cluster once more.
        assert_eq!(regions, "BRDR12D12DD12DDD12R");
        assert_eq!((data[0], data[data.len() - 1]), (16, 16));
    }

    #[test]
    fn only_finder_of_macos_13_looks_at_what_it_wrote() {
        for order in WriteOrder::ALL {
            let volume = Volume::mount(RamDisk::formatted()).expect("mounts");
            let runs = plan(&volume, order, "app.hex", &[b':'; 9000]).expect("plans");
            let looks = runs.iter().filter(|run| run.read_back).count();
            assert_eq!(looks, usize::from(order == WriteOrder::MacOsVenturaFinder), "{order:?}");
        }
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
