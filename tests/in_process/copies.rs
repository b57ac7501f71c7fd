//! Files dropped on the drive, in the order in which each operating system writes.

use twinboard_sim::time::Span;
use twinboard_usbip::host::copy::WriteOrder;

use crate::bench::{Bench, hex, program};

#[test]
fn a_hex_file_is_programmed_whatever_system_copies_it() {
    let program = program(20_000);
    // Users reported that these do not end well; the library's scenarios have what comes of them.
    let bad = [WriteOrder::MacOsVenturaFinder, WriteOrder::MacOsSequoia, WriteOrder::WindowsIndexer];
    for order in WriteOrder::ALL.into_iter().filter(|order| !bad.contains(order)) {
        let mut bench = Bench::new();
        let copied = bench.host.drive().expect("a drive").copy("app.hex", &hex(&program), order).expect("copies");
        assert!(copied.is_success(), "{order:?}: {copied:?}");
        assert!(bench.programmed() == program, "{order:?}");
    }
}

#[test]
fn a_binary_is_programmed_and_padded_to_a_sector() {
    let program = program(5_000);
    let mut bench = Bench::new();
    let copied = bench.host.drive().expect("a drive").copy("app.bin", &program, WriteOrder::LinuxFlush);
    assert!(copied.expect("copies").is_success());
    assert_eq!(bench.programmed()[..5_000], program);
}

#[test]
fn the_drive_comes_back_three_seconds_after_a_copy_and_takes_the_next() {
    let mut bench = Bench::new();
    for length in [3_000, 1_000] {
        let program = program(length);
        let copied = bench.host.drive().expect("a drive").copy("app.hex", &hex(&program), WriteOrder::LinuxSync);
        let copied = copied.expect("copies");
        assert!((Span::ms(2_900)..Span::ms(3_600)).contains(&copied.settling), "{copied:?}");
        assert_eq!(bench.programmed(), program);
    }
}

#[test]
fn an_interrupted_copy_fails_after_20_seconds_and_the_next_one_works() {
    let mut bench = Bench::new();
    let file = hex(&program(50_000));
    let mut drive = bench.host.drive().expect("a drive");
    let copied = drive.copy_part("app.hex", &file, WriteOrder::LinuxSync, 40_000).expect("stops half-way");
    assert!(copied.settling > Span::secs(20));
    let text = copied.fail.expect("FAIL.TXT");
    assert!(text.starts_with("error: ") && text.ends_with("type: transient, user\r\n"), "{text}");
    let copied = drive.copy("app.hex", &file, WriteOrder::LinuxSync).expect("copies");
    assert!(copied.is_success());
    assert_eq!(bench.programmed(), program(50_000));
}

#[test]
fn a_wrong_checksum_is_told_in_fail_txt() {
    let mut bench = Bench::new();
    let mut file = hex(&program(1_000));
    file[200] = if file[200] == b'0' { b'1' } else { b'0' };
    let copied = bench.host.drive().expect("a drive").copy("app.hex", &file, WriteOrder::Windows).expect("copies");
    let text = copied.fail.expect("FAIL.TXT");
    assert!(text.to_lowercase().contains("checksum"), "{text}");
}
