//! The volume as another implementation of FAT sees it.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::host::Host;
use twinboard_models::daplink::DapLinkConfig;

/// The drive's sectors as a stream.
struct Disk<'a> {
    host: &'a mut Host,
    at: u64,
}

impl Read for Disk<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let sector = self.host.read((self.at / 512) as u32);
        let rest = &sector[(self.at % 512) as usize..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Write for Disk<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Disk<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => self.at.wrapping_add_signed(by),
            SeekFrom::End(by) => (131_200u64 * 512).wrapping_add_signed(by),
        };
        Ok(self.at)
    }
}

/// Names and contents of the files on the drive.
pub fn files(host: &mut Host) -> Vec<(String, String)> {
    let options = fatfs::FsOptions::new().update_accessed_date(false);
    let volume = fatfs::FileSystem::new(Disk { host, at: 0 }, options).expect("a FAT volume");
    let root = volume.root_dir();
    root.iter()
        .map(|entry| {
            let entry = entry.expect("an entry");
            let mut text = String::new();
            entry.to_file().read_to_string(&mut text).expect("a text file");
            (entry.short_file_name(), text)
        })
        .collect()
}

#[test]
fn a_fresh_drive_has_a_page_and_the_details() {
    let mut host = Host::ready();
    host.wait_for_medium();
    let files = files(&mut host);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["MICROBIT.HTM", "DETAILS.TXT"]);
    assert!(files[0].1.contains("window.location.replace(\"https://microbit.org/device/?id=9906&v=0257\");"));
    assert!(files[1].1.contains("\r\nHIC ID: 6e052820\r\n"));
    assert!(files[1].1.contains("\r\nInterface CRC: 0xe561f1de\r\nRemount count: 0\r\n"));
}

#[test]
fn the_details_are_those_of_a_board_as_it_is_sold() {
    let mut host =
        Host::plug(DapLinkConfig { device_id: [0x52820, 0xf988_c7fc, 0x2ec7_4011, 0], ..Default::default() });
    host.enumerate();
    host.wait_for_medium();
    // As owners of such boards have published it.
    let expected = "# DAPLink Firmware - see https://daplink.io\r\n\
        Build ID: v0257-gc782a5ba (gcc)\r\n\
        Unique ID: 9906360200052820f988c7fc2ec74011000000006e052820\r\n\
        HIC ID: 6e052820\r\n\
        Auto Reset: 1\r\n\
        Automation allowed: 0\r\n\
        Overflow detection: 0\r\n\
        Incompatible image detection: 1\r\n\
        Page erasing: 0\r\n\
        Daplink Mode: Interface\r\n\
        Interface Version: 0257\r\n\
        Bootloader Version: 0257\r\n\
        Git SHA: c782a5ba907377658bc28aa8d132a0fa44543687\r\n\
        Local Mods: 0\r\n\
        USB Interfaces: MSD, CDC, HID, WebUSB\r\n\
        Bootloader CRC: 0x725bea7d\r\n\
        Interface CRC: 0xe561f1de\r\n\
        Remount count: 0\r\n\
        URL: https://microbit.org/device/?id=9906&v=0257\r\n";
    assert_eq!(files(&mut host)[1].1, expected);
}

#[test]
fn the_label_is_filled_with_nul_as_in_0255_to_0258() {
    let mut host = Host::ready();
    host.wait_for_medium();
    assert_eq!(&host.read(131)[..12], b"MICROBIT\0\0\0\x28");
}
