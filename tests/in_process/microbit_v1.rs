//! The micro:bit V1: official programs on its nRF51822.

use std::path::Path;

use twinboard_models::board::{BoardFile, PowerOn, Powered};
use twinboard_models::image::{Image, MICROBIT_V1};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_usbip::host::Host;
use twinboard_usbip::host::serial::LineCoding;

use crate::images::{MICROPYTHON, official};

/// A board with the file `name` in its target's flash, if there is that file.
fn board(name: &str) -> Option<Powered> {
    let image = Image::parse(Path::new(name), &official(name)?, MICROBIT_V1, 0).expect("a program for V1");
    let power = PowerOn { target: Some(&image), ..PowerOn::default() };
    Some(BoardFile::built_in("microbit-v1").expect("built in").power_on(&power).expect("can be built"))
}

#[test]
fn micropython_greets_calculates_and_shows_a_heart() {
    let Some(powered) = board(MICROPYTHON) else { return };
    let mut host = Host::new(powered);
    host.enumerate().expect("enumerates");
    let mut serial = host.serial().expect("a serial port");
    serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
    serial.read_for(Span::ms(200)).expect("is open");
    // Control-D restarts it, so that it greets again.
    serial.write(b"\x04", Span::secs(1)).expect("is taken");
    let greeting = serial.read_until(b">>> ", Span::secs(2)).expect("is open");
    let greeting = String::from_utf8_lossy(&greeting).into_owned();
    assert!(greeting.contains("micro:bit v1.0.1 with nRF51822\r\n"), "{greeting:?}");
    serial.write(b"print(6*7)\r", Span::secs(1)).expect("is taken");
    let answer = serial.read_until(b"\n>>> ", Span::secs(2)).expect("is open");
    assert_eq!(String::from_utf8_lossy(&answer), "print(6*7)\r\n42\r\n>>> ");
    serial.write(b"display.show(Image.HEART)\r", Span::secs(1)).expect("is taken");
    serial.read_until(b"\n>>> ", Span::secs(2)).expect("is open");
    host.sleep(Span::ms(200));
    assert_eq!(host.machine().screen().expect("a matrix"), "09090\n99999\n99999\n09990\n00900\n");
}

/// The pictures that a program of MakeCode or the DAL shows, sampled every 50 ms.
fn pictures(powered: &mut Powered, until: Span) -> Vec<String> {
    let mut pictures: Vec<String> = Vec::new();
    let mut now = Span::ZERO;
    while now < until {
        now += Span::ms(50);
        powered.advance(Time::ZERO + now);
        let picture = powered.screen().expect("a matrix");
        if pictures.last() != Some(&picture) {
            pictures.push(picture);
        }
    }
    pictures
}

#[test]
fn a_makecode_program_starts_through_mbr_bootloader_and_softdevice_and_shows_its_heart() {
    // S110, the bootloader's use of it on every boot, and the DAL (dossier 6.1, 6.4).
    let Some(mut powered) = board("microbit-connection--microbit-small-heart-makecode-v0.hex") else { return };
    let heart = "00000\n09090\n09990\n00900\n00000\n";
    let pictures = pictures(&mut powered, Span::secs(4));
    assert!(pictures.iter().any(|picture| picture == heart), "{pictures:#?}");
}
