//! Files that should not be dropped, and the drive afterwards: it says what was wrong, in the original's words, and
//! takes a good file next.

use twinboard_models::daplink::Error;
use twinboard_usbip::host::copy::{Copied, WriteOrder};
use twinboard_usbip::host::drive::DriveError;

use crate::bench::{Bench, hex, program};

/// Drops `file` in the way of each system in turn, on one board, and a good file after each.
fn drop_everywhere(name: &str, file: &[u8], check: impl Fn(&Bench, &Copied)) {
    let mut bench = Bench::new();
    for order in [WriteOrder::LinuxSync, WriteOrder::LinuxUmount, WriteOrder::Windows, WriteOrder::MacOs] {
        bench.flash.lock().clear();
        let copied = bench.host.drive().expect("a drive").copy(name, file, order).expect("copies");
        check(&bench, &copied);
        let good = hex(&program(3_000));
        let copied = bench.host.drive().expect("a drive").copy("good.hex", &good, order).expect("copies");
        assert!(copied.is_success(), "{order:?}: {copied:?}");
        assert_eq!(bench.programmed(), program(3_000));
    }
}

fn fails_with(error: Error) -> impl Fn(&Bench, &Copied) {
    move |_, copied| assert_eq!(copied.fail.as_deref(), Some(error.fail_txt().as_str()))
}

fn changes_nothing(bench: &Bench, _: &Copied) {
    assert!(bench.programmed().is_empty());
}

#[test]
fn a_wrong_checksum() {
    let mut file = hex(&program(2_000));
    file[200] = if file[200] == b'0' { b'1' } else { b'0' };
    drop_everywhere("app.hex", &file, fails_with(Error::HexChecksum));
}

#[test]
fn a_file_without_its_end_record_times_out() {
    // All of it has come, by the directory; but only an end record ends an Intel HEX stream.
    let file = hex(&program(4_000));
    let end = 1 + file.iter().skip(5_000).position(|&byte| byte == b'\n').expect("a line's end") + 5_000;
    drop_everywhere("app.hex", &file[..end], |bench, copied| {
        fails_with(Error::TransferTimeout)(bench, copied);
        let programmed = bench.programmed();
        assert!(programmed.len() > 1_500 && program(4_000).starts_with(&programmed));
    });
}

#[test]
fn a_file_that_ends_inside_a_record_has_a_wrong_checksum() {
    // The rest of the sector is zeros, which the parser takes for digits.
    let file = hex(&program(4_000));
    let line = file.iter().skip(5_000).position(|&byte| byte == b':').expect("a record") + 5_000;
    drop_everywhere("app.hex", &file[..line + 20], fails_with(Error::HexChecksum));
}

#[test]
fn addresses_that_descend_are_programmed_where_they_belong() {
    // 0254 and later take any order.
    let (low, high) = (program(512), vec![0x77; 512]);
    let mut file = String::from_utf8(hex(&low)).expect("text").replace(":00000001FF\n", "");
    let upper = String::from_utf8(hex(&high)).expect("text");
    let at_0x10000 = upper.replace(":020000040000FA\n", ":020000040001F9\n").replace(":00000001FF\n", "");
    file = at_0x10000 + &file + ":00000001FF\n";
    drop_everywhere("app.hex", file.as_bytes(), |bench, copied| {
        assert!(copied.is_success(), "{copied:?}");
        let flash = bench.flash.lock();
        assert!(low.iter().zip(0..).all(|(byte, address)| flash[&address] == *byte));
        assert!((0x1_0000..0x1_0200).all(|address| flash[&address] == 0x77));
    });
}

#[test]
fn a_text_file() {
    drop_everywhere("readme.txt", b"not a program\r\n", changes_nothing);
}

#[test]
fn a_binary_with_bad_vectors() {
    drop_everywhere("app.bin", &[0x12; 2_000], changes_nothing);
}

#[test]
fn a_blank_binary() {
    drop_everywhere("app.bin", &[0xff; 4_096], changes_nothing);
}

#[test]
fn an_empty_file() {
    drop_everywhere("app.hex", b"", changes_nothing);
}

#[test]
fn a_file_of_100_megabytes_is_cut_off_by_the_drives_64() {
    let mut bench = Bench::new();
    let file = vec![0x20; 100_000_000];
    let copied = bench.host.drive().expect("a drive").copy("big.txt", &file, WriteOrder::LinuxUmount).expect("copies");
    assert_eq!(copied.interrupted, Some(DriveError::NoSpace));
    assert!(copied.written > 60_000_000);
    let copied = bench.host.drive().expect("a drive").copy("good.hex", &hex(&program(3_000)), WriteOrder::LinuxSync);
    assert!(copied.expect("copies").is_success());
}
