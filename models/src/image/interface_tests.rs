use std::path::Path;

use proptest::prelude::*;

use super::interface::{BuildInfo, Firmware, InterfaceChip, InterfaceFile, KL26Z, KL27Z, NRF52820, Role};
use super::{Segment, Start, known};

/// An image with the build information of `post_build_script.py`: sum, key, HIC id, version, and the CRC at the end.
fn build(chip: &InterfaceChip, role: Role, length: usize) -> Vec<u8> {
    let mut image: Vec<u8> = (0..length).map(|i| (i * 31 % 253) as u8).collect();
    let base = role.base();
    let key = if role == Role::Interface { 0x9b93_9e8f } else { 0x9b93_9d93 };
    let mut words = [chip.ram.end, base + 0x101, base + 0x103, base + 0x105, 0, 0, 0, 0, key, chip.hic_id, 253];
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

fn file(name: &str, bytes: &[u8]) -> InterfaceFile {
    InterfaceFile::parse(Path::new(name), bytes).expect("a binary is always an image")
}

fn texts(name: &str, bytes: &[u8], chip: &InterfaceChip) -> Vec<String> {
    file(name, bytes).problems(chip).iter().map(ToString::to_string).collect()
}

#[test]
fn a_finished_build_says_what_it_is_and_fits_its_chip() {
    for chip in [&KL26Z, &KL27Z, &NRF52820] {
        for (role, length) in [(Role::Interface, chip.interface.len()), (Role::Bootloader, 0x8000)] {
            let image = file("x.bin", &build(chip, role, length));
            assert_eq!(image.problems(chip), [], "{chip:?}, {role:?}");
            assert_eq!(image.image.segments[0].address, role.base());
            let info = image.info(role).expect("a vector table");
            assert_eq!((info.key, info.hic_id, info.version, info.sum), (Some(role), chip.hic_id, 253, 0));
        }
    }
}

#[test]
fn an_image_for_another_chip_is_said() {
    let image = build(&KL27Z, Role::Interface, 0x1000);
    assert_eq!(
        texts("kl27.bin", &image, &KL26Z),
        [
            "kl27.bin: at 0x00008000: stack pointer 0x20006000: an address in the KL26Z's RAM (0x1ffff000 to 0x20003000) was expected",
            "kl27.bin: at 0x00008024: the image is for KL27Z (HIC id 9796990b), the board has a KL26Z (97969901)",
        ]
    );
}

#[test]
fn a_damaged_image_is_said_with_its_place() {
    let mut image = build(&KL26Z, Role::Interface, 0x1000);
    image[0x200] ^= 1;
    let crc = texts("x.bin", &image, &KL26Z);
    assert_eq!(crc.len(), 1);
    assert!(crc[0].starts_with("x.bin: at 0x00008ffc: CRC-32 0x"), "{crc:?}");
    image[0x200] ^= 1;
    let word = u32::from_le_bytes([image[0x1c], image[0x1d], image[0x1e], image[0x1f]]);
    image[0x1c..0x20].copy_from_slice(&word.wrapping_add(1).to_le_bytes());
    finish(&mut image);
    let sum = texts("x.bin", &image, &KL26Z);
    assert_eq!(sum, ["x.bin: at 0x0000801c: the first eight words sum to 0x00000001, zero was expected"]);
}

#[test]
fn builds_without_sum_crc_or_any_information_are_as_good() {
    // `_if.bin`: as it was linked.
    let mut raw = build(&NRF52820, Role::Interface, 0x1001);
    raw[0x1c..0x20].fill(0);
    assert_eq!(texts("raw.bin", &raw, &NRF52820), [""; 0]);
    // `_legacy_0x8000`: without sum, key, id and version, but with a CRC.
    let mut legacy = build(&KL26Z, Role::Interface, 0x1000);
    legacy[0x1c..0x2c].fill(0);
    finish(&mut legacy);
    assert_eq!(texts("legacy.bin", &legacy, &KL26Z), [""; 0]);
    let info = BuildInfo::parse(&legacy).expect("a vector table");
    assert_eq!((info.key, info.hic_id, info.version), (None, 0, 0));
    // `_legacy_0x5000`: the vector table, nothing up to 0x8000, and the legacy image.
    let mut early = legacy[..0x40].to_vec();
    early.resize(0x3000, 0xff);
    early.extend_from_slice(&legacy);
    let early = file("early.bin", &early);
    assert_eq!(early.image.segments[0].address, 0x5000);
    assert_eq!(early.problems(&KL26Z), []);
}

#[test]
fn a_file_that_is_no_firmware_is_said() {
    assert_eq!(
        texts("x.bin", b"#!/bin/sh\n", &KL26Z),
        ["x.bin: a vector table at 0x0 (bootloader or full image) or at 0x8000 (interface) was expected"]
    );
    let large = vec![0xff; 0x2_0001];
    assert!(texts("x.bin", &large, &KL26Z)[0].ends_with("the flash of the KL26Z goes from 0x0 to 0x1ffff"));
    let mut wrong = build(&KL26Z, Role::Interface, 0x400);
    wrong[4..8].copy_from_slice(&0x8100u32.to_le_bytes());
    assert!(texts("x.bin", &wrong, &KL26Z).iter().any(|text| {
        text == "x.bin: at 0x00008004: reset vector 0x00008100: an odd address in 0x8000 to 0x1fc00 was expected"
    }));
}

#[test]
fn a_bootloader_where_the_interface_belongs_is_said() {
    let mut image = build(&KL26Z, Role::Interface, 0x400);
    image[0x20..0x24].copy_from_slice(&0x9b93_9d93u32.to_le_bytes());
    image[0x1c..0x20].fill(0);
    let said = texts("x.bin", &image, &KL26Z);
    assert_eq!(said, ["x.bin: at 0x00008020: the build key of a bootloader, where the interface firmware belongs"]);
}

#[test]
fn bootloader_and_interface_become_one_image_that_starts_at_reset() {
    let interface = file("if.bin", &build(&KL26Z, Role::Interface, 0x1000));
    let alone = Firmware::merge(std::slice::from_ref(&interface), &KL26Z);
    assert_eq!((alone.start, &alone.image, &alone.problems[..]), (Start::Handover(0x8000), &interface.image, &[][..]));
    let bootloader = file("bl.bin", &build(&KL26Z, Role::Bootloader, 0x7c00));
    let both = Firmware::merge(&[bootloader, interface.clone()], &KL26Z);
    assert_eq!((both.start, &both.problems[..]), (Start::Reset, &[][..]));
    let places: Vec<_> = both.image.segments.iter().map(|s| (s.address, s.bytes.len())).collect();
    assert_eq!(places, [(0, 0x7c00), (0x8000, 0x1000)]);
}

#[test]
fn two_files_with_data_at_the_same_place_are_both_named() {
    let mut full = build(&KL26Z, Role::Bootloader, 0x8000);
    full.extend(build(&KL26Z, Role::Interface, 0x1000));
    let (full, interface) = (file("full.bin", &full), file("if.bin", &build(&KL26Z, Role::Interface, 0x2000)));
    assert_eq!(full.problems(&KL26Z), []);
    let both = Firmware::merge(&[full.clone(), interface.clone()], &KL26Z);
    let said: Vec<_> = both.problems.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["if.bin: at 0x00008000: full.bin has data there, too"]);
    let [Segment { address: 0, bytes }] = &both.image.segments[..] else { panic!("{:?}", both.image) };
    assert!(bytes[..0x9000] == full.image.segments[0].bytes[..]);
    assert!(bytes[0x9000..] == interface.image.segments[0].bytes[0x1000..]);
}

#[test]
fn every_official_interface_image_fits_its_chip_and_no_other() {
    let found = known::check(&known::folder()).expect("a folder");
    for (known, finding) in found {
        let (Some(chip), known::Finding::Present(path)) = (InterfaceChip::of(known.chip), finding) else {
            println!("skipped {}: not in {}, or not for an interface chip", known.file, known::folder().display());
            continue;
        };
        if known.role == "target" {
            continue;
        }
        let image = InterfaceFile::load(&path).expect("an image");
        assert_eq!(image.problems(chip), [], "{}", known.file);
        let info = image.info(Role::Interface).expect("interface firmware");
        // 0234 does not know its own version.
        let version = known.version[..4].parse().expect("digits");
        assert_eq!(info.version, if version == 234 { 0 } else { version }, "{}", known.file);
        assert_eq!(image.info(Role::Bootloader).is_some(), known.role == "bootloader+interface", "{}", known.file);
        for other in [&KL26Z, &KL27Z, &NRF52820] {
            assert_eq!(image.problems(other).is_empty(), other == chip, "{} on {other:?}", known.file);
        }
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(files: Vec<Vec<u8>>, hex: bool) {
        let files: Vec<_> = files.iter().filter_map(|bytes| {
            let mut bytes = bytes.clone();
            if hex { bytes.insert(0, b':'); }
            InterfaceFile::parse(Path::new("x"), &bytes).ok()
        }).collect();
        for chip in [&KL26Z, &KL27Z, &NRF52820] {
            let firmware = Firmware::merge(&files, chip);
            let ends = firmware.image.segments.windows(2).all(|pair| {
                u64::from(pair[0].address) + (pair[0].bytes.len() as u64) < u64::from(pair[1].address)
            });
            prop_assert!(ends);
        }
    }

    #[test]
    fn of_overlapping_files_every_byte_is_there_once(places in prop::collection::vec((0u32..200, 1usize..50), 1..6)) {
        let files: Vec<_> = places.iter().enumerate().map(|(number, (address, length))| {
            let mut file = file("x", &[0; 4]);
            file.image.segments = vec![Segment { address: *address, bytes: vec![number as u8; *length] }];
            file
        }).collect();
        let merged = Firmware::merge(&files, &KL26Z).image;
        for address in 0..300 {
            let first = places.iter().position(|(start, length)| (*start..*start + *length as u32).contains(&address));
            let there = super::interface::at(&merged, address).and_then(|bytes| bytes.first().copied());
            prop_assert_eq!(there, first.map(|number| number as u8));
        }
    }
}
