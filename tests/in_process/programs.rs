//! Programs that people really flash, in the target's flash from the start: they come to where a person would see that
//! they run. Each is skipped by name where it is not in the folder of official images; `docs/fidelity.md` has the list of
//! what was tried and where it is published.

use std::path::Path;

use twinboard_models::board::{BoardFile, PowerOn, Powered};
use twinboard_models::image::{Image, MICROBIT_V1, MICROBIT_V2};
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::serial::{LineCoding, Serial};

use crate::images::{self, official};

/// How one sees that a program runs.
enum Sign {
    /// This picture stays on the display.
    Picture(&'static str),
    /// At least so many different pictures within six seconds: something moves.
    Moves(usize),
    /// Lines of numbers that count up arrive on the serial port.
    Counts,
    /// This text arrives on the serial port after Ctrl-C.
    Prompt(&'static str),
}

/// MakeCode's icon "small heart".
const SMALL_HEART: &str = "00000 09090 09990 00900 00000";

const V1: &str = "microbit-v1";
const V2: &str = "microbit-v2";

/// Board, image, sign.
const PROGRAMS: &[(&str, &str, Sign)] = &[
    (V1, images::MICROPYTHON, Sign::Prompt("MicroPython v1.9.2")),
    (V2, images::MICROPYTHON, Sign::Prompt("MicroPython v1.13")),
    (V1, "microbit-connection--microbit-small-heart-makecode-v1.hex", Sign::Picture(SMALL_HEART)),
    (V1, "microbit-connection--microbit-small-heart-makecode-v5.hex", Sign::Picture(SMALL_HEART)),
    (V1, "microbit-connection--microbit-small-heart-makecode-v8.hex", Sign::Picture(SMALL_HEART)),
    (V2, "microbit-connection--microbit-small-heart-makecode-v3.hex", Sign::Picture(SMALL_HEART)),
    (V2, "microbit-connection--microbit-small-heart-makecode-v6.hex", Sign::Picture(SMALL_HEART)),
    (V2, "microbit-connection--microbit-small-heart-makecode-v8.hex", Sign::Picture(SMALL_HEART)),
    (V1, "microbit-connection--serial-counter-python.hex", Sign::Counts),
    (V2, "microbit-connection--serial-counter-python.hex", Sign::Counts),
    (V1, "dev-docs--BLE_All_Services_DAL_2-1-1-No-Mag.hex", Sign::Moves(20)),
    (V2, "dev-docs--BLE_All_Services_CODAL_0-0-24-ABDLIMTU-P.hex", Sign::Moves(20)),
    (V2, "dev-docs--BLE_All_Services_CODAL_0-2-40-ABDLIMTU-P.hex", Sign::Moves(20)),
    (V1, "iMicroBit--micro-tetris_Pre-compiled.hex", Sign::Moves(5)),
    (V2, "microbit-connection--microbit-beating-heart.hex", Sign::Moves(4)),
];

/// A board with `file` in its target's flash, enumerated.
fn board(name: &str, file: &[u8]) -> Host<Powered> {
    let ids = if name == V1 { MICROBIT_V1 } else { MICROBIT_V2 };
    let image = Image::parse(Path::new("program.hex"), file, ids, 0).expect("an image for this board");
    let power = PowerOn { target: Some(&image), ..PowerOn::default() };
    let powered = BoardFile::built_in(name).expect("built in").power_on(&power).expect("can be built");
    let mut host = Host::new(powered);
    host.enumerate().expect("enumerates");
    host
}

/// The pictures that follow one another within six seconds.
fn pictures(host: &mut Host<Powered>) -> Vec<String> {
    let mut pictures: Vec<String> = Vec::new();
    for _ in 0..60 {
        host.sleep(Span::ms(100));
        let lines = host.machine().screen().expect("a matrix");
        pictures.push(lines.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    pictures
}

/// The serial port as a terminal opens it.
fn serial(host: &mut Host<Powered>) -> Serial<'_, Powered> {
    let mut serial = host.serial().expect("a port");
    serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
    serial
}

/// Whether the program shows its sign, and what it showed.
fn shows(host: &mut Host<Powered>, sign: &Sign) -> (bool, String) {
    match sign {
        Sign::Picture(expected) => {
            let seen = pictures(host);
            let last = seen.last().cloned().unwrap_or_default();
            (last == *expected, last)
        }
        Sign::Moves(count) => {
            let mut seen = pictures(host);
            seen.dedup();
            (seen.len() >= *count, format!("{seen:?}"))
        }
        Sign::Counts => {
            host.sleep(Span::secs(2));
            let heard = serial(host).read_for(Span::secs(2)).expect("is open");
            let text = String::from_utf8_lossy(&heard).into_owned();
            // The first and the last line may be cut.
            let numbers: Vec<u32> = text.lines().filter_map(|line| line.trim().parse().ok()).collect();
            let steps = numbers.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
            (steps >= 5, text)
        }
        Sign::Prompt(banner) => {
            host.sleep(Span::secs(2));
            let mut serial = serial(host);
            // Ctrl-C ends a script, Ctrl-D is the soft reset that prints the banner.
            serial.write(b"\x03\x04", Span::secs(1)).expect("is taken");
            let heard = serial.read_until(b">>> ", Span::secs(5)).expect("is open");
            let heard = [heard, serial.read_until(b">>> ", Span::secs(5)).expect("is open")].concat();
            let text = String::from_utf8_lossy(&heard).into_owned();
            (text.contains(banner), text)
        }
    }
}

#[test]
fn they_run() {
    let mut wrong = Vec::new();
    for (name, file, sign) in PROGRAMS {
        let Some(bytes) = official(file) else { continue };
        let mut host = board(name, &bytes);
        let (fine, seen) = shows(&mut host, sign);
        if !fine {
            wrong.push(format!("{file} on {name}: {seen}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
