//! The official interface firmware of the micro:bit V2.2x, unmodified, on an emulated nRF52820 and on the nRF52833 that a
//! limited run of these boards has instead: the image finds out by itself which of them it is on.

use std::path::Path;

use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered, listed_name};
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;
use twinboard_usbip::host::serial::LineCoding;

use crate::images::official;

/// An image, and how it writes its version.
const IMAGES: &[(&str, &str)] = &[
    ("0256_nrf52820_microbit_if_crc_5dd23001a7_gcc.hex", "0256"),
    ("0257_nrf52820_microbit_if_crc_c782a5ba90_gcc.hex", "0257"),
    ("0258-beta3_nrf52820_microbit_if_crc_0004198_gcc.hex", "0258"),
];
const DEMO: &[u8] = include_bytes!("../../firmware/nrf52833/demo.hex");
const ECHO_115200: &[u8] = include_bytes!("../../firmware/nrf52833/echo-115200.hex");
const GREETING: &[u8] = b"Hello from the micro:bit's nRF52833!\r\n";

/// Where a bootloader would hand over.
const INTERFACE: u32 = 0x8000;

/// The board of each interface chip, and how its serial number begins: board, family, FICR.INFO.PART (daplink.md, 1.3).
const BOARDS: [(&str, &str); 2] =
    [("microbit-v2.2", "9906360200052820"), ("microbit-v2.2-nrf52833", "9905360200052833")];

/// A micro:bit V2.2x with this interface image, enumerated. None, with the reason said, if there is no such image.
fn board(board: &str, name: &str) -> Option<Host<Powered>> {
    let file = BoardFile::built_in(board).expect("built in");
    let image = Image::parse(Path::new(name), &official(name)?, BlockIds(&[]), INTERFACE).expect("an image");
    let program = InterfaceProgram { image: &image, start: Start::Handover(INTERFACE) };
    let powered = file.power_on(&PowerOn { interface: Some(program), ..PowerOn::default() }).expect("a board");
    let mut host = Host::new(powered);
    host.enumerate().expect("enumerates");
    Some(host)
}

/// Runs `f` on a board for each image that is there.
fn each(f: impl Fn(&str, &mut Host<Powered>)) {
    for ((image, version), (on, _)) in IMAGES.iter().flat_map(|image| BOARDS.map(|board| (image, board))) {
        if let Some(mut host) = board(on, image) {
            f(version, &mut host);
        }
    }
}

/// daplink.md, sections 1.1 to 1.4: versions 0256 and later.
#[test]
fn it_enumerates_with_the_descriptors_of_its_version() {
    each(|version, host| {
        let board = host.machine().name.clone();
        let (_, start) = BOARDS.iter().find(|(name, _)| listed_name(name) == board).expect("one of these");
        let found = host.device().expect("enumerated");
        let device = &found.device;
        assert_eq!((device.id_vendor, device.id_product, device.bcd_usb), (0x0d28, 0x0204, 0x0210), "{version}");
        assert_eq!((device.class, device.sub_class, device.protocol), (0xef, 0x02, 0x01));
        assert_eq!((found.manufacturer.as_str(), found.product.as_str()), ("Arm", "BBC micro:bit CMSIS-DAP"));
        assert_eq!(&found.serial[..16], *start, "{version}");
        assert_eq!((found.serial.len(), &found.serial[32..]), (48, "000000006e052820"), "{version}: HIC id");
        assert_eq!(found.raw_configurations[0].len(), 162);
        let configuration = &found.configurations[0];
        assert_eq!((configuration.attributes, configuration.max_power), (0x80, 250));
        let interfaces: Vec<_> = configuration.interfaces.iter().map(|i| (i.class, i.sub_class, i.string)).collect();
        assert_eq!(interfaces, [(8, 6, 8), (2, 2, 4), (10, 0, 5), (3, 0, 6), (0xff, 3, 7), (0xff, 0, 9)]);
    });
}

#[test]
fn its_drive_has_its_own_details() {
    each(|version, host| {
        let details = host.drive().expect("a drive").read_file("DETAILS.TXT").expect("reads").expect("is there");
        let details = String::from_utf8_lossy(&details);
        assert!(details.contains(&format!("Interface Version: {version}\r\n")), "{details}");
        assert!(details.contains("HIC ID: 6E052820") || details.contains("HIC ID: 6e052820"), "{details}");
    });
}

#[test]
fn a_dropped_program_goes_through_its_pins_into_the_targets_flash_and_runs() {
    each(|version, host| {
        let copied = host.drive().expect("a drive").copy("demo.hex", DEMO, WriteOrder::LinuxFlush).expect("copies");
        assert!(copied.is_success(), "{version}: {copied:?}");
        let mut serial = host.serial().expect("a serial port");
        serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
        serial.send_break(Span::ms(250)).expect("breaks");
        let said = serial.read_until(GREETING, Span::secs(2)).expect("reads");
        assert!(said.ends_with(GREETING), "{version}: {:?}", String::from_utf8_lossy(&said));
    });
}

#[test]
fn its_serial_port_carries_bytes_both_ways_at_115200_baud() {
    each(|version, host| {
        let copied = host.drive().expect("a drive").copy("echo.hex", ECHO_115200, WriteOrder::LinuxFlush);
        assert!(copied.expect("copies").is_success());
        let mut serial = host.serial().expect("a serial port");
        serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
        serial.read_for(Span::ms(300)).expect("what was said before");
        let text: Vec<u8> = (0..200).collect();
        serial.write(&text, Span::secs(2)).expect("is taken");
        assert_eq!(serial.read_until(&[199], Span::secs(2)).expect("is open"), text, "{version}");
    });
}

#[test]
fn it_answers_debuggers_over_hid_over_webusb_and_over_bulk() {
    each(|version, host| {
        for interface in 0..3 {
            let dap = match interface {
                0 => host.dap_v1(),
                1 => host.dap_v2(),
                _ => host.dap_web(),
            };
            let mut dap = dap.expect("a probe");
            assert_eq!(dap.info_string(9), Ok(version.into()), "{interface}: product firmware version");
            let mut adi = dap.adi();
            assert_eq!(adi.connect(), Ok(0x2ba0_1477), "{version} {interface}");
            adi.reset_and_halt().expect("halts");
            adi.write_words(0x2000_0000, &[0x1234_5678, 0x9abc_def0]).expect("writes");
            assert_eq!(adi.read_words(0x2000_0000, 2), Ok(vec![0x1234_5678, 0x9abc_def0]), "{version} {interface}");
            assert_eq!(adi.read_word(0x1000_0100), Ok(0x52833), "{version} {interface}");
            adi.disconnect().expect("disconnects");
        }
    });
}

#[test]
fn it_meets_nothing_that_is_not_modelled() {
    each(|version, host| {
        let copied = host.drive().expect("a drive").copy("demo.hex", DEMO, WriteOrder::LinuxFlush).expect("copies");
        assert!(copied.is_success());
        let report = host.machine().board.report();
        assert!(report.unmodelled.is_empty() && report.incidents.is_empty(), "{version}: {report:?}");
    });
}

#[test]
fn it_comes_back_when_the_cable_is_plugged_in_again() {
    each(|version, host| {
        let before = host.device().expect("enumerated").serial.clone();
        host.unplug();
        host.sleep(Span::secs(1));
        assert!(!host.is_present(), "{version}");
        host.enumerate().expect("enumerates");
        assert_eq!(host.device().expect("enumerated").serial, before, "{version}");
    });
}
