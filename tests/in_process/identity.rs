//! What the board says it is, against the tables of the original firmware (0257 on a micro:bit V2.2).

use twinboard_models::board::{BUILT_IN, BoardFile, PowerOn};
use twinboard_sim::time::Span;
use twinboard_usbip::descriptor::TransferType;
use twinboard_usbip::host::Host;

use crate::bench::Bench;

#[test]
fn the_device_is_an_arm_mbed_with_six_interfaces_in_the_originals_order() {
    let bench = Bench::new();
    let found = bench.host.device().expect("enumerated");
    let device = &found.device;
    assert_eq!((device.id_vendor, device.id_product, device.bcd_usb), (0x0d28, 0x0204, 0x0210));
    assert_eq!((device.class, device.sub_class, device.protocol), (0xef, 0x02, 0x01));
    assert_eq!((found.manufacturer.as_str(), found.product.as_str()), ("Arm", "BBC micro:bit CMSIS-DAP"));
    assert!(found.serial.starts_with("99063602") && found.serial.ends_with("6e052820") && found.serial.len() == 48);
    assert_eq!(found.raw_configurations[0].len(), 162);
    let configuration = &found.configurations[0];
    assert_eq!((configuration.attributes, configuration.max_power), (0x80, 250));
    let interfaces: Vec<_> =
        configuration.interfaces.iter().map(|i| (i.number, i.class, i.sub_class, i.protocol)).collect();
    assert_eq!(
        interfaces,
        [
            (0, 0x08, 0x06, 0x50),
            (1, 0x02, 0x02, 0x01),
            (2, 0x0a, 0, 0),
            (3, 0x03, 0, 0),
            (4, 0xff, 0x03, 0),
            (5, 0xff, 0, 0)
        ]
    );
    let endpoints: Vec<_> = configuration
        .interfaces
        .iter()
        .flat_map(|i| &i.endpoints)
        .map(|e| (e.address, e.transfer, e.max_packet_size, e.interval))
        .collect();
    use TransferType::{Bulk, Interrupt};
    assert_eq!(
        endpoints,
        [
            (0x82, Bulk, 64, 0),
            (0x02, Bulk, 64, 0),
            (0x83, Interrupt, 16, 32),
            (0x04, Bulk, 64, 0),
            (0x84, Bulk, 64, 0),
            (0x81, Interrupt, 64, 1),
            (0x01, Interrupt, 64, 1),
            (0x05, Bulk, 64, 0),
            (0x85, Bulk, 64, 0)
        ]
    );
}

#[test]
fn pulling_the_cable_and_plugging_it_in_again_finds_the_same_board() {
    let mut bench = Bench::new();
    let before = bench.host.device().expect("enumerated").clone();
    bench.host.unplug();
    assert!(bench.host.device().is_err());
    bench.host.sleep(Span::ms(500));
    assert_eq!(bench.host.enumerate().expect("enumerates again"), &before);
}

#[test]
fn the_drive_introduces_itself_and_has_the_originals_files() {
    let mut bench = Bench::new();
    let mut drive = bench.host.drive().expect("a drive");
    let inquiry = drive.inquiry().expect("answers");
    assert_eq!((inquiry[0], inquiry[1] & 0x80, &inquiry[8..]), (0, 0x80, &b"MBED    VFS             0.1 "[..]));
    drive.wait_ready(Span::secs(5)).expect("a medium");
    assert_eq!(drive.capacity(), Ok(131_200));
    let details = drive.read_file("DETAILS.TXT").expect("reads").expect("there is one");
    let details = String::from_utf8(details).expect("text");
    assert!(details.contains("Interface Version: 0257\r\n"), "{details}");
    assert!(details.contains("USB Interfaces: MSD, CDC, HID, WebUSB\r\n"));
    assert_eq!(drive.read_file("FAIL.TXT"), Ok(None));
}

#[test]
fn boards_of_a_kind_have_different_serial_numbers() {
    for (name, _) in BUILT_IN {
        let file = BoardFile::built_in(name).expect("built in");
        let serial = |specimen| {
            let mut host = Host::new(file.power_on(&PowerOn { specimen, ..PowerOn::default() }).expect("a board"));
            host.enumerate().expect(name);
            host.device().expect("enumerated").serial.clone()
        };
        assert_ne!(serial(0), serial(1), "{name}");
    }
}
