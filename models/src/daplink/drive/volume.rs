//! The virtual FAT volume: 64 MiB that are computed sector by sector and stored nowhere.
//!
//! Boot sector, two FATs of which only the first sector has contents, a root directory of two sectors, then the files
//! one after the other from cluster 2 on. What a host writes is not kept, but for the root directory, which is compared
//! with what was there before to see what the host did ([`Volume::write_directory`]).

/// Bytes in a sector.
pub const SECTOR: usize = 512;

const SECTORS_PER_CLUSTER: u32 = 8;
const TOTAL_SECTORS: u32 = (64 * 1024 + 64) * 1024 / SECTOR as u32;
const SECTORS_PER_FAT: u32 = 65;
const ROOT: u32 = 1 + 2 * SECTORS_PER_FAT;
const ROOT_SECTORS: u32 = 2;
const DATA: u32 = ROOT + ROOT_SECTORS;

/// Bytes in a directory entry.
const ENTRY: usize = 32;
/// Entries in the root directory.
pub const ENTRIES: usize = ROOT_SECTORS as usize * SECTOR / ENTRY;

/// A file name as it stands in a directory: eight characters and three, filled with spaces.
pub type Name = [u8; 11];

/// A directory entry (Microsoft FAT specification, "FAT Directory Structure").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry(pub [u8; ENTRY]);

impl Entry {
    /// DIR_Attr: read-only.
    pub const READ_ONLY: u8 = 0x01;
    /// DIR_Attr: hidden.
    pub const HIDDEN: u8 = 0x02;
    const VOLUME_LABEL: u8 = 0x08;
    const ARCHIVE: u8 = 0x20;

    fn new(name: Name, attributes: u8, date: u16, time: u16) -> Entry {
        let mut entry = [0; ENTRY];
        entry[..11].copy_from_slice(&name);
        entry[11] = attributes;
        entry[22..24].copy_from_slice(&time.to_le_bytes());
        entry[24..26].copy_from_slice(&date.to_le_bytes());
        Entry(entry)
    }

    fn label(name: Name) -> Entry {
        Entry::new(name, Entry::VOLUME_LABEL | Entry::ARCHIVE, 0x32bb, 0x8e41)
    }

    fn file(name: Name, attributes: u8, cluster: u16, size: u32) -> Entry {
        const DATE: u16 = 0x4876;
        let mut entry = Entry::new(name, attributes, DATE, 0x83dc);
        entry.0[16..18].copy_from_slice(&DATE.to_le_bytes());
        entry.0[18..20].copy_from_slice(&DATE.to_le_bytes());
        entry.0[26..28].copy_from_slice(&cluster.to_le_bytes());
        entry.0[28..].copy_from_slice(&size.to_le_bytes());
        entry
    }

    /// DIR_Name.
    #[must_use]
    pub fn name(&self) -> Name {
        let mut name = [0; 11];
        name.copy_from_slice(&self.0[..11]);
        name
    }

    /// DIR_Attr.
    #[must_use]
    pub fn attributes(&self) -> u8 {
        self.0[11]
    }

    /// DIR_FileSize.
    #[must_use]
    pub fn size(&self) -> u32 {
        u32::from_le_bytes([self.0[28], self.0[29], self.0[30], self.0[31]])
    }

    /// The sector where the file begins; none for an empty one.
    #[must_use]
    pub fn start_sector(&self) -> Option<u32> {
        let cluster = u32::from(u16::from_le_bytes([self.0[26], self.0[27]]));
        // The arithmetic of the original, which a cluster number below 2 makes wrap.
        (self.size() != 0).then(|| DATA.wrapping_add(cluster.wrapping_sub(2).wrapping_mul(SECTORS_PER_CLUSTER)))
    }

    /// Whether the entry was deleted.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.0[0] == 0xe5
    }

    /// Whether its name is a valid 8.3 name in upper case.
    #[must_use]
    pub fn has_valid_name(&self) -> bool {
        is_valid_name(&self.name())
    }
}

/// Whether `name` is a valid 8.3 name in upper case.
#[must_use]
pub fn is_valid_name(name: &Name) -> bool {
    let valid = |&byte: &u8| {
        !byte.is_ascii_lowercase() && (byte >= 0x20 || byte == 0x05) && !b"\"*+,./:;<=>?[\\]|".contains(&byte)
    };
    !matches!(name[0], 0x00 | 0x20 | 0xe5) && name.iter().all(valid)
}

/// What a host did to one entry of the root directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DirectoryChange {
    /// The entry's place.
    pub slot: usize,
    /// What was there.
    pub old: Entry,
    /// What is there now.
    pub new: Entry,
}

impl DirectoryChange {
    /// The entry was deleted.
    #[must_use]
    pub fn is_deletion(&self) -> bool {
        self.new.is_deleted()
    }

    /// The entry has a new, valid name.
    #[must_use]
    pub fn is_creation(&self) -> bool {
        !self.is_deletion() && self.old.name() != self.new.name() && self.new.has_valid_name()
    }
}

/// What a sector holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// One of the files the volume was built with: its number and the offset of the sector in it.
    File(usize, u32),
    /// A sector of the root directory.
    Directory(usize),
    /// Anything else.
    Other,
}

/// A volume and the files on it.
#[derive(Clone, Debug)]
pub struct Volume {
    directory: [u8; ENTRIES * ENTRY],
    /// First cluster and length in clusters of each file.
    files: Vec<(u32, u32)>,
}

impl Volume {
    /// Sectors of the volume, and of the drive: there is no partition table.
    pub const SECTORS: u32 = TOTAL_SECTORS;

    /// An empty volume called `name` (11 bytes count; a shorter name is filled with NUL).
    #[must_use]
    pub fn new(name: &str) -> Volume {
        let mut label = [0; 11];
        for (slot, byte) in label.iter_mut().zip(name.bytes()) {
            *slot = byte;
        }
        let mut directory = [0; ENTRIES * ENTRY];
        directory[..ENTRY].copy_from_slice(&Entry::label(label).0);
        Volume { directory, files: Vec::new() }
    }

    /// Puts a file on it; returns its number.
    pub fn add(&mut self, name: &Name, attributes: u8, size: u32) -> usize {
        let number = self.files.len();
        let cluster = self.files.last().map_or(2, |(first, count)| first + count);
        // A file whose size is nonsense ends where the volume does.
        let room = (TOTAL_SECTORS / SECTORS_PER_CLUSTER).saturating_sub(cluster);
        let clusters = size.div_ceil(SECTORS_PER_CLUSTER * SECTOR as u32).min(room);
        self.files.push((cluster, clusters));
        let first = if clusters == 0 { 0 } else { cluster as u16 };
        let at = (number + 1) * ENTRY;
        self.directory[at..at + ENTRY].copy_from_slice(&Entry::file(*name, attributes, first, size).0);
        number
    }

    /// What is in sector `lba`.
    #[must_use]
    pub fn place(&self, lba: u32) -> Place {
        if (ROOT..DATA).contains(&lba) {
            return Place::Directory((lba - ROOT) as usize);
        }
        let Some(sector) = lba.checked_sub(DATA) else { return Place::Other };
        let cluster = 2 + sector / SECTORS_PER_CLUSTER;
        let file = self.files.iter().position(|&(first, count)| (first..first + count).contains(&cluster));
        file.map_or(Place::Other, |file| Place::File(file, sector - (self.files[file].0 - 2) * SECTORS_PER_CLUSTER))
    }

    /// Reads a sector that belongs to no file; what the volume does not hold is zero.
    pub fn read(&self, lba: u32, sector: &mut [u8; SECTOR]) {
        sector.fill(0);
        if lba == 0 {
            boot_sector(sector);
        } else if lba == 1 || lba == 1 + SECTORS_PER_FAT {
            self.read_fat(sector);
        } else if lba == ROOT {
            // Only entries that the firmware made are shown, in their present state.
            let shown = (self.files.len() + 1) * ENTRY;
            sector[..shown].copy_from_slice(&self.directory[..shown]);
        }
    }

    fn read_fat(&self, sector: &mut [u8; SECTOR]) {
        let mut entries = sector.chunks_exact_mut(2);
        let mut put = |value: u16| {
            if let Some(entry) = entries.next() {
                entry.copy_from_slice(&value.to_le_bytes());
            }
        };
        put(0xfff8);
        put(0xffff);
        for &(first, count) in &self.files {
            for cluster in first..first + count {
                put(if cluster + 1 == first + count { 0xffff } else { cluster as u16 + 1 });
            }
        }
    }

    /// Takes a sector of the root directory that the host wrote; the entries that differ from what was there. The
    /// volume's label, the first entry, does not count.
    pub fn write_directory(&mut self, index: usize, sector: &[u8; SECTOR]) -> Vec<DirectoryChange> {
        let base = index * SECTOR;
        let mut changes = Vec::new();
        for (number, new) in sector.chunks_exact(ENTRY).enumerate() {
            let slot = base / ENTRY + number;
            let old = &mut self.directory[slot * ENTRY..(slot + 1) * ENTRY];
            if slot != 0 && old != new {
                let entry = |bytes: &[u8]| {
                    let mut entry = Entry([0; ENTRY]);
                    entry.0.copy_from_slice(bytes);
                    entry
                };
                changes.push(DirectoryChange { slot, old: entry(old), new: entry(new) });
            }
            old.copy_from_slice(new);
        }
        changes
    }
}

fn boot_sector(sector: &mut [u8; SECTOR]) {
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        sector[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(&[0xeb, 0x3c, 0x90]); // BS_jmpBoot
    put(b"MSD0S4.1"); // BS_OEMName
    put(&(SECTOR as u16).to_le_bytes()); // BPB_BytsPerSec
    put(&[SECTORS_PER_CLUSTER as u8]); // BPB_SecPerClus
    put(&1u16.to_le_bytes()); // BPB_RsvdSecCnt
    put(&[2]); // BPB_NumFATs
    put(&(ENTRIES as u16).to_le_bytes()); // BPB_RootEntCnt
    put(&0u16.to_le_bytes()); // BPB_TotSec16: see BPB_TotSec32
    put(&[0xf8]); // BPB_Media: fixed disk
    put(&(SECTORS_PER_FAT as u16).to_le_bytes()); // BPB_FATSz16
    put(&1u16.to_le_bytes()); // BPB_SecPerTrk
    put(&1u16.to_le_bytes()); // BPB_NumHeads
    put(&0u32.to_le_bytes()); // BPB_HiddSec
    put(&TOTAL_SECTORS.to_le_bytes()); // BPB_TotSec32
    put(&[0x00, 0x00, 0x29]); // BS_DrvNum, BS_Reserved1, BS_BootSig
    put(&0x2702_1974u32.to_le_bytes()); // BS_VolID
    put(b"DAPLINK-DND"); // BS_VolLab
    put(b"FAT16   "); // BS_FilSysType
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector(volume: &Volume, lba: u32) -> [u8; SECTOR] {
        let mut sector = [0; SECTOR];
        volume.read(lba, &mut sector);
        sector
    }

    #[test]
    fn the_geometry_is_that_of_0242_and_later() {
        assert_eq!((TOTAL_SECTORS, ROOT, DATA), (131_200, 131, 133));
        let boot = sector(&Volume::new("MICROBIT"), 0);
        assert_eq!(u32::from_le_bytes([boot[32], boot[33], boot[34], boot[35]]), 0x20080);
        assert_eq!(&boot[43..62], b"DAPLINK-DNDFAT16   ");
    }

    #[test]
    fn files_lie_one_after_the_other_from_cluster_2() {
        let mut volume = Volume::new("MICROBIT");
        volume.add(b"A       TXT", Entry::READ_ONLY, 4097);
        volume.add(b"B       TXT", Entry::READ_ONLY, 0);
        volume.add(b"C       TXT", Entry::READ_ONLY, 1);
        assert_eq!(sector(&volume, 1)[..10], [0xf8, 0xff, 0xff, 0xff, 3, 0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(volume.place(133), Place::File(0, 0));
        assert_eq!(volume.place(133 + 15), Place::File(0, 15));
        assert_eq!(volume.place(133 + 16), Place::File(2, 0));
        assert_eq!(volume.place(133 + 24), Place::Other);
        let root = sector(&volume, 131);
        assert_eq!(&root[..12], b"MICROBIT\0\0\0\x28");
        let entry = |n: usize| Entry(root[n * 32..(n + 1) * 32].try_into().expect("32 bytes"));
        assert_eq!(entry(1).start_sector(), Some(133));
        assert_eq!(entry(2).start_sector(), None);
        assert_eq!(entry(3).start_sector(), Some(149));
    }

    #[test]
    fn a_written_directory_tells_what_changed() {
        let mut volume = Volume::new("MICROBIT");
        volume.add(b"DETAILS TXT", Entry::READ_ONLY, 10);
        let mut root = sector(&volume, 131);
        root[64..64 + 11].copy_from_slice(b"APP     HEX");
        let changes = volume.write_directory(0, &root);
        assert_eq!(changes.len(), 1);
        assert!(changes[0].is_creation() && !changes[0].is_deletion());
        assert_eq!(changes[0].slot, 2);
        root[64] = 0xe5;
        let changes = volume.write_directory(0, &root);
        assert!(changes[0].is_deletion() && !changes[0].is_creation());
        assert_eq!(volume.write_directory(0, &root), []);
        assert_eq!(sector(&volume, 131)[64..], [0; 448], "a host's own entries are not shown");
    }

    #[test]
    fn lower_case_and_wildcards_are_no_names() {
        let entry = |name: &[u8; 11]| Entry::file(*name, 0, 0, 0);
        assert!(entry(b"APP~1   HEX").has_valid_name());
        assert!(!entry(b"app     HEX").has_valid_name());
        assert!(!entry(b"A*P     HEX").has_valid_name());
        assert!(!entry(b" PP     HEX").has_valid_name());
    }
}
