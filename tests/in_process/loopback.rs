//! The program that DAPLink's test suite wants in the target, and what the suite does with it over the serial port: blocks
//! at every rate, and short exchanges that catch the transmitters as they start and stop.

use std::path::Path;

use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;
use twinboard_usbip::host::serial::{LineCoding, Serial};

use crate::bench::built_in;
use crate::images::official;

const LOOPBACK_V1: &[u8] = include_bytes!("../../firmware/nrf51822/loopback.hex");
const LOOPBACK_V2: &[u8] = include_bytes!("../../firmware/nrf52833/loopback.hex");

/// Where a bootloader would hand over.
const INTERFACE: u32 = 0x8000;

/// Boards with the newest official image of their interface chip.
const EMULATED: &[(&str, &str, &[u8])] = &[
    ("microbit-v1", "0253_kl26z_microbit_0x8000.hex", LOOPBACK_V1),
    ("microbit-v2.00", "0255_kl27z_microbit_0x8000.hex", LOOPBACK_V2),
    ("microbit-v2.2", "0257_nrf52820_microbit_if_crc_c782a5ba90_gcc.hex", LOOPBACK_V2),
];

fn emulated(board: &str, name: &str) -> Option<Host<Powered>> {
    let image = Image::parse(Path::new(name), &official(name)?, BlockIds(&[]), INTERFACE).expect("an image");
    let program = InterfaceProgram { image: &image, start: Start::Handover(INTERFACE) };
    let file = BoardFile::built_in(board).expect("built in");
    let powered = file.power_on(&PowerOn { interface: Some(program), ..PowerOn::default() }).expect("a board");
    let mut host = Host::new(powered);
    host.enumerate().expect("enumerates");
    Some(host)
}

fn load(host: &mut Host<Powered>, file: &[u8]) {
    let copied = host.drive().expect("a drive").copy("loopback.hex", file, WriteOrder::LinuxFlush).expect("copies");
    assert!(copied.is_success(), "{copied:?}");
}

/// Restarts the target and has it change to `baud`, as the suite does for each of its sessions.
fn session(serial: &mut Serial<'_, Powered>, baud: u32) {
    serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
    serial.send_break(Span::ms(250)).expect("takes it");
    // What was said before the last reset.
    serial.read_for(Span::ms(50)).expect("is open");
    exchange(serial, b"", b"{init}");
    // A rate that the program does not have is just echoed.
    let commands = format!("{{baud:31250}}{{{{baud:{baud}}}");
    exchange(serial, commands.as_bytes(), commands.as_bytes());
    serial.set_line_coding(LineCoding::new(baud)).expect("takes it");
    exchange(serial, b"", b"{change}");
}

/// Sends `data` and expects `answer`, and nothing else while it is on its way.
fn exchange(serial: &mut Serial<'_, Powered>, data: &[u8], answer: &[u8]) {
    serial.write(data, Span::secs(10)).expect("is taken");
    let mut heard = Vec::new();
    let mut silence = 0;
    while heard.len() < answer.len() && silence < 900 {
        let more = serial.read_for(Span::ms(1)).expect("is open");
        silence = if more.is_empty() { silence + 1 } else { 0 };
        heard.extend(more);
    }
    let differs = heard.iter().zip(answer).position(|(heard, sent)| heard != sent);
    assert!(heard == answer, "{} of {} bytes came back, {differs:?} is the first other one", heard.len(), answer.len());
}

/// Sends `size` bytes and, when the first is back, one more.
fn converse(serial: &mut Serial<'_, Powered>, size: u8) {
    let data: Vec<u8> = (0..=size).collect();
    let (last, first) = data.split_last().expect("it is not empty");
    serial.write(first, Span::secs(1)).expect("is taken");
    let mut heard = Vec::new();
    let mut waited = 0;
    while heard.is_empty() && waited < 10_000 {
        heard = serial.read_for(Span::us(50)).expect("is open");
        waited += 1;
    }
    serial.write(&[*last], Span::secs(1)).expect("is taken");
    exchange(serial, b"", &data[heard.len()..]);
}

#[test]
fn the_loopback_program_changes_its_rate_on_demand_and_echoes_every_byte() {
    for (board, file) in [("microbit-v1", LOOPBACK_V1), ("microbit-v2", LOOPBACK_V2)] {
        let mut host = built_in(board);
        load(&mut host, file);
        let mut serial = host.serial().expect("a serial port");
        for baud in [9_600, 14_400, 19_200, 28_800, 38_400, 57_600, 115_200] {
            session(&mut serial, baud);
            // In a session everything is data.
            let mut data: Vec<u8> = b"{baud:9600}".to_vec();
            data.extend((0..1_024).map(|n| n as u8));
            exchange(&mut serial, &data, &data);
        }
    }
}

#[test]
fn native_firmware_loses_no_byte_of_short_exchanges() {
    for (board, file) in [("microbit-v1", LOOPBACK_V1), ("microbit-v2", LOOPBACK_V2)] {
        let mut host = built_in(board);
        load(&mut host, file);
        let mut serial = host.serial().expect("a serial port");
        session(&mut serial, 115_200);
        (1..10).for_each(|size| (0..30).for_each(|_| converse(&mut serial, size)));
    }
}

/// Single bytes, each when the board has long been idle, at moments that have nothing to do with each other: the target sleeps
/// whenever one arrives.
#[test]
fn official_firmware_of_the_kl26z_loses_no_byte_at_whatever_moment_it_is_sent() {
    let (board, name, file) = EMULATED[0];
    let Some(mut host) = emulated(board, name) else { return };
    load(&mut host, file);
    let mut serial = host.serial().expect("a serial port");
    session(&mut serial, 115_200);
    let mut number = 1u64;
    for _ in 0..3_000 {
        // Knuth's MMIX generator; up to 2.1 ms.
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        serial.read_for(Span::ns(number >> 43)).expect("is open");
        exchange(&mut serial, b"x", b"x");
    }
}

fn official_firmware_loses_no_byte(board: &str) {
    for (_, name, file) in EMULATED.iter().filter(|(name, ..)| *name == board) {
        let Some(mut host) = emulated(board, name) else { return };
        load(&mut host, file);
        let mut serial = host.serial().expect("a serial port");
        session(&mut serial, 115_200);
        (1..10).for_each(|size| (0..30).for_each(|_| converse(&mut serial, size)));
        let data: Vec<u8> = (0..4_096).map(|n| n as u8).collect();
        exchange(&mut serial, &data, &data);
    }
}

#[test]
fn official_firmware_of_the_kl26z_loses_no_byte_of_short_exchanges_and_a_block() {
    official_firmware_loses_no_byte("microbit-v1");
}

#[test]
fn official_firmware_of_the_kl27z_loses_no_byte_of_short_exchanges_and_a_block() {
    official_firmware_loses_no_byte("microbit-v2.00");
}

#[test]
fn official_firmware_of_the_nrf52820_loses_no_byte_of_short_exchanges_and_a_block() {
    official_firmware_loses_no_byte("microbit-v2.2");
}
