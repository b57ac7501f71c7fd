//! The life cycle of official firmware on an emulated interface chip: its own bootloader's drive, updates, and what is
//! left of one that was cut short.

use std::path::Path;

use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;
use twinboard_usbip::host::drive::DELAY_USE;

use crate::images::official;

const FULL_0255: &str = "kl27z_bl_0255_if_0255_microbit_full_image.bin";
const FULL_0234: &str = "kl26z_bl_if_BL0233_IF0234.hex";
const IF_0258: &str = "0258-beta3_kl27z_microbit_if_crc_0004198_gcc.hex";

/// A board with `image` in its interface chip, powered with the reset button held. None if there is no such image.
fn held(board: &str, image: &str) -> Option<Host<Powered>> {
    let image = Image::parse(Path::new(image), &official(image)?, BlockIds(&[]), 0).expect("an image");
    let interface = Some(InterfaceProgram { image: &image, start: Start::Reset });
    let file = BoardFile::built_in(board).expect("built in");
    let mut powered = file.power_on(&PowerOn { interface, ..PowerOn::default() }).expect("a board");
    powered.press("reset", true).expect("a button");
    let mut host = Host::new(powered);
    if let Err(error) = host.enumerate() {
        panic!("{error}: {:?}", host.machine().board.report());
    }
    host.machine().release_reset();
    host.sleep(DELAY_USE);
    Some(host)
}

/// The drive's label.
pub fn label(host: &mut Host<Powered>) -> String {
    let mut drive = host.drive().expect("a drive");
    drive.wait_ready(Span::secs(5)).expect("a medium");
    // The root directory is behind the reserved sectors and the FATs (BIOS parameter block, offsets 14, 16, 22).
    let boot = drive.read_sectors(0, 1).expect("reads");
    let word = |at: usize| u32::from(boot[at]) | u32::from(boot[at + 1]) << 8;
    let root = word(14) + u32::from(boot[16]) * word(22);
    // 0258 fills up with zeros, the others with spaces.
    let entry = drive.read_sectors(root, 1).expect("reads");
    String::from_utf8_lossy(&entry[..11]).trim_end_matches(['\0', ' ']).to_owned()
}

fn details(host: &mut Host<Powered>) -> String {
    let mut drive = host.drive().expect("a drive");
    drive.wait_ready(Span::secs(5)).expect("a medium");
    let text = drive.read_file("DETAILS.TXT").expect("reads").expect("there is one");
    String::from_utf8(text).expect("text")
}

/// Drops an interface image, after which the bootloader resets the chip.
fn update(host: &mut Host<Powered>, file: &[u8]) {
    let copied = host.drive().expect("a drive").copy("UPDATE.HEX", file, WriteOrder::LinuxUmount);
    assert!(copied.is_err(), "{copied:?}");
    assert!(host.wait_gone(Span::secs(5)), "{:?}", host.machine().board.report());
    host.enumerate().expect("the new firmware enumerates");
}

/// The first `bytes` of the file are written, and then the power goes and comes.
fn update_cut(host: &mut Host<Powered>, file: &[u8], bytes: usize) {
    let mut drive = host.drive().expect("a drive");
    drive.wait_ready(Span::secs(5)).expect("a medium");
    drive.write_sectors(1_000, &file[..bytes]).expect("is taken");
    host.machine().power_cycle();
    assert!(host.wait_gone(Span::secs(1)));
}

#[test]
fn the_kl27zs_bootloader_updates_its_interface_firmware() {
    let (Some(mut host), Some(next)) = (held("microbit-v2.00", FULL_0255), official(IF_0258)) else { return };
    assert_eq!(label(&mut host), "MAINTENANCE");
    let text = details(&mut host);
    assert!(text.contains("Daplink Mode: Bootloader\r\n") && text.contains("Interface Version: 0255\r\n"), "{text}");
    update(&mut host, &next);
    assert_eq!(label(&mut host), "MICROBIT");
    let text = details(&mut host);
    assert!(text.contains("Interface Version: 0258\r\n") && text.contains("Bootloader Version: 0255\r\n"), "{text}");
}

#[test]
fn an_update_of_the_kl27z_that_is_cut_before_its_vectors_stays_in_maintenance_for_another() {
    let (Some(mut host), Some(next)) = (held("microbit-v2.00", FULL_0255), official(IF_0258)) else { return };
    // The flash is erased with the first sector; what it holds waits for the rest of its flash sector.
    update_cut(&mut host, &next, 512);
    host.enumerate().expect("comes back without a finger on the button");
    assert_eq!(label(&mut host), "MAINTENANCE");
    let text = details(&mut host);
    assert!(!text.contains("Interface Version: 0255"), "{text}");
    update(&mut host, &next);
    assert!(details(&mut host).contains("Interface Version: 0258\r\n"));
}

/// The interface chip's flash, from address 0.
fn interface_flash(host: &mut Host<Powered>) -> Vec<u8> {
    let (_, chip) = host.machine().chips.iter().find(|(name, _)| name == "interface").expect("there is one");
    chip.flash().expect("an emulated chip")
}

/// The KL26Z's official bootloader, of 2015, takes `file`, which then runs and says `line` in DETAILS.TXT.
fn the_kl26z_takes(file: &str, line: &str) {
    let (Some(mut host), Some(next)) = (held("microbit-v1", FULL_0234), official(file)) else { return };
    assert_eq!(label(&mut host), "MAINTENANCE");
    let text = details(&mut host);
    assert!(text.contains("Version: 0234\r\n"), "{text}");
    update(&mut host, &next);
    let image = Image::parse(Path::new(file), &next, BlockIds(&[]), 0).expect("an image");
    let flash = interface_flash(&mut host);
    assert!(image.segments.iter().all(|segment| flash[segment.address as usize..].starts_with(&segment.bytes)));
    host.sleep(DELAY_USE);
    assert_eq!(label(&mut host), "MICROBIT");
    let text = details(&mut host);
    // Its bootloader has no build information, so the newer ones do not mention it (dossier §3.3).
    assert!(text.contains(line) && !text.contains("Bootloader Version"), "{text}");
}

#[test]
fn the_kl26zs_bootloader_of_2015_updates_to_0234() {
    the_kl26z_takes("0234_kl26z_microbit_0x8000.hex", "Version: 0234\r\n");
}

#[test]
fn the_kl26zs_bootloader_of_2015_updates_to_0241() {
    the_kl26z_takes("0241_kl26z_microbit_0x8000.hex", "Interface Version: 0241\r\n");
}

#[test]
fn the_kl26zs_bootloader_of_2015_updates_to_0249() {
    the_kl26z_takes("0249_kl26z_microbit_0x8000.hex", "Interface Version: 0249\r\n");
}

#[test]
fn the_kl26zs_bootloader_of_2015_updates_to_0253() {
    the_kl26z_takes("0253_kl26z_microbit_0x8000.hex", "Interface Version: 0253\r\n");
}

/// What it looks at is the address, and at 0x8000 the stack pointer and three vectors (dossier §5.4).
#[test]
fn the_kl26zs_bootloader_of_2015_refuses_a_targets_program_and_vectors_that_lead_elsewhere() {
    let (Some(mut host), Some(next)) = (held("microbit-v1", FULL_0234), official("0253_kl26z_microbit_0x8000.hex"))
    else {
        return;
    };
    let demo = include_bytes!("../../firmware/nrf51822/demo.hex");
    let before = interface_flash(&mut host);
    let mut drop = |name: &str, data: &[u8]| {
        let copied = host.drive().expect("a drive").copy(name, data, WriteOrder::LinuxUmount).expect("stays");
        copied.fail.expect("is refused")
    };
    let fail = drop("DEMO.HEX", demo);
    assert!(fail.contains("isn't compatible with this mode or device"), "{fail}");
    // Two records: the upper half of the address, and vectors of which the first leads to address 0.
    let vectors = b":020000040000FA\r\n:108000000010002000000000000000000000000040\r\n:00000001FF\r\n";
    let fail = drop("VECTORS.HEX", vectors);
    assert!(fail.contains("offset load address is not correct"), "{fail}");
    assert_eq!(interface_flash(&mut host), before, "nothing is erased before the first bytes are looked at");
    update(&mut host, &next);
    host.sleep(DELAY_USE);
    assert!(details(&mut host).contains("Interface Version: 0253\r\n"));
}

#[test]
fn an_update_of_the_kl26z_that_is_cut_before_its_vectors_stays_in_maintenance_for_another() {
    let (Some(mut host), Some(next)) = (held("microbit-v1", FULL_0234), official("0253_kl26z_microbit_0x8000.hex"))
    else {
        return;
    };
    // The first half-kilobyte of the file ends within the vector table, which waits in RAM for the rest of its 512 bytes.
    update_cut(&mut host, &next, 512);
    host.enumerate().expect("comes back without a finger on the button");
    host.sleep(DELAY_USE);
    assert_eq!(label(&mut host), "MAINTENANCE");
    update(&mut host, &next);
    host.sleep(DELAY_USE);
    assert!(details(&mut host).contains("Interface Version: 0253\r\n"));
}
