//! The interface chip of a micro:bit V1 (DAPLink 0253): what differs from V2.

use crate::drag_and_drop::{drop_file, hex, program, programmed, record, verdict};
use crate::host::{Failure, Host};
use crate::volume::files;
use twinboard_models::daplink::{Board, DapLinkConfig, pins};
use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::InReply;
use twinboard_sim::wire::{Drive, Signal};

fn plug() -> Host {
    Host::plug(DapLinkConfig::of(Board::MicrobitV1))
}

fn ready() -> Host {
    let mut host = plug();
    host.enumerate();
    host
}

fn with_medium() -> Host {
    let mut host = ready();
    host.wait_for_medium();
    host
}

/// A command over the WebUSB interface's HID requests; the report.
fn command(host: &mut Host, bytes: &[u8]) -> Vec<u8> {
    host.control(0x21, 9, 0x0200, 4, bytes, 0).expect("SET_REPORT");
    host.control(0xa1, 1, 0x0100, 4, &[], 64).expect("GET_REPORT")
}

#[test]
fn five_interfaces_make_139_bytes_and_there_is_no_string_9() {
    let mut host = ready();
    let config = host.control(0x80, 6, 0x0200, 0, &[], 255).expect("configuration");
    assert_eq!((config.len(), config[2], config[4]), (139, 139, 5));
    assert_eq!(host.control(0xc0, 0x20, 0, 7, &[], 330).expect("MS OS 2.0").len(), 170);
    let text = |bytes: &[u8]| bytes[2..].chunks(2).map(|unit| char::from(unit[0])).collect::<String>();
    let mut string = |index: u16| host.control(0x80, 6, 0x0300 | index, 0x0409, &[], 255).map(|bytes| text(&bytes));
    let expected = [
        "ARM",
        "\"BBC micro:bit CMSIS-DAP\"",
        "9900000074776962",
        "mbed Serial Port",
        "mbed Serial Port",
        "CMSIS-DAP",
        "WebUSB: CMSIS-DAP",
        "USB_MSC",
    ];
    for (index, text) in (1..).zip(expected) {
        assert!(string(index).expect("a string").starts_with(text), "string {index}");
    }
    assert!(string(3).is_ok_and(|serial| serial.len() == 48 && serial.ends_with("0000000097969901")));
    assert_eq!(string(9), Err(Failure::Stall));
    assert_eq!(host.try_in(5), InReply::Timeout, "no CMSIS-DAP v2");
}

#[test]
fn the_pull_up_comes_85_ms_later_than_on_v2_and_the_lamp_is_lit_from_the_start() {
    let mut host = plug();
    host.wait(Span::ms(1_014));
    assert!(!host.port().attached());
    host.wait(Span::ms(100));
    assert!(host.port().attached());
    let lamp = host.edges.iter().find(|edge| edge.pin == pins::LED).expect("the LED's pin is driven");
    assert_eq!((lamp.at, lamp.signal), (Time::ZERO, Signal::Drive(Drive::Low)));
}

#[test]
fn the_port_comes_up_at_9600_baud_and_refuses_no_rate() {
    let mut host = ready();
    assert_eq!(host.control(0xa1, 0x21, 0, 1, &[], 7), Ok(vec![0x80, 0x25, 0, 0, 0, 0, 8]));
    host.control(0x21, 0x20, 0, 1, &[0x39, 0x30, 0, 0, 0, 0, 8], 0).expect("12345 baud");
    host.control(0x21, 0x20, 0, 1, &[1, 0, 0, 0, 2, 1, 7], 0).expect("1 baud, 7O2");
}

#[test]
fn cmsis_dap_is_version_1_10_with_five_packets() {
    let mut host = ready();
    assert_eq!(command(&mut host, &[0x00, 0x04])[..7], *b"\x00\x051.10\0");
    assert_eq!(command(&mut host, &[0x00, 0xf0])[..3], [0x00, 1, 0x11]);
    assert_eq!(command(&mut host, &[0x00, 0xfe])[..3], [0x00, 1, 5]);
    for absent in [1, 2, 3, 5, 6, 7, 8, 9, 0xf1] {
        assert_eq!(command(&mut host, &[0x00, absent])[..2], [0x00, 0], "id {absent:#x}");
    }
    assert_eq!(command(&mut host, &[0x1d, 1, 8, 0xff])[0], 0xff, "no SWD_Sequence");
    assert_eq!(command(&mut host, &[0x8d, 1])[..2], [0x8d, 0], "no SelectEraseMode, its number is only echoed");
    // nRESET exists: it reads as it is written.
    command(&mut host, &[0x02, 1]);
    assert_eq!(command(&mut host, &[0x10, 0x00, 0x80, 0, 0, 0, 0])[1] & 0x80, 0);
    assert_eq!(command(&mut host, &[0x10, 0x80, 0x80, 0, 0, 0, 0])[1] & 0x80, 0x80);
}

#[test]
fn a_stream_of_vendor_commands_ends_with_the_older_control_values() {
    let mut host = ready();
    assert_eq!(command(&mut host, &[0x8a, 1])[..2], [0x8a, 0]);
    let mut text = hex(&program(64));
    let last = text.split_off(text.len() - 12);
    for piece in text.chunks(62) {
        let packet = [&[0x8c, piece.len() as u8], piece].concat();
        assert_eq!(command(&mut host, &packet)[..2], [0x8c, 0]);
    }
    let packet = [&[0x8c, last.len() as u8], &last[..]].concat();
    assert_eq!(command(&mut host, &packet)[..2], [0x8c, 16]);
    assert_eq!(command(&mut host, &[0x8b])[..2], [0x8b, 0]);
    assert_eq!(programmed(&host), program(64));
}

#[test]
fn the_files_are_those_of_0253() {
    let mut host = with_medium();
    assert_eq!(&host.read(131)[..12], b"MICROBIT   \x28");
    let files = files(&mut host);
    assert_eq!(files.len(), 2);
    assert!(files[0].1.contains("window.location.replace(\"https://microbit.org/device/?id=9900&v=0253\");"));
    let expected = "# DAPLink Firmware - see https://mbed.com/daplink\r\n\
        Unique ID: 99000000747769626e626f78000031010000000097969901\r\n\
        HIC ID: 97969901\r\n\
        Auto Reset: 1\r\n\
        Automation allowed: 1\r\n\
        Overflow detection: 1\r\n\
        Daplink Mode: Interface\r\n\
        Interface Version: 0253\r\n\
        Git SHA: 64359f5c786363065a41ec15c348e3d53568da03\r\n\
        Local Mods: 0\r\n\
        USB Interfaces: MSD, CDC, HID, WebUSB\r\n\
        Interface CRC: 0x53375800\r\n\
        Remount count: 0\r\n\
        URL: https://microbit.org/device/?id=9900&v=0253\r\n";
    assert_eq!(files[1].1, expected);
}

#[test]
fn of_a_universal_hex_the_plain_records_are_taken_though_their_section_is_not_looked_at() {
    let section = |board: u8, kind: u8, data: &[u8]| {
        let mut text = record(4, 0, &[0, 0]) + &record(0x0a, 0, &[0x99, board, 0xc0, 0xde]);
        for (i, data) in data.chunks(16).enumerate() {
            text += &record(kind, (i * 16) as u16, data);
        }
        text += &record(0x0b, 0, &[]);
        while !text.len().is_multiple_of(512) {
            let room = 512 - text.len() % 512;
            // A padding record has 12 characters beside its data.
            text += &if room < 12 { "\n".repeat(room) } else { record(0x0c, 0, &vec![0xff; (room - 12).min(32) / 2]) };
        }
        text
    };
    let (v1, v2) = (program(512), vec![0xee; 512]);
    let file = section(0x00, 0x00, &v1) + &section(0x03, 0x0d, &v2) + &record(1, 0, &[]);
    let mut host = with_medium();
    drop_file(&mut host, b"BOTH    HEX", file.as_bytes());
    assert_eq!(verdict(&mut host), None);
    assert_eq!(programmed(&host), v1);
}

#[test]
fn a_failed_drop_leaves_fail_txt_and_the_target_as_it_is() {
    let mut host = with_medium();
    let mut file = hex(&program(1024));
    let digit = file.iter().rposition(|&byte| byte == b'7').expect("a digit");
    file[digit] = b'8';
    drop_file(&mut host, b"APP     HEX", &file);
    let text = "error: The hex file cannot be decoded. Checksum calculation failure occurred.\r\n\
        type: transient, user\r\n";
    assert_eq!(verdict(&mut host).as_deref(), Some(text));
    assert_eq!(host.target.lock().expect("target").shown, [0u16; 0]);
}

#[test]
fn an_image_for_a_cortex_m0_is_taken() {
    let mut host = with_medium();
    let mut image = program(1024);
    image[0x10..0x1c].fill(0);
    drop_file(&mut host, b"APP     HEX", &hex(&image));
    assert_eq!(verdict(&mut host), None);
    assert_eq!(programmed(&host), image);
}

#[test]
fn action_files_are_those_of_0243_to_0253() {
    let mut host = with_medium();
    drop_file(&mut host, b"ERASE   ACT", b"");
    assert_eq!(verdict(&mut host), None);
    assert_eq!(host.target.lock().expect("target").erased, 1);
    drop_file(&mut host, b"HARD_RSTCFG", b"");
    assert_eq!(verdict(&mut host), None);
    assert!(files(&mut host)[1].1.contains("\r\nAuto Reset: 0\r\n"));
    drop_file(&mut host, b"MSD_OFF CFG", b"");
    host.wait(Span::secs(5));
    assert!(host.port().attached(), "0253 cannot leave its drive out");
    drop_file(&mut host, b"ASSERT  ACT", b"");
    assert_eq!(verdict(&mut host), None);
    let assert = "Assert\r\nFile: .\\source\\daplink\\drag-n-drop\\vfs_user.c\r\nLine: 158\r\n";
    assert!(files(&mut host)[2].1.starts_with(assert));
}
