//! Files dropped onto the drive, in the orders that operating systems write them.

use crate::host::Host;
use crate::volume::files;
use proptest::prelude::*;
use twinboard_models::daplink::{DapLinkConfig, Error};
use twinboard_sim::time::Span;

const ROOT: u32 = 131;
const DATA: u32 = 133;
/// A sector where operating systems would put a new file: cluster 4.
const FREE: u32 = DATA + 16;

pub fn record(kind: u8, address: u16, data: &[u8]) -> String {
    let mut bytes = vec![data.len() as u8, (address >> 8) as u8, address as u8, kind];
    bytes.extend(data);
    bytes.push(bytes.iter().fold(0u8, |sum, &b| sum.wrapping_add(b)).wrapping_neg());
    format!(":{}\n", bytes.iter().map(|b| format!("{b:02X}")).collect::<String>())
}

/// A program of `length` bytes with a vector table.
pub fn program(length: usize) -> Vec<u8> {
    let mut program: Vec<u8> = (0..length).map(|i| (i * 7 % 251) as u8).collect();
    for (slot, word) in program.chunks_exact_mut(4).zip([0x2002_0000u32, 0x101, 0x103, 0x105]) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    program
}

pub fn hex(program: &[u8]) -> Vec<u8> {
    let mut text = record(4, 0, &[0, 0]);
    for (i, data) in program.chunks(16).enumerate() {
        text += &record(0, (i * 16) as u16, data);
    }
    (text + &record(1, 0, &[])).into_bytes()
}

fn ready() -> Host {
    let mut host = Host::ready();
    host.wait_for_medium();
    host
}

pub fn sectors(file: &[u8]) -> Vec<u8> {
    let mut padded = file.to_vec();
    padded.resize(file.len().next_multiple_of(512), 0);
    padded
}

/// The root directory with one more entry.
fn directory(host: &mut Host, name: &[u8; 11], sector: u32, size: u32) -> Vec<u8> {
    let mut root = host.read(ROOT);
    let slot = root.chunks_exact(32).position(|entry| entry[0] == 0).expect("a free entry") * 32;
    root[slot..slot + 11].copy_from_slice(name);
    root[slot + 11] = 0x20;
    let cluster = if size == 0 { 0 } else { ((sector - DATA) / 8 + 2) as u16 };
    root[slot + 26..slot + 28].copy_from_slice(&cluster.to_le_bytes());
    root[slot + 28..slot + 32].copy_from_slice(&size.to_le_bytes());
    root
}

pub fn drop_file(host: &mut Host, name: &[u8; 11], file: &[u8]) {
    let root = directory(host, name, FREE, file.len() as u32);
    if !file.is_empty() {
        assert_eq!(host.write(FREE, &sectors(file)), (0, 0));
    }
    assert_eq!(host.write(ROOT, &root), (0, 0));
}

/// Waits for the remount; FAIL.TXT, if there is one.
pub fn verdict(host: &mut Host) -> Option<String> {
    host.wait_for_no_medium();
    host.wait_for_medium();
    files(host).into_iter().find(|(name, _)| name == "FAIL.TXT").map(|(_, text)| text)
}

pub fn programmed(host: &Host) -> Vec<u8> {
    host.target.lock().expect("target").memory.values().copied().collect()
}

#[test]
fn a_hex_file_is_programmed_and_the_drive_comes_back_after_half_a_second_and_two_and_a_half() {
    let mut host = ready();
    let program = program(3000);
    drop_file(&mut host, b"APP     HEX", &hex(&program));
    let until_gone = host.wait_for_no_medium();
    assert!((Span::ms(450)..Span::ms(720)).contains(&until_gone), "{until_gone:?}");
    let until_back = host.wait_for_medium();
    assert!((Span::ms(2500)..Span::ms(2700)).contains(&until_back), "{until_back:?}");
    assert_eq!(programmed(&host), program);
    let target = host.target.lock().expect("target");
    assert_eq!((target.opened, target.closed, target.shown.len()), (1, 1, 0));
    drop(target);
    let files = files(&mut host);
    assert_eq!(files.len(), 2, "no FAIL.TXT: {files:?}");
    assert!(files[1].1.contains("Remount count: 1\r\n"));
}

#[test]
fn metadata_first_and_twice_and_empty_at_first_is_fine() {
    let mut host = ready();
    let file = hex(&program(2000));
    let empty = directory(&mut host, b"APP     HEX", FREE, 0);
    host.write(ROOT, &empty);
    host.write(1, &[0; 512]);
    host.write(66, &[0; 512]);
    let full = directory(&mut host, b"APP     HEX", FREE, file.len() as u32);
    host.write(ROOT, &full);
    for (i, sector) in sectors(&file).chunks(512).enumerate() {
        host.write(FREE + i as u32, sector);
    }
    host.write(ROOT, &full);
    assert_eq!(verdict(&mut host), None);
    assert_eq!(programmed(&host), program(2000));
}

#[test]
fn a_binary_ends_when_the_host_is_quiet() {
    let mut host = ready();
    drop_file(&mut host, b"APP     BIN", &program(1500));
    assert_eq!(verdict(&mut host), None);
    assert_eq!(programmed(&host)[..1500], program(1500));
}

#[test]
fn a_wrong_checksum_is_521_and_the_next_good_file_heals_it() {
    let mut host = ready();
    let mut file = hex(&program(1000));
    file[200] = if file[200] == b'0' { b'1' } else { b'0' };
    drop_file(&mut host, b"APP     HEX", &file);
    assert_eq!(verdict(&mut host), Some(Error::HexChecksum.fail_txt()));
    assert_eq!(host.target.lock().expect("target").shown, [521]);
    drop_file(&mut host, b"APP     HEX", &hex(&program(1000)));
    assert_eq!(verdict(&mut host), None);
}

#[test]
fn a_target_that_cannot_be_reset_is_507() {
    let mut host = ready();
    host.target.lock().expect("target").fail_open = Some(Error::Reset);
    drop_file(&mut host, b"APP     HEX", &hex(&program(1000)));
    assert_eq!(verdict(&mut host).as_deref(), Some("error: Failed to reset/halt the target MCU\r\ntype: target\r\n"));
}

#[test]
fn a_truncated_file_times_out_after_20_seconds() {
    let mut host = ready();
    let file = hex(&program(4000));
    let root = directory(&mut host, b"APP     HEX", FREE, file.len() as u32);
    host.write(FREE, &sectors(&file)[..4096]);
    host.write(ROOT, &root);
    let waited = host.wait_for_no_medium();
    assert!((Span::secs(20)..Span::secs(21)).contains(&waited), "{waited:?}");
    host.wait_for_medium();
    let fail = files(&mut host).into_iter().find(|(name, _)| name == "FAIL.TXT");
    assert_eq!(fail.map(|(_, text)| text), Some(Error::TransferTimeout.fail_txt()));
    assert_eq!(host.target.lock().expect("target").closed, 1);
}

#[test]
fn sectors_in_the_wrong_order_are_506() {
    let mut host = ready();
    let file = sectors(&hex(&program(4000)));
    let root = directory(&mut host, b"APP     HEX", FREE, file.len() as u32);
    host.write(FREE, &file[..2048]);
    host.write(FREE + 1, &file[512..1024]);
    host.write(ROOT, &root);
    host.wait(Span::secs(22));
    host.wait_for_medium();
    let fail = files(&mut host).into_iter().find(|(name, _)| name == "FAIL.TXT");
    assert_eq!(fail.map(|(_, text)| text), Some(Error::OutOfOrderSector.fail_txt()));
}

#[test]
fn a_text_file_changes_nothing() {
    let mut host = ready();
    let root = directory(&mut host, b"NOTES   TXT", FREE, 1000);
    host.write(FREE, &[b'x'; 1024]);
    host.write(ROOT, &root);
    host.wait(Span::secs(5));
    assert_eq!(host.scsi_in(0, &[0; 6]).1, (0, 0), "the medium never went");
    assert_eq!(host.target.lock().expect("target").opened, 0);
}

#[test]
fn a_binary_with_bad_vectors_times_out_because_it_never_begins() {
    let mut host = ready();
    drop_file(&mut host, b"APP     BIN", &[0xff; 4096]);
    host.wait(Span::secs(22));
    host.wait_for_medium();
    let fail = files(&mut host).into_iter().find(|(name, _)| name == "FAIL.TXT");
    assert_eq!(fail.map(|(_, text)| text), Some(Error::TransferTimeout.fail_txt()));
    assert_eq!(host.target.lock().expect("target").opened, 0);
}

#[test]
fn an_interface_image_is_not_for_the_drive() {
    let mut host = ready();
    let mut image = program(1024);
    image[0x20..0x24].copy_from_slice(&0x9b93_9e8fu32.to_le_bytes());
    image[0x24..0x28].copy_from_slice(&0x6e05_2820u32.to_le_bytes());
    drop_file(&mut host, b"IF      HEX", &hex(&image));
    assert_eq!(verdict(&mut host), Some(Error::UnsupportedUpdate.fail_txt()));
}

#[test]
fn an_image_for_a_cortex_m0_is_529_on_a_board_as_it_is_sold() {
    let mut host = Host::plug(DapLinkConfig::default());
    host.enumerate();
    host.wait_for_medium();
    let mut image = program(1024);
    image[0x10..0x1c].fill(0);
    drop_file(&mut host, b"APP     HEX", &hex(&image));
    assert_eq!(verdict(&mut host), Some(Error::IncompatibleImage.fail_txt()));
    drop_file(&mut host, b"APP     HEX", &hex(&program(1024)));
    assert_eq!(verdict(&mut host), None);
}

#[test]
fn settings_need_automation_or_the_button() {
    let mut host = ready();
    drop_file(&mut host, b"AUTO_OFFCFG", b"");
    assert_eq!(verdict(&mut host), None);
    assert!(files(&mut host)[1].1.contains("Automation allowed: 0\r\n"));
    drop_file(&mut host, b"AUTO_ON CFG", b"");
    host.wait(Span::secs(4));
    assert!(files(&mut host)[1].1.contains("Automation allowed: 0\r\n"));
    let root = host.read(ROOT);
    host.write(ROOT, &root);
    host.button(true);
    host.wait(Span::ms(100));
    drop_file(&mut host, b"AUTO_ON CFG", b"");
    host.button(false);
    verdict(&mut host);
    assert!(files(&mut host)[1].1.contains("Automation allowed: 1\r\n"));
}

#[test]
fn assert_act_leaves_a_text_until_it_is_deleted() {
    let mut host = ready();
    drop_file(&mut host, b"ASSERT  ACT", b"");
    assert_eq!(verdict(&mut host), None);
    let text = &files(&mut host)[2];
    assert_eq!(text.0, "ASSERT.TXT");
    assert!(text.1.starts_with("Assert\r\nFile: ../../../source/"));
    assert!(text.1.ends_with("Source: Application\r\n"));
    let mut root = host.read(ROOT);
    root[3 * 32] = 0xe5;
    host.write(ROOT, &root);
    verdict(&mut host);
    assert_eq!(files(&mut host).len(), 2);
}

#[test]
fn erase_act_erases_the_target() {
    let mut host = ready();
    drop_file(&mut host, b"ERASE   ACT", b"");
    assert_eq!(verdict(&mut host), None);
    assert_eq!(host.target.lock().expect("target").erased, 1);
}

#[test]
fn msd_off_brings_the_device_back_without_the_drive() {
    let mut host = ready();
    drop_file(&mut host, b"MSD_OFF CFG", b"");
    while host.port().attached() {
        host.wait(Span::ms(10));
    }
    host.enumerate();
    let configuration = host.control(0x80, 6, 0x0200, 0, &[], 255).expect("configuration");
    assert_eq!(configuration.len(), 139);
    let serial = host.control(0x80, 6, 0x0303, 0x0409, &[], 255).expect("serial");
    assert_eq!(serial[2 + 2 * 6], b'8');
}

#[test]
fn a_power_cut_in_the_middle_leaves_a_board_that_works() {
    use twinboard_sim::chip::Chip;
    let mut host = ready();
    let file = sectors(&hex(&program(4000)));
    host.write(FREE, &file[..2048]);
    let now = host.now;
    host.chip.power_cycle(now);
    host.enumerate();
    host.wait_for_medium();
    drop_file(&mut host, b"APP     HEX", &hex(&program(1000)));
    assert_eq!(verdict(&mut host), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn slices_of_time_do_not_matter(slice_ns in prop_oneof![1_000u64..50_000, 50_000u64..100_000_000]) {
        let run = |slice: Span| {
            let mut host = Host::plug(DapLinkConfig::default());
            host.slice = slice;
            host.enumerate();
            host.wait_for_medium();
            drop_file(&mut host, b"APP     HEX", &hex(&program(600)));
            let fail = verdict(&mut host);
            (fail, host.now, host.edges.clone(), programmed(&host))
        };
        prop_assert_eq!(run(Span::ns(slice_ns)), run(Span::secs(3600)));
    }
}
