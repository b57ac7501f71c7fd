//! The bootloader of native DAPLink: how one gets into MAINTENANCE mode, what it takes, and how it is left.

use twinboard_models::board::{BoardFile, PowerOn, Powered};
use twinboard_models::daplink::{Error, InterfaceFlash};
use twinboard_models::image::interface::{InterfaceChip, KL26Z, KL27Z, NRF52820, Role};
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::{Copied, WriteOrder};

use crate::bench::built_in;

const BOARDS: [(&str, &InterfaceChip); 3] =
    [("microbit-v1", &KL26Z), ("microbit-v2.00", &KL27Z), ("microbit-v2", &NRF52820)];

/// A board that was powered with the reset button held.
pub fn maintenance(name: &str) -> Host<Powered> {
    let file = BoardFile::built_in(name).expect("built in");
    let mut powered = file.power_on(&PowerOn::default()).expect("a board");
    powered.press("reset", true).expect("a button");
    let mut host = Host::new(powered);
    host.enumerate().expect("enumerates");
    host.machine().release_reset();
    host
}

/// An image with everything that a build puts in, as long as its place.
pub fn image(chip: &InterfaceChip, role: Role) -> Vec<u8> {
    let length = if role == Role::Interface { chip.interface.len() } else { 0x8000 };
    let mut image: Vec<u8> = (0..length).map(|i| (i * 31 % 253) as u8).collect();
    let key = if role == Role::Interface { 0x9b93_9e8f } else { 0x9b93_9d93 };
    let base = role.base();
    let mut words = [chip.ram.end, base + 0x101, base + 0x103, base + 0x105, 0, 0, 0, 0, key, chip.hic_id, 999];
    words[7] = words[..7].iter().fold(0u32, |sum, word| sum.wrapping_sub(*word));
    for (slot, word) in image.as_chunks_mut().0.iter_mut().zip(words) {
        *slot = word.to_le_bytes();
    }
    finish(&mut image);
    image
}

fn finish(image: &mut [u8]) {
    let end = image.len() - 4;
    let crc = crc32fast::hash(&image[..end]);
    image[end..].copy_from_slice(&crc.to_le_bytes());
}

/// `image` as Intel HEX from `base` on.
fn hex(image: &[u8], base: u32) -> Vec<u8> {
    let mut text = String::new();
    let mut record = |kind: u8, address: u16, data: &[u8]| {
        let mut bytes = vec![data.len() as u8, (address >> 8) as u8, address as u8, kind];
        bytes.extend(data);
        bytes.push(bytes.iter().fold(0u8, |sum, &byte| sum.wrapping_sub(byte)));
        text.push(':');
        bytes.iter().for_each(|byte| text.push_str(&format!("{byte:02X}")));
        text.push('\n');
    };
    let mut upper = None;
    for (i, data) in image.chunks(16).enumerate() {
        let address = base + i as u32 * 16;
        if upper.replace(address >> 16) != Some(address >> 16) {
            record(4, 0, &((address >> 16) as u16).to_be_bytes());
        }
        record(0, address as u16, data);
    }
    record(1, 0, &[]);
    text.into_bytes()
}

fn drop_file(host: &mut Host<Powered>, name: &str, file: &[u8]) -> Copied {
    host.drive().expect("a drive").copy(name, file, WriteOrder::LinuxUmount).expect("the drive comes back")
}

/// Writes a file after which the device goes away; whether it does.
fn drop_and_lose(host: &mut Host<Powered>, name: &str, file: &[u8]) -> bool {
    let copied = host.drive().expect("a drive").copy(name, file, WriteOrder::LinuxUmount);
    assert!(copied.is_err(), "{copied:?}");
    host.wait_gone(Span::secs(5))
}

fn details(host: &mut Host<Powered>) -> String {
    let mut drive = host.drive().expect("a drive");
    drive.wait_ready(Span::secs(5)).expect("a medium");
    let text = drive.read_file("DETAILS.TXT").expect("reads").expect("there is one");
    String::from_utf8(text).expect("text")
}

pub fn label(host: &mut Host<Powered>) -> String {
    const ROOT: u32 = 131;
    let mut drive = host.drive().expect("a drive");
    drive.wait_ready(Span::secs(5)).expect("a medium");
    String::from_utf8_lossy(&drive.read_sectors(ROOT, 1).expect("reads")[..11]).into_owned()
}

/// What the native bootloader has written, whether it still runs or has handed over.
pub fn written(host: &mut Host<Powered>, chip: &InterfaceChip) -> Option<Vec<u8>> {
    if let Some(relay) = &host.machine().relay {
        let flash = relay.lock().flash()?;
        return Some(flash[chip.interface.start as usize..chip.interface.end as usize].to_vec());
    }
    let native = host.machine().daplink().expect("native").clone();
    let native = native.lock();
    native.settings().with_interface(|flash| match flash {
        InterfaceFlash::Native => None,
        InterfaceFlash::Written(bytes) => Some(bytes.clone()),
    })
}

#[test]
fn with_the_reset_button_held_at_power_on_the_bootloader_stays() {
    for (name, ids, power) in [
        ("microbit-v1", "00000000 97969901", 250),
        ("microbit-v2.00", "99030000 9796990b", 150),
        ("microbit-v2", "99050000 6e052820", 250),
    ] {
        let mut host = maintenance(name);
        let found = host.device().expect("enumerated").clone();
        let device = &found.device;
        assert_eq!((device.id_vendor, device.id_product, device.bcd_usb), (0x0d28, 0x0204, 0x0110), "{name}");
        assert_eq!((device.class, device.sub_class, device.protocol), (0, 0, 0));
        assert_eq!(found.product, "DAPLink CMSIS-DAP");
        assert_eq!(format!("{} {}", &found.serial[..8], &found.serial[40..]), ids);
        let configuration = &found.configurations[0];
        assert_eq!((found.raw_configurations[0].len(), configuration.max_power), (32, power));
        let interfaces: Vec<_> = configuration.interfaces.iter().map(|i| (i.class, i.sub_class, i.protocol)).collect();
        assert_eq!(interfaces, [(0x08, 0x06, 0x50)]);
        assert_eq!(label(&mut host), "MAINTENANCE");
        let text = details(&mut host);
        assert!(text.contains("Daplink Mode: Bootloader\r\nBootloader Version: "), "{text}");
        assert!(text.contains("USB Interfaces: MSD\r\n"), "{text}");
        let page = host.drive().expect("a drive").read_file("HELP_FAQ.HTM").expect("reads");
        assert!(page.is_some_and(|page| page.starts_with(b"<!doctype html>")));
        // A press of the button reaches no target and ends nothing.
        host.machine().press("reset", true).expect("a button");
        host.sleep(Span::ms(200));
        host.machine().release_reset();
        host.sleep(Span::ms(500));
        assert!(host.is_present());
        host.machine().power_cycle();
        assert!(host.wait_gone(Span::secs(1)));
        host.enumerate().expect("comes back");
        assert!(details(&mut host).contains("Daplink Mode: Interface\r\n"));
    }
}

#[test]
fn start_bl_act_leads_into_the_bootloader_and_start_if_act_out_of_it() {
    let mut host = built_in("microbit-v1");
    assert!(drop_and_lose(&mut host, "START_BL.ACT", b"x"));
    let gone = host.now();
    host.enumerate().expect("comes back");
    // One second besides the usual delay, so that the host has seen it go.
    assert!(host.now().since(gone) > Span::ms(1_900), "{:?}", host.now().since(gone));
    assert_eq!(label(&mut host), "MAINTENANCE");
    assert!(drop_and_lose(&mut host, "START_IF.ACT", b"x"));
    host.enumerate().expect("comes back");
    assert_eq!(label(&mut host), "MICROBIT   ");
    assert!(details(&mut host).contains("Daplink Mode: Interface\r\n"));
}

#[test]
fn without_automation_start_bl_act_wants_the_reset_button() {
    // Boards are sold with automation switched off.
    let mut host = built_in("microbit-v2");
    let copied = drop_file(&mut host, "START_BL.ACT", b"x");
    assert!(host.is_present() && !copied.remounted, "{copied:?}");
    let mut host = built_in("microbit-v2");
    host.machine().press("reset", true).expect("a button");
    assert!(drop_and_lose(&mut host, "START_BL.ACT", b"x"));
    host.enumerate().expect("comes back");
    host.machine().release_reset();
    assert_eq!(label(&mut host), "MAINTENANCE");
}

#[test]
fn interface_images_of_every_build_are_flashed_and_started() {
    // What an emulated chip makes of them is nothing: they are made of numbers.
    for (name, chip) in BOARDS {
        let full = image(chip, Role::Interface);
        let mut legacy = full.clone();
        legacy[0x1c..0x2c].fill(0);
        finish(&mut legacy);
        let files = [
            ("IF_CRC.HEX", hex(&full, 0x8000), &full),
            ("IF_CRC.BIN", full.clone(), &full),
            ("LEGACY.BIN", legacy.clone(), &legacy),
            ("LEGACY.HEX", hex(&legacy, 0x8000), &legacy),
        ];
        for (file, bytes, expected) in files {
            let mut host = maintenance(name);
            assert!(drop_and_lose(&mut host, file, &bytes), "{name}, {file}");
            assert!(written(&mut host, chip).as_ref() == Some(expected), "{name}, {file}");
        }
    }
}

#[test]
fn firmware_of_another_maker_may_end_anywhere() {
    let mut host = maintenance("microbit-v1");
    let mut short = image(&KL26Z, Role::Interface);
    short.truncate(5_000);
    short[0x1c..0x2c].fill(0);
    assert!(drop_and_lose(&mut host, "OTHER.BIN", &short));
    let flash = written(&mut host, &KL26Z).expect("written");
    assert!(flash.starts_with(&short[..5_000]) && flash[5_120..].iter().all(|&byte| byte == 0xff));
}

#[test]
fn what_is_no_interface_image_is_refused_with_the_words_of_this_mode() {
    for (name, chip) in BOARDS {
        let interface = image(chip, Role::Interface);
        let bootloader = image(chip, Role::Bootloader);
        let cases = [
            ("TARGET.HEX", hex(&interface[..1_000], 0), Error::InterfaceUpdateAddress),
            ("EARLY.HEX", hex(&interface, 0x5000), Error::InterfaceUpdateAddress),
            ("BL.HEX", hex(&bootloader, 0), Error::UnsupportedUpdate),
            ("BL.BIN", bootloader, Error::UnsupportedUpdate),
        ];
        let mut host = maintenance(name);
        for (file, bytes, error) in cases {
            let copied = drop_file(&mut host, file, &bytes);
            assert_eq!(copied.fail, Some(error.fail_txt()), "{name}, {file}");
            assert_eq!(written(&mut host, chip), None, "nothing was erased");
        }
        assert_eq!(label(&mut host), "MAINTENANCE");
    }
}

#[test]
fn an_image_that_ends_before_its_place_does_is_incomplete() {
    // `_if.bin`, as it was linked: DAPLink's build key, but not padded.
    let mut host = maintenance("microbit-v1");
    let mut bare = image(&KL26Z, Role::Interface)[..50_000].to_vec();
    bare[0x1c..0x20].fill(0);
    let copied = drop_file(&mut host, "IF.BIN", &bare);
    assert_eq!(copied.fail, Some(Error::IapUpdateIncomplete.fail_txt()));
    assert_eq!(label(&mut host), "MAINTENANCE");
}

#[test]
fn without_power_in_the_middle_of_erasing_the_bootloader_stays_until_an_image_is_whole() {
    let mut host = maintenance("microbit-v2");
    let full = image(&NRF52820, Role::Interface);
    // The first sector is on its way; the flash behind it is being erased.
    let start = host.now();
    let copied = host.drive().expect("a drive").copy_part("IF.BIN", &full, WriteOrder::LinuxDirect, 1);
    assert!(copied.is_ok(), "{copied:?}");
    assert!(written(&mut host, &NRF52820).is_none(), "nothing but the boot sector was written");
    let sector = &full[..512];
    host.drive().expect("a drive").write_sectors(1_000, sector).expect("is taken");
    assert!(host.now().since(start) > Span::secs(2), "23 pages take 87.5 ms each");
    host.machine().daplink().expect("native").lock().settings().with_interface(|flash| {
        // As far as it is when the power goes before the first word is programmed.
        if let InterfaceFlash::Written(bytes) = flash {
            bytes.fill(0xff);
        }
    });
    host.machine().power_cycle();
    assert!(host.wait_gone(Span::secs(1)));
    host.enumerate().expect("comes back without a finger on the button");
    assert_eq!(label(&mut host), "MAINTENANCE");
    let text = details(&mut host);
    assert!(!text.contains("Interface Version") && !text.contains("Interface CRC"), "{text}");
    assert!(drop_and_lose(&mut host, "IF.BIN", &full));
}

/// An official interface image, as a file and at its place in flash.
fn official(name: &str) -> Option<Vec<u8>> {
    crate::images::official(name)
}

#[test]
fn a_native_board_goes_on_as_the_emulated_chip_whose_image_it_was_dropped() {
    let Some(file) = official("0256_nrf52820_microbit_if_crc_5dd23001a7_gcc.hex") else { return };
    let Some(next) = official("0258-beta3_nrf52820_microbit_if_crc_0004198_gcc.hex") else { return };
    let mut host = maintenance("microbit-v2");
    let serial = host.device().expect("enumerated").serial.clone();
    assert!(drop_and_lose(&mut host, "0256.HEX", &file));
    let found = host.enumerate().expect("the official firmware enumerates").clone();
    assert_eq!((found.device.bcd_usb, found.configurations[0].interfaces.len()), (0x0210, 6));
    assert_eq!(found.serial[8..], serial[8..], "the same chip");
    let text = details(&mut host);
    assert!(text.contains("Interface Version: 0256\r\n") && text.contains("Build ID: "), "{text}");
    assert!(!text.contains("Bootloader Version"), "the native bootloader is none that it could read: {text}");
    // The settings of the native firmware are those of the chip.
    assert!(text.contains("Automation allowed: 0\r\n"), "{text}");
    assert!(host.machine().daplink().is_none(), "nothing of it is native now");

    // It programs its target.
    let demo = include_bytes!("../../firmware/nrf52833/demo.hex");
    let copied = drop_file(&mut host, "demo.hex", demo);
    assert!(copied.is_success(), "{copied:?}");
    host.sleep(Span::ms(300));
    let screen = host.machine().screen().expect("a matrix");
    let lit: Vec<String> =
        screen.lines().map(|line| line.chars().map(|c| if c == '0' { '.' } else { '#' }).collect()).collect();
    assert_eq!(lit, [".#.#.", "#####", "#####", ".###.", "..#.."]);

    // Without power and back, it is still there; with the button held, the bootloader is.
    host.machine().power_cycle();
    assert!(host.wait_gone(Span::secs(1)));
    host.enumerate().expect("comes back");
    assert!(details(&mut host).contains("Interface Version: 0256\r\n"));
    host.machine().press("reset", true).expect("a button");
    host.machine().power_cycle();
    assert!(host.wait_gone(Span::secs(1)));
    host.enumerate().expect("comes back");
    host.machine().release_reset();
    assert_eq!(label(&mut host), "MAINTENANCE");
    assert!(details(&mut host).contains("Interface Version: 0256\r\n"));
    assert!(drop_and_lose(&mut host, "0258.HEX", &next));
    host.enumerate().expect("the next firmware enumerates");
    assert!(details(&mut host).contains("Interface Version: 0258\r\n"));
}

#[test]
fn native_boards_with_a_kinetis_go_on_as_the_emulated_chip_too() {
    let v1: &[u8] = include_bytes!("../../firmware/nrf51822/demo.hex");
    let v2: &[u8] = include_bytes!("../../firmware/nrf52833/demo.hex");
    for (name, file, version, demo) in [
        ("microbit-v1", "0253_kl26z_microbit_0x8000.hex", "0253", v1),
        ("microbit-v2.00", "0258-beta3_kl27z_microbit_if_crc_0004198_gcc.hex", "0258", v2),
    ] {
        let Some(file) = official(file) else { continue };
        let says = format!("Interface Version: {version}\r\n");
        let mut host = maintenance(name);
        let serial = host.device().expect("enumerated").serial.clone();
        assert!(drop_and_lose(&mut host, "IF.HEX", &file), "{name}");
        let found = host.enumerate().expect("the official firmware enumerates").clone();
        assert_eq!(found.serial[8..], serial[8..], "{name}: the same chip");
        assert!(details(&mut host).contains(&says), "{name}");
        assert!(host.machine().daplink().is_none(), "nothing of it is native now");

        // It programs its target through its pins.
        let copied = drop_file(&mut host, "demo.hex", demo);
        assert!(copied.is_success(), "{name}: {copied:?}");
        host.sleep(Span::ms(500));
        let screen = host.machine().screen().expect("a matrix");
        let lit: String = screen.chars().map(|c| if c.is_ascii_digit() && c != '0' { '#' } else { c }).collect();
        assert_eq!(lit, "0#0#0\n#####\n#####\n0###0\n00#00\n", "{name}");

        // Without power and back, it is still there; with the button held, the bootloader is.
        host.machine().power_cycle();
        assert!(host.wait_gone(Span::secs(1)));
        host.enumerate().expect("comes back");
        assert!(details(&mut host).contains(&says), "{name}");
        host.machine().press("reset", true).expect("a button");
        host.machine().power_cycle();
        assert!(host.wait_gone(Span::secs(1)));
        host.enumerate().expect("comes back");
        host.machine().release_reset();
        assert_eq!(label(&mut host), "MAINTENANCE");
        assert!(drop_and_lose(&mut host, "IF.HEX", &file), "{name}");
        host.enumerate().expect("the firmware enumerates again");
    }
}
