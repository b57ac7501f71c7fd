//! The FAT file system on a drive, as an operating system has it in its cache.
//!
//! `fatfs` does what a file system does; it works on a cache of sectors. Nothing is written to the drive by itself:
//! changed sectors are collected, and whoever copies a file decides in which order they go out ([`super::copy`]),
//! because that is where operating systems differ.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::drive::DriveError;

/// Bytes of a sector.
pub const SECTOR: usize = 512;
/// A sector's bytes.
pub type Sector = [u8; SECTOR];

/// Sectors are read from the drive in pieces of so many, aligned: one cluster of DAPLink's drive.
const READ_AHEAD: u32 = 8;

/// A directory entry's attribute, byte 11 bit 1.
const HIDDEN: u8 = 0x02;

/// Something with sectors to be read.
pub trait BlockDevice {
    /// Why reading failed.
    type Error: Into<DriveError>;

    /// How many sectors there are.
    ///
    /// # Errors
    /// If the device does not tell.
    fn sectors(&mut self) -> Result<u32, Self::Error>;

    /// Reads consecutive sectors from `lba` on.
    ///
    /// # Errors
    /// If any of them cannot be read.
    fn read(&mut self, lba: u32, sectors: &mut [Sector]) -> Result<(), Self::Error>;
}

impl<B: BlockDevice + ?Sized> BlockDevice for &mut B {
    type Error = B::Error;

    fn sectors(&mut self) -> Result<u32, B::Error> {
        (**self).sectors()
    }

    fn read(&mut self, lba: u32, sectors: &mut [Sector]) -> Result<(), B::Error> {
        (**self).read(lba, sectors)
    }
}

/// Where on the volume a sector lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Region {
    /// Boot sector and other reserved ones.
    Boot,
    /// Copy `0` or `1` of the file allocation table.
    Fat(u8),
    /// The root directory.
    Root,
    /// Clusters.
    Data,
}

/// The volume's layout, from its boot sector (BIOS parameter block).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// First sector of the first FAT.
    pub fat: u32,
    /// Sectors per FAT.
    pub fat_sectors: u32,
    /// First sector of the root directory.
    pub root: u32,
    /// First sector of cluster 2.
    pub data: u32,
    /// Sectors per cluster.
    pub cluster: u32,
}

impl Layout {
    fn parse(boot: &Sector) -> Layout {
        let word = |at: usize| u32::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
        let (fat, fat_sectors) = (word(14), word(22));
        let root = fat + fat_sectors * u32::from(boot[16]);
        let data = root + (word(17) * 32).div_ceil(SECTOR as u32);
        Layout { fat, fat_sectors, root, data, cluster: u32::from(boot[13]) }
    }

    /// The region of sector `lba`.
    #[must_use]
    pub fn region(&self, lba: u32) -> Region {
        match lba {
            _ if lba < self.fat => Region::Boot,
            _ if lba < self.fat + self.fat_sectors => Region::Fat(0),
            _ if lba < self.root => Region::Fat(1),
            _ if lba < self.data => Region::Root,
            _ => Region::Data,
        }
    }
}

/// A file in the root directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
}

/// Sectors that have changed, by address.
pub type Changes = BTreeMap<u32, Sector>;

struct Cache<B> {
    device: B,
    sectors: u32,
    cached: BTreeMap<u32, Sector>,
    dirty: BTreeSet<u32>,
    /// The first error of the device, which `fatfs` would tell only as text.
    failed: Option<DriveError>,
}

/// A mounted volume.
pub struct Volume<B> {
    cache: RefCell<Cache<B>>,
    layout: Layout,
}

impl<B> std::fmt::Debug for Volume<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Volume").field("layout", &self.layout).finish_non_exhaustive()
    }
}

impl<B: BlockDevice> Volume<B> {
    /// Mounts the volume on `device`.
    ///
    /// # Errors
    /// [`DriveError`] if the device cannot be read.
    pub fn mount(mut device: B) -> Result<Volume<B>, DriveError> {
        let sectors = device.sectors().map_err(Into::into)?;
        let mut boot = [[0; SECTOR]];
        device.read(0, &mut boot).map_err(Into::into)?;
        let [mut boot] = boot;
        // Early DAPLink has no signature; operating systems do not mind, `fatfs` does.
        boot[510..].copy_from_slice(&[0x55, 0xaa]);
        let cached = BTreeMap::from([(0, boot)]);
        let cache = Cache { device, sectors, cached, dirty: BTreeSet::new(), failed: None };
        Ok(Volume { cache: RefCell::new(cache), layout: Layout::parse(&boot) })
    }

    /// The layout.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The files in the root directory.
    ///
    /// # Errors
    /// [`DriveError`] if the drive cannot be read or has no FAT file system.
    pub fn list(&self) -> Result<Vec<Entry>, DriveError> {
        self.with(|fs| {
            let entries = fs.root_dir().iter().map(|entry| entry.map(|e| Entry { name: e.file_name(), size: e.len() }));
            entries.collect()
        })
    }

    /// The volume label in the root directory.
    ///
    /// # Errors
    /// As [`Volume::list`].
    pub fn label(&self) -> Result<Option<String>, DriveError> {
        self.with(|fs| fs.read_volume_label_from_root_dir())
    }

    /// Bytes that are free, in whole clusters.
    ///
    /// # Errors
    /// As [`Volume::list`].
    pub fn free(&self) -> Result<u64, DriveError> {
        self.with(|fs| fs.stats().map(|stats| u64::from(stats.free_clusters()) * u64::from(stats.cluster_size())))
    }

    /// The contents of the file `name`; none if there is no such file.
    ///
    /// # Errors
    /// As [`Volume::list`].
    pub fn read_file(&self, name: &str) -> Result<Option<Vec<u8>>, DriveError> {
        self.with(|fs| {
            let mut contents = Vec::new();
            match fs.root_dir().open_file(name) {
                Ok(mut file) => file.read_to_end(&mut contents).map(|_| Some(contents)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    /// Runs `f` on the file system. What it writes is in [`Volume::take_changes`] afterwards.
    pub(super) fn with<R>(
        &self,
        f: impl FnOnce(&fatfs::FileSystem<View<'_, B>>) -> io::Result<R>,
    ) -> Result<R, DriveError> {
        let run = || {
            let fs = fatfs::FileSystem::new(View { cache: &self.cache, position: 0 }, fatfs::FsOptions::new())?;
            let result = f(&fs)?;
            fs.unmount()?;
            Ok(result)
        };
        run().map_err(|error: io::Error| {
            self.cache.borrow_mut().failed.take().unwrap_or_else(|| DriveError::FileSystem(error.to_string()))
        })
    }

    /// Sets the hidden attribute of the file in the root directory whose name there is `short` (8.3), which `fatfs`
    /// cannot do.
    pub(super) fn hide(&self, short: &str) -> io::Result<()> {
        let (base, extension) = short.split_once('.').unwrap_or((short, ""));
        let name = format!("{base:8}{extension:3}");
        let cache = &mut *self.cache.borrow_mut();
        for lba in self.layout.root..self.layout.data {
            let mut entries = cache.sector(lba)?.chunks_exact_mut(32);
            if let Some(entry) = entries.find(|entry| entry.starts_with(name.as_bytes())) {
                entry[11] |= HIDDEN;
                cache.dirty.insert(lba);
            }
        }
        Ok(())
    }

    /// The sectors that have changed since the last call.
    pub fn take_changes(&self) -> Changes {
        let cache = &mut *self.cache.borrow_mut();
        let dirty = std::mem::take(&mut cache.dirty);
        dirty.into_iter().filter_map(|lba| cache.cached.get(&lba).map(|sector| (lba, *sector))).collect()
    }
}

impl<B: BlockDevice> Cache<B> {
    fn sector(&mut self, lba: u32) -> io::Result<&mut Sector> {
        if !self.cached.contains_key(&lba) {
            let first = lba / READ_AHEAD * READ_AHEAD;
            let count = READ_AHEAD.min(self.sectors.saturating_sub(first));
            if lba >= first + count {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut sectors = [[0; SECTOR]; READ_AHEAD as usize];
            let wanted = &mut sectors[..count as usize];
            if let Err(error) = self.device.read(first, wanted) {
                self.failed.get_or_insert(error.into());
                return Err(io::Error::other("the drive could not be read"));
            }
            for (lba, sector) in (first..).zip(wanted) {
                self.cached.entry(lba).or_insert(*sector);
            }
        }
        self.cached.get_mut(&lba).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn end(&self) -> u64 {
        u64::from(self.sectors) * SECTOR as u64
    }
}

/// The volume as a stream of bytes, as `fatfs` wants it.
pub(super) struct View<'v, B> {
    cache: &'v RefCell<Cache<B>>,
    position: u64,
}

impl<B> View<'_, B> {
    /// The sector at the position, the offset in it, and how many of `length` bytes lie in it.
    fn place(&self, length: usize) -> io::Result<(u32, usize, usize)> {
        let lba = u32::try_from(self.position / SECTOR as u64).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let offset = (self.position % SECTOR as u64) as usize;
        Ok((lba, offset, length.min(SECTOR - offset)))
    }
}

impl<B: BlockDevice> Read for View<'_, B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut cache = self.cache.borrow_mut();
        if self.position >= cache.end() {
            return Ok(0);
        }
        let (lba, offset, length) = self.place(buffer.len())?;
        buffer[..length].copy_from_slice(&cache.sector(lba)?[offset..offset + length]);
        self.position += length as u64;
        Ok(length)
    }
}

impl<B: BlockDevice> Write for View<'_, B> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut cache = self.cache.borrow_mut();
        let (lba, offset, length) = self.place(data.len())?;
        if length == SECTOR && lba < cache.sectors {
            // No need to read what is replaced as a whole.
            cache.cached.entry(lba).or_insert([0; SECTOR]);
        }
        cache.sector(lba)?[offset..offset + length].copy_from_slice(&data[..length]);
        cache.dirty.insert(lba);
        self.position += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<B: BlockDevice> Seek for View<'_, B> {
    fn seek(&mut self, from: SeekFrom) -> io::Result<u64> {
        let position = match from {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
            SeekFrom::End(distance) => self.cache.borrow().end().checked_add_signed(distance),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A drive in memory with an empty FAT16 volume of DAPLink's size and layout.
    pub(in crate::host) struct RamDisk(pub Vec<u8>);

    impl RamDisk {
        pub(in crate::host) fn formatted() -> RamDisk {
            let mut disk = io::Cursor::new(vec![0; 131_200 * SECTOR]);
            let options = fatfs::FormatVolumeOptions::new()
                .bytes_per_cluster(4096)
                .fat_type(fatfs::FatType::Fat16)
                .max_root_dir_entries(32)
                .volume_label(*b"MICROBIT   ");
            fatfs::format_volume(&mut disk, options).expect("formats");
            RamDisk(disk.into_inner())
        }

        pub(in crate::host) fn apply(&mut self, lba: u32, data: &[u8]) {
            let at = lba as usize * SECTOR;
            self.0[at..at + data.len()].copy_from_slice(data);
        }
    }

    impl BlockDevice for RamDisk {
        type Error = DriveError;

        fn sectors(&mut self) -> Result<u32, DriveError> {
            Ok((self.0.len() / SECTOR) as u32)
        }

        fn read(&mut self, lba: u32, sectors: &mut [Sector]) -> Result<(), DriveError> {
            let bytes = self.0[lba as usize * SECTOR..].chunks_exact(SECTOR);
            sectors.iter_mut().zip(bytes).for_each(|(sector, bytes)| sector.copy_from_slice(bytes));
            Ok(())
        }
    }

    #[test]
    fn the_layout_follows_the_boot_sector() {
        let volume = Volume::mount(RamDisk::formatted()).expect("mounts");
        let layout = volume.layout();
        assert_eq!((layout.fat, layout.root, layout.data, layout.cluster), (1, 1 + 2 * 65, 133, 8));
        assert_eq!(layout.region(0), Region::Boot);
        assert_eq!(
            [1, 65, 66, 131, 132, 133].map(|lba| layout.region(lba)),
            [Region::Fat(0), Region::Fat(0), Region::Fat(1), Region::Root, Region::Root, Region::Data]
        );
    }

    #[test]
    fn a_volume_without_a_boot_signature_mounts_as_operating_systems_mount_it() {
        let mut disk = RamDisk::formatted();
        disk.0[510..512].copy_from_slice(&[0, 0]);
        let volume = Volume::mount(disk).expect("mounts");
        assert_eq!(volume.label().expect("reads").as_deref(), Some("MICROBIT"));
        assert_eq!(volume.read_file("FAIL.TXT").expect("reads"), None);
    }

    #[test]
    fn what_is_no_file_system_is_an_error_and_not_a_panic() {
        let volume = Volume::mount(RamDisk(vec![0xa5; 100 * SECTOR])).expect("mounts");
        assert!(matches!(volume.list(), Err(DriveError::FileSystem(_))));
    }

    proptest::proptest! {
        #[test]
        fn a_damaged_boot_sector_or_table_is_an_error_and_not_a_panic(
            damage in proptest::collection::vec((0usize..1_024, proptest::prelude::any::<u8>()), 1..40)
        ) {
            let mut disk = SMALL.clone();
            for (at, byte) in damage {
                disk[at] = byte;
            }
            if let Ok(volume) = Volume::mount(RamDisk(disk)) {
                // Whatever is found, the end is an answer.
                let _ = volume.list();
                let _ = volume.free();
            }
        }
    }

    static SMALL: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let mut disk = RamDisk::formatted().0;
        disk.truncate(2_000 * SECTOR);
        disk
    });
}
