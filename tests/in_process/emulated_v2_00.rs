//! The official interface firmware of the micro:bit V2.00, unmodified, on an emulated KL27Z.

use std::path::Path;

use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::report::Report;
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;
use twinboard_usbip::host::serial::LineCoding;

use crate::images::official;

/// Where a bootloader would hand over.
const INTERFACE: u32 = 0x8000;

/// An image: its name, where it begins, its version, and whether it came with a bootloader and its factory settings.
struct Firmware {
    name: &'static str,
    start: Start,
    version: &'static str,
    full: bool,
}

const IF_0255: Firmware = Firmware {
    name: "0255_kl27z_microbit_0x8000.hex",
    start: Start::Handover(INTERFACE),
    version: "0255",
    full: false,
};
const IF_0258: Firmware = Firmware {
    name: "0258-beta3_kl27z_microbit_if_crc_0004198_gcc.hex",
    start: Start::Handover(INTERFACE),
    version: "0258",
    full: false,
};
const FULL_0255: Firmware = Firmware {
    name: "kl27z_bl_0255_if_0255_microbit_full_image.bin",
    start: Start::Reset,
    version: "0255",
    full: true,
};

const DEMO: &[u8] = include_bytes!("../../firmware/nrf52833/demo.hex");
const ECHO_115200: &[u8] = include_bytes!("../../firmware/nrf52833/echo-115200.hex");
const GREETING: &[u8] = b"Hello from the micro:bit's nRF52833!\r\n";

/// A micro:bit V2.00 with this firmware, enumerated. None, with the reason said, if there is no such image.
fn board(firmware: &Firmware) -> Option<Host<Powered>> {
    let image = Image::parse(Path::new(firmware.name), &official(firmware.name)?, BlockIds(&[]), 0).expect("an image");
    let program = InterfaceProgram { image: &image, start: firmware.start };
    let file = BoardFile::built_in("microbit-v2.00").expect("built in");
    let powered = file.power_on(&PowerOn { interface: Some(program), ..PowerOn::default() }).expect("a board");
    let mut host = Host::new(powered);
    if let Err(error) = host.enumerate() {
        panic!("{}: {error}: {:?}", firmware.version, host.machine().board.report());
    }
    Some(host)
}

/// Nothing went wild, and nothing was accessed that has no model.
fn assert_covered(host: &mut Host<Powered>) {
    let Report { unmodelled, incidents } = host.machine().board.report();
    let of_interface: Vec<_> = unmodelled.iter().filter(|((place, _), _)| place.starts_with("kl27z")).collect();
    assert!(of_interface.is_empty() && incidents.is_empty(), "{of_interface:?} {incidents:?}");
}

/// daplink.md, sections 1.1 to 1.4.
fn introduces_itself(firmware: &Firmware, manufacturer: &str, product: &str) {
    let Some(mut host) = board(firmware) else { return };
    let found = host.device().expect("enumerated").clone();
    let device = &found.device;
    assert_eq!((device.id_vendor, device.id_product, device.bcd_usb), (0x0d28, 0x0204, 0x0210));
    assert_eq!((device.class, device.sub_class, device.protocol), (0xef, 0x02, 0x01));
    assert_eq!((found.manufacturer.as_str(), found.product.as_str()), (manufacturer, product));
    // The family, the unique id of this specimen, and the id of the interface chip.
    assert!(found.serial.starts_with("990") && found.serial[4..8] == *"3602", "{}", found.serial);
    assert_eq!((found.serial.len(), &found.serial[32..]), (48, "000000009796990b"), "{}", found.serial);
    assert_eq!(found.raw_configurations[0].len(), 162);
    let configuration = &found.configurations[0];
    assert_eq!((configuration.attributes, configuration.max_power), (0x80, 150));
    let interfaces: Vec<_> = configuration.interfaces.iter().map(|i| (i.class, i.sub_class, i.string)).collect();
    assert_eq!(interfaces, [(8, 6, 8), (2, 2, 4), (10, 0, 5), (3, 0, 6), (0xff, 3, 7), (0xff, 0, 9)]);
    assert_covered(&mut host);
}

#[test]
fn firmware_0255_introduces_itself_with_quotation_marks_around_its_product() {
    introduces_itself(&IF_0255, "ARM", "\"BBC micro:bit CMSIS-DAP\"");
}

#[test]
fn firmware_0258_introduces_itself_without_them() {
    introduces_itself(&IF_0258, "Arm", "BBC micro:bit CMSIS-DAP");
}

#[test]
fn the_full_image_starts_through_its_bootloader() {
    introduces_itself(&FULL_0255, "ARM", "\"BBC micro:bit CMSIS-DAP\"");
}

/// daplink.md, section 3.3: what its drive says of it.
fn has_details(firmware: &Firmware) {
    let Some(mut host) = board(firmware) else { return };
    let mut drive = host.drive().expect("a drive");
    drive.wait_ready(Span::secs(5)).expect("a medium");
    let details = drive.read_file("DETAILS.TXT").expect("reads").expect("is there");
    let details = String::from_utf8_lossy(&details).into_owned();
    assert!(details.contains(&format!("Interface Version: {}\r\n", firmware.version)), "{details}");
    assert_eq!(details.contains("Bootloader Version: 0255\r\n"), firmware.full, "{details}");
    // The factory's settings, or those that the firmware makes where there are none (section 3.5).
    let defaults = if firmware.full { ("0", "1") } else { ("1", "0") };
    assert!(details.contains(&format!("Automation allowed: {}\r\n", defaults.0)), "{details}");
    assert!(details.contains(&format!("Incompatible image detection: {}\r\n", defaults.1)), "{details}");
    assert!(details.to_lowercase().contains("hic id: 9796990b"), "{details}");
}

#[test]
fn each_firmwares_drive_has_its_own_details() {
    [IF_0255, IF_0258, FULL_0255].iter().for_each(has_details);
}

/// A program goes through the drive and the SWD pins into the target's flash, greets, and another one echoes.
fn programs_and_talks(firmware: &Firmware) {
    let Some(mut host) = board(firmware) else { return };
    let copied = host.drive().expect("a drive").copy("demo.hex", DEMO, WriteOrder::LinuxFlush).expect("copies");
    assert!(copied.is_success(), "{}: {copied:?}", firmware.version);
    let mut serial = host.serial().expect("a serial port");
    serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
    serial.send_break(Span::ms(250)).expect("breaks");
    let said = serial.read_until(GREETING, Span::secs(2)).expect("reads");
    assert!(said.ends_with(GREETING), "{}: {:?}", firmware.version, String::from_utf8_lossy(&said));
    serial.close();
    let copied = host.drive().expect("a drive").copy("echo.hex", ECHO_115200, WriteOrder::LinuxFlush).expect("copies");
    assert!(copied.is_success(), "{}: {copied:?}", firmware.version);
    let mut serial = host.serial().expect("a serial port");
    serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
    serial.read_for(Span::ms(300)).expect("what was said before");
    let text: Vec<u8> = (0..200).collect();
    serial.write(&text, Span::secs(2)).expect("is taken");
    assert_eq!(serial.read_until(&[199], Span::secs(2)).expect("is open"), text, "{}", firmware.version);
    serial.close();
    assert_covered(&mut host);
}

#[test]
fn firmware_0255_programs_and_talks() {
    programs_and_talks(&IF_0255);
}

#[test]
fn firmware_0258_programs_and_talks() {
    programs_and_talks(&IF_0258);
}

#[test]
fn the_full_image_programs_and_talks() {
    programs_and_talks(&FULL_0255);
}

#[test]
fn each_firmware_answers_debuggers_over_hid_over_webusb_and_over_bulk() {
    for firmware in [IF_0255, IF_0258, FULL_0255] {
        let Some(mut host) = board(&firmware) else { continue };
        for interface in 0..3 {
            let dap = match interface {
                0 => host.dap_v1(),
                1 => host.dap_v2(),
                _ => host.dap_web(),
            };
            let mut adi = dap.expect("a probe").adi();
            assert_eq!(adi.connect(), Ok(0x2ba0_1477), "{} {interface}", firmware.version);
            adi.reset_and_halt().expect("halts");
            adi.write_words(0x2000_0000, &[0x1234_5678, 0x9abc_def0]).expect("writes");
            assert_eq!(adi.read_words(0x2000_0000, 2), Ok(vec![0x1234_5678, 0x9abc_def0]), "{interface}");
            assert_eq!(adi.read_word(0x1000_0100), Ok(0x52833), "{} {interface}", firmware.version);
            adi.disconnect().expect("disconnects");
        }
    }
}

/// The registers of the nRF52833's TWIM0.
mod twim {
    pub const STARTRX: u32 = 0x4000_3000;
    pub const STARTTX: u32 = 0x4000_3008;
    pub const STOP: u32 = 0x4000_3014;
    pub const STOPPED: u32 = 0x4000_3104;
    pub const SHORTS: u32 = 0x4000_3200;
    pub const ERRORSRC: u32 = 0x4000_34C4;
    pub const ENABLE: u32 = 0x4000_3500;
    pub const PSEL_SCL: u32 = 0x4000_3508;
    pub const PSEL_SDA: u32 = 0x4000_350C;
    pub const FREQUENCY: u32 = 0x4000_3524;
    pub const RXD_PTR: u32 = 0x4000_3534;
    pub const RXD_MAXCNT: u32 = 0x4000_3538;
    pub const TXD_PTR: u32 = 0x4000_3544;
    pub const TXD_MAXCNT: u32 = 0x4000_3548;
    pub const ADDRESS: u32 = 0x4000_3588;
    pub const LASTTX_STOP: u32 = 1 << 9;
    pub const LASTRX_STOP: u32 = 1 << 12;
}

/// The target, driven by a debugger through the very chip that it asks, reads property `property` over the internal bus
/// (dossier 7.5): the response, `size` bytes of data in it.
fn property(host: &mut Host<Powered>, property: u8, size: usize) -> Vec<u8> {
    const BUFFER: u32 = 0x2000_1000;
    let mut adi = host.dap_v2().expect("a probe").adi();
    adi.connect().expect("connects");
    adi.reset_and_halt().expect("halts");
    let mut write = |address, value| adi.write_words(address, &[value]).expect("writes");
    for (register, value) in [
        (twim::PSEL_SCL, 8),
        (twim::PSEL_SDA, 16),
        (twim::FREQUENCY, 0x0198_0000),
        (twim::ADDRESS, 0x70),
        (twim::ENABLE, 6),
        (BUFFER, u32::from(property) << 8 | 0x10),
        (twim::TXD_PTR, BUFFER),
        (twim::TXD_MAXCNT, 2),
        (twim::RXD_PTR, BUFFER + 0x100),
        (twim::RXD_MAXCNT, 3 + size as u32),
        (twim::SHORTS, twim::LASTTX_STOP),
        (twim::STARTTX, 1),
    ] {
        write(register, value);
    }
    adi.disconnect().expect("disconnects");
    host.sleep(Span::ms(50));
    let mut adi = host.dap_v2().expect("a probe").adi();
    adi.connect().expect("connects");
    assert_eq!(adi.read_words(twim::STOPPED, 1), Ok(vec![1]), "the command went out");
    assert_eq!(adi.read_words(twim::ERRORSRC, 1), Ok(vec![0]), "and was acknowledged");
    for (register, value) in [(twim::STOPPED, 0), (twim::SHORTS, twim::LASTRX_STOP), (twim::STARTRX, 1)] {
        adi.write_words(register, &[value]).expect("writes");
    }
    adi.disconnect().expect("disconnects");
    host.sleep(Span::ms(50));
    let mut adi = host.dap_v2().expect("a probe").adi();
    adi.connect().expect("connects");
    assert_eq!(adi.read_words(twim::STOPPED, 1), Ok(vec![1]), "the response came");
    let words = adi.read_words(BUFFER + 0x100, 4).expect("RAM");
    adi.write_words(twim::STOP, &[1]).expect("writes");
    adi.disconnect().expect("disconnects");
    words.iter().flat_map(|word| word.to_le_bytes()).take(3 + size).collect()
}

#[test]
fn the_target_asks_its_interface_chip_for_versions_and_power_over_the_internal_bus() {
    for (firmware, protocol, version) in [(IF_0255, 1, 255), (IF_0258, 2, 258)] {
        let Some(mut host) = board(&firmware) else { continue };
        assert_eq!(property(&mut host, 2, 2), [0x11, 2, 2, protocol, 0], "protocol version");
        let [low, high] = u16::to_le_bytes(version);
        assert_eq!(property(&mut host, 3, 2), [0x11, 3, 2, low, high], "DAPLink's version");
        // USB, and no battery.
        assert_eq!(property(&mut host, 4, 1), [0x11, 4, 1, 1], "power source");
        assert_covered(&mut host);
    }
}
