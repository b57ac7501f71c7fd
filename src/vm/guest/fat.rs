//! Reads the label and the serial number of a FAT volume, as `blkid` would.
//!
//! Offsets are those of Microsoft's "FAT: General Overview of On-Disk Format", version 1.03.

use std::io::{self, Read, Seek, SeekFrom};

/// What names a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The label in the root directory, else the one in the boot sector; empty if there is none.
    pub label: String,
    /// The serial number as `1234-ABCD`.
    pub serial: String,
}

/// Whether an entry's attribute byte is a label's: volume id and not directory, nor all four that mark a long name.
fn is_label(attributes: u8) -> bool {
    const ATTR_VOLUME_ID: u8 = 0x08;
    const ATTR_DIRECTORY: u8 = 0x10;
    const ATTR_LONG_NAME: u8 = 0x0f;
    attributes & ATTR_LONG_NAME != ATTR_LONG_NAME && attributes & (ATTR_VOLUME_ID | ATTR_DIRECTORY) == ATTR_VOLUME_ID
}

/// Reads the volume; `InvalidData` if this is no FAT file system.
///
/// # Errors
/// Those of reading, `NotFound`-like ones if the drive has no medium.
pub fn read(device: &mut (impl Read + Seek)) -> io::Result<Volume> {
    let mut boot = [0; 512];
    device.read_exact(&mut boot)?;
    let half = |at: usize| u32::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
    let word = |at: usize| half(at) | half(at + 2) << 16;

    let (sector, reserved, fats, root_entries) = (half(11), half(14), u32::from(boot[16]), half(17));
    let jump = matches!(boot[0], 0xeb | 0xe9);
    if !jump || !matches!(sector, 512 | 1024 | 2048 | 4096) || !matches!(fats, 1 | 2) || reserved == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no FAT file system"));
    }
    // FAT32 has no fixed root directory, longer FATs, and its names further back.
    let fat32 = root_entries == 0;
    let (fat_size, names) = if fat32 { (word(36), 67) } else { (half(22), 39) };
    let data = u64::from(reserved) + u64::from(fats) * u64::from(fat_size);
    let first = if fat32 { u64::from(word(44).saturating_sub(2)) * u64::from(boot[13]) } else { 0 };
    let entries = if fat32 { sector * u32::from(boot[13]) / 32 } else { root_entries };

    device.seek(SeekFrom::Start((data + first) * u64::from(sector)))?;
    let mut directory = vec![0; entries as usize * 32];
    device.read_exact(&mut directory)?;
    let label = directory
        .chunks_exact(32)
        .take_while(|entry| entry[0] != 0)
        .find(|entry| entry[0] != 0xe5 && is_label(entry[11]))
        .map(|entry| text(&entry[..11]))
        .unwrap_or_else(|| text(&boot[names + 4..names + 15]));
    let serial = word(names);
    let label = if label == "NO NAME" { String::new() } else { label };
    Ok(Volume { label, serial: format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff) })
}

fn text(padded: &[u8]) -> String {
    String::from_utf8_lossy(padded).trim_end_matches([' ', '\0']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A 16-bit volume with one FAT of one sector and 16 root entries.
    fn volume(boot_label: &[u8; 11], entries: &[(&[u8; 11], u8)]) -> Vec<u8> {
        let mut disk = vec![0; 512 * 4];
        disk[0] = 0xeb;
        disk[11..13].copy_from_slice(&512u16.to_le_bytes());
        (disk[13], disk[14], disk[16], disk[17], disk[22]) = (4, 1, 1, 16, 1);
        disk[39..43].copy_from_slice(&0x2702_1974u32.to_le_bytes());
        disk[43..54].copy_from_slice(boot_label);
        for (i, (name, attributes)) in entries.iter().enumerate() {
            disk[1024 + 32 * i..][..11].copy_from_slice(*name);
            disk[1024 + 32 * i + 11] = *attributes;
        }
        disk
    }

    #[test]
    fn the_label_in_the_root_directory_wins_over_the_boot_sector() {
        let disk = volume(b"BOOT       ", &[(b"DETAILS TXT", 0x20), (b"MICROBIT   ", 0x28)]);
        let volume = read(&mut io::Cursor::new(disk)).unwrap();
        assert_eq!((volume.label.as_str(), volume.serial.as_str()), ("MICROBIT", "2702-1974"));
    }

    #[test]
    fn long_names_are_no_labels_and_the_boot_sector_is_the_second_choice() {
        let disk = volume(b"BOOT       ", &[(b"Ad\0e\0t\0a\0i\0", 0x0f)]);
        assert_eq!(read(&mut io::Cursor::new(disk)).unwrap().label, "BOOT");
        assert_eq!(read(&mut io::Cursor::new(volume(b"NO NAME    ", &[]))).unwrap().label, "");
    }

    proptest! {
        #[test]
        fn any_boot_sector_is_a_volume_or_an_error(mut disk in proptest::collection::vec(any::<u8>(), 512..2048)) {
            let _ = read(&mut io::Cursor::new(disk.clone()));
            (disk[0], disk[11], disk[12], disk[16]) = (0xeb, 0, 2, 1);
            let _ = read(&mut io::Cursor::new(disk));
        }
    }
}
