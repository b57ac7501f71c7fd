use twinboard_sim::fault::{Fault, Plan};

use super::*;
use crate::image::interface::KL26Z;

/// A flash with something that looks like firmware of version `version`, and a bootloader if `bootloader`.
fn flash(version: u32, bootloader: bool) -> Vec<u8> {
    let mut flash = vec![0xff; KL26Z.flash.len()];
    let mut put = |address: usize, word: u32| flash[address..address + 4].copy_from_slice(&word.to_le_bytes());
    for base in [Some(0x8000), bootloader.then_some(0)].into_iter().flatten() {
        put(base, 0x2000_3000);
        put(base + 4, base as u32 + 0x101);
    }
    for (offset, word) in [(0x20, 0x9b93_9e8f), (0x24, KL26Z.hic_id), (0x28, version), (0x200, SETTINGS_KEY)] {
        put(0x8000 + offset, word);
    }
    put(0x1_fc00, SETTINGS_KEY);
    flash
}

fn fault(name: &str, value: Option<u32>) -> SharedFault {
    let point = crate::fault::point(name).expect("a point");
    SharedFault::new(Fault::new("f", point, Params { value, ..Params::default() }, Plan::default(), 1))
}

fn damage(flash: &mut [u8], fault: &SharedFault) -> Option<Change> {
    let change = Contents::new(&KL26Z, flash).damage(Time::ZERO, fault)?;
    let (at, bytes) = (change.address as usize, change.bytes());
    flash[at..at + bytes.len()].copy_from_slice(&bytes);
    Some(change)
}

#[test]
fn a_word_makes_any_crc_of_any_bytes() {
    for (rest, wanted) in [(&b""[..], 0), (b"123456789", 0xcbf4_3926), (b"a longer one", u32::MAX), (&[0; 99], 1)] {
        let word = word_for_crc(rest, wanted).to_le_bytes();
        assert_eq!(crc32fast::hash(&[rest, &word].concat()), wanted);
    }
}

#[test]
fn a_crc_is_made_another_one_by_the_last_word_before_it() {
    let mut flash = flash(253, false);
    let fault = fault("firmware.crc", Some(0x1234_5678));
    let change = damage(&mut flash, &fault).expect("strikes");
    assert_eq!((change.address, change.words.len()), (0x1_fbf8, 1));
    assert_eq!(crc32fast::hash(&flash[0x8000..0x1_fbfc]), 0x1234_5678);
    let fault = fault.lock();
    let effect = &fault.record().evidence()[0].effect;
    assert!(effect.contains("the CRC of 0x00008000 to 0x0001fbfb is 0x12345678, not 0x"), "{effect}");
}

#[test]
fn one_bit_of_the_settings_key_reads_as_1_and_only_where_there_is_such_a_key() {
    let mut flash = flash(253, false);
    let change = damage(&mut flash, &fault("firmware.config", None)).expect("strikes");
    assert_eq!(change.address, 0x1_fc00);
    let [word] = change.words[..] else { panic!("{change:?}") };
    assert_eq!((word & SETTINGS_KEY, (word ^ SETTINGS_KEY).count_ones()), (SETTINGS_KEY, 1));
    let again = fault("firmware.config", None);
    assert_eq!(damage(&mut flash, &again), None);
    assert_eq!(again.lock().record().strikes(), 0);
}

#[test]
fn what_means_nothing_for_an_image_is_refused_with_the_reason() {
    let refuses = |flash: &[u8], point| Contents::new(&KL26Z, flash).refuses(point).unwrap_or_default();
    let whole = flash(241, true);
    for point in crate::fault::firmware::POINTS {
        assert_eq!(refuses(&whole, point.name), "", "{}", point.name);
        let blank = vec![0xff; KL26Z.flash.len()];
        assert_eq!(refuses(&blank, point.name), "the flash of its KL26Z is blank, so there is no firmware");
    }
    assert!(refuses(&flash(234, true), "firmware.assert").contains("from 0241 on"));
    assert!(refuses(&flash(253, false), "firmware.vectors").contains("does not have both a bootloader at 0x0"));
    let mut foreign = whole.clone();
    foreign[0x8200] = 0;
    assert!(refuses(&foreign, "firmware.config").contains("0x6b766c64"));
    let mut full = whole.clone();
    full[0x1_fbf8] = 0;
    assert!(refuses(&full, "firmware.crc").contains("0x0001fbf8"));
    let mut alone = whole;
    alone[0x8000..0x8008].fill(0xff);
    assert!(refuses(&alone, "firmware.crc").contains("no interface firmware at 0x8000"));
    assert_eq!(refuses(&alone, "firmware.hang"), "");
}
