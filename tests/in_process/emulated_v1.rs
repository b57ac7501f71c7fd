//! The micro:bit V1 with its interface chip emulated: official firmware for the KL26Z, unmodified.

use std::path::Path;

use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::report::Report;
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;
use twinboard_usbip::host::drive::DELAY_USE;
use twinboard_usbip::host::serial::LineCoding;

use crate::images::official;

const DEMO: &[u8] = include_bytes!("../../firmware/nrf51822/demo.hex");
const ECHO: &[u8] = include_bytes!("../../firmware/nrf51822/echo-115200.hex");

const IF_0234: &str = "0234_kl26z_microbit_0x8000.hex";
const IF_0241: &str = "0241_kl26z_microbit_0x8000.hex";
const IF_0249: &str = "0249_kl26z_microbit_0x8000.hex";
const IF_0253: &str = "0253_kl26z_microbit_0x8000.hex";
const BL_IF_0234: &str = "kl26z_bl_if_BL0233_IF0234.hex";

/// A board whose interface chip has the image `name` in its flash, enumerated; none if the image is not there.
fn board(name: &str) -> Option<Host<Powered>> {
    let image = Image::parse(Path::new(name), &official(name)?, BlockIds(&[]), 0).expect("an image");
    let start = if name == BL_IF_0234 { Start::Reset } else { Start::Handover(0x8000) };
    let interface = Some(InterfaceProgram { image: &image, start });
    let power = PowerOn { interface, ..PowerOn::default() };
    let mut host = Host::new(BoardFile::built_in("microbit-v1").expect("built in").power_on(&power).expect("a board"));
    host.enumerate().expect("enumerates");
    host.sleep(DELAY_USE);
    Some(host)
}

/// Nothing went wild, and nothing was accessed that has no model.
fn assert_covered(host: &mut Host<Powered>) {
    let Report { unmodelled, incidents } = host.machine().board.report();
    let of_interface: Vec<_> = unmodelled.iter().filter(|((place, _), _)| place.starts_with("kl26z")).collect();
    assert!(of_interface.is_empty() && incidents.is_empty(), "{of_interface:?} {incidents:?}");
}

/// What `version` says of itself (dossier "USB identity and descriptors").
fn introduces_itself(name: &str, bcd_usb: u16, product: &str, serial: (&str, &str), length: usize, interfaces: &[u8]) {
    let Some(mut host) = board(name) else { return };
    let found = host.device().expect("enumerated").clone();
    assert_eq!((found.device.id_vendor, found.device.id_product), (0x0d28, 0x0204));
    assert_eq!((found.device.bcd_usb, found.product.as_str()), (bcd_usb, product));
    assert!(found.serial.starts_with(serial.0) && found.serial.ends_with(serial.1), "{}", found.serial);
    assert_eq!((found.serial.len(), found.raw_configurations[0].len()), (48, length));
    let classes: Vec<_> = found.configurations[0].interfaces.iter().map(|i| i.class).collect();
    assert_eq!(classes, interfaces);
    assert_covered(&mut host);
}

#[test]
fn firmware_0253_introduces_itself_with_quotation_marks_around_its_product() {
    let product = "\"BBC micro:bit CMSIS-DAP\"";
    introduces_itself(IF_0253, 0x0210, product, ("99000000", "97969901"), 139, &[8, 2, 10, 3, 0xff]);
}

#[test]
fn firmware_0249_introduces_itself_without_them() {
    introduces_itself(IF_0249, 0x0210, "BBC micro:bit CMSIS-DAP", ("99000000", "97969901"), 139, &[8, 2, 10, 3, 0xff]);
}

#[test]
fn firmware_0241_has_no_webusb_yet() {
    introduces_itself(IF_0241, 0x0200, "DAPLink CMSIS-DAP", ("99000000", "97969901"), 130, &[8, 3, 2, 10]);
}

#[test]
fn firmware_0234_has_its_version_in_its_serial_number_and_no_iad() {
    introduces_itself(IF_0234, 0x0110, "MBED CMSIS-DAP", ("99000234", ""), 122, &[8, 3, 2, 10]);
}

/// What the demo shows.
const HEART: &str = "0#0#0\n#####\n#####\n0###0\n00#00\n";

/// The LED matrix, `#` where it is lit.
fn screen(host: &mut Host<Powered>) -> String {
    let screen = host.machine().screen().expect("a matrix");
    screen.chars().map(|c| if c.is_ascii_digit() && c != '0' { '#' } else { c }).collect()
}

/// The drive has a file that tells the version, programs are dropped on it, run, and talk to the host.
fn works(name: &str, version: &str) {
    let Some(mut host) = board(name) else { return };
    let mut drive = host.drive().expect("a drive");
    drive.wait_ready(Span::secs(5)).expect("a medium");
    let details = drive.read_file("DETAILS.TXT").expect("reads").expect("is there");
    let details = String::from_utf8_lossy(&details).into_owned();
    assert!(details.contains(version), "{details}");
    let copied = drive.copy("demo.hex", DEMO, WriteOrder::LinuxFlush).expect("copies");
    assert!(copied.is_success(), "{copied:?}");
    host.sleep(Span::ms(500));
    assert_eq!(screen(&mut host), HEART);
    assert!(
        host.drive().expect("a drive").copy("echo.hex", ECHO, WriteOrder::LinuxFlush).expect("copies").is_success()
    );
    let mut serial = host.serial().expect("a serial port");
    serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
    serial.read_for(Span::ms(100)).expect("is open");
    let text: Vec<u8> = (0..200u8).collect();
    serial.write(&text, Span::secs(2)).expect("is taken");
    assert_eq!(serial.read_until(&[199], Span::secs(2)).expect("is open"), text);
    serial.close();
    assert_covered(&mut host);
}

#[test]
fn firmware_0253_programs_and_talks() {
    works(IF_0253, "Interface Version: 0253");
}

#[test]
fn firmware_0234_without_a_settings_page_leaves_a_programmed_target_halted_until_the_button_is_pressed() {
    let Some(mut host) = board(IF_0234) else { return };
    let copied = host.drive().expect("a drive").copy("demo.hex", DEMO, WriteOrder::LinuxFlush).expect("copies");
    assert!(copied.is_success(), "{copied:?}");
    host.sleep(Span::ms(500));
    assert!(!screen(&mut host).contains('#'));
    for pressed in [true, false] {
        host.machine().press("reset", pressed).expect("a button");
        host.sleep(Span::ms(300));
    }
    host.sleep(Span::ms(500));
    assert_eq!(screen(&mut host), HEART);
}

#[test]
fn firmware_0234_behind_its_own_bootloader_programs_and_talks() {
    works(BL_IF_0234, "Version: 0234");
}
