//! MicroPython as people flash it, on both boards: the Universal Hex that `uflash` carries is dropped on the drive, and
//! its interpreter is talked to over the serial port.

use std::sync::LazyLock;

use twinboard_models::board::Powered;
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;
use twinboard_usbip::host::serial::LineCoding;

use crate::bench::built_in;
use crate::images::{MICROPYTHON, official};

const PATIENCE: Span = Span::secs(5);
const PROMPT: &[u8] = b"\r\n>>> ";

/// A board with MicroPython at its prompt.
struct Python {
    host: Host<Powered>,
}

impl Python {
    /// None if the image is not there.
    fn start(board: &str) -> Option<Python> {
        static IMAGE: LazyLock<Option<Vec<u8>>> = LazyLock::new(|| official(MICROPYTHON));
        let image = IMAGE.as_ref()?;
        let mut host = built_in(board);
        let copied = host.drive().expect("a drive").copy("micropython.hex", image, WriteOrder::LinuxFlush);
        let copied = copied.expect("copies");
        assert!(copied.is_success(), "{copied:?}");
        host.serial().expect("a serial port").set_line_coding(LineCoding::new(115_200)).expect("takes it");
        let mut python = Python { host };
        // The banner was sent while nobody listened; Ctrl-B makes the interpreter show it again.
        let banner = python.exchange(b"\x03\x02");
        assert!(banner.contains("MicroPython v"), "{banner}");
        Some(python)
    }

    /// Sends bytes; what comes back until the prompt, without it.
    fn exchange(&mut self, bytes: &[u8]) -> String {
        let mut serial = self.host.serial().expect("a serial port");
        let mut heard = Vec::new();
        // A little at a time, as people type: the line has no flow control.
        for piece in bytes.chunks(16) {
            serial.write(piece, PATIENCE).expect("is taken");
            heard.extend(serial.read_for(Span::ms(5)).expect("is open"));
        }
        while !heard.ends_with(PROMPT) {
            let more = serial.read_until(PROMPT, PATIENCE).expect("is open");
            assert!(!more.is_empty(), "no prompt after {:?}", String::from_utf8_lossy(&heard));
            heard.extend(more);
        }
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// Enters a statement; what it printed.
    fn enter(&mut self, statement: &str) -> String {
        let heard = self.exchange(format!("{statement}\r").as_bytes());
        // The echo comes first.
        heard.split_once("\r\n").map(|(_, rest)| rest.trim_end_matches(">>> ").trim().to_string()).unwrap_or_default()
    }

    /// The five columns of a character's glyph, bit n for the n-th row, as the interpreter knows it.
    fn glyph(&mut self, character: char) -> [u8; 5] {
        let text = self.enter(&format!("print(repr(Image('{character}')))"));
        let rows: Vec<&str> = text.trim_start_matches("Image('").trim_end_matches("')").split_terminator(':').collect();
        assert_eq!(rows.len(), 5, "{text}");
        let lit = |row: &str, column: usize| row.as_bytes().get(column).is_some_and(|&digit| digit != b'0');
        let column = |column| rows.iter().enumerate().fold(0, |bits, (n, row)| bits | u8::from(lit(row, column)) << n);
        [0, 1, 2, 3, 4].map(column)
    }

    /// The columns of the LED matrix.
    fn picture(&mut self) -> [u8; 5] {
        let screen = self.host.machine().screen().expect("a matrix");
        let mut columns = [0; 5];
        for (n, line) in screen.lines().enumerate() {
            for (column, digit) in columns.iter_mut().zip(line.chars()) {
                *column |= u8::from(digit != '0') << n;
            }
        }
        columns
    }

    /// The pictures that are shown from now on until `done` is printed, each once.
    fn pictures_until(&mut self, done: &[u8]) -> Vec<[u8; 5]> {
        /// An image stands for 150 ms and is seen for the average of 50: what is seen for less is a mixture.
        const STEADY: u32 = 6;
        let mut pictures = Vec::new();
        let (mut last, mut seen) = ([0; 5], 0);
        let mut heard = Vec::new();
        for _ in 0..2_000 {
            heard.extend(self.host.serial().expect("a serial port").read_for(Span::ms(10)).expect("is open"));
            let now = self.picture();
            seen = if now == last { seen + 1 } else { 1 };
            last = now;
            if seen == STEADY && pictures.last() != Some(&now) {
                pictures.push(now);
            }
            if heard.windows(done.len()).any(|window| window == done) {
                return pictures;
            }
        }
        panic!("it was never printed: {:?}", String::from_utf8_lossy(&heard));
    }
}

/// Every picture of a text that scrolls through: windows of five columns over its glyphs. A glyph is as wide as what is lit
/// of it, but at least three columns. One column between two glyphs is empty, which is the second one's own first column
/// if that is empty.
fn scrolled(glyphs: &[[u8; 5]]) -> Vec<[u8; 5]> {
    let mut columns = vec![0; 4];
    for (n, glyph) in glyphs.iter().enumerate() {
        let width = glyph.iter().rposition(|&bits| bits != 0).map_or(3, |last| (last + 1).max(3));
        if n > 0 && glyph[0] != 0 {
            columns.push(0);
        }
        columns.extend(&glyph[..width]);
    }
    columns.extend([0; 5]);
    let mut pictures: Vec<[u8; 5]> = columns.windows(5).map(|window| window.try_into().expect("five")).collect();
    pictures.dedup();
    pictures
}

fn scrolls(board: &str) {
    let Some(mut python) = Python::start(board) else { return };
    python.enter("from microbit import *");
    let text = "Hi, V1!";
    let glyphs: Vec<_> = text.chars().map(|character| python.glyph(character)).collect();
    python.enter("display.clear()");
    // In two parts, so that its echo is not taken for it.
    let mut serial = python.host.serial().expect("a serial port");
    serial.write(format!("display.scroll('{text}');print('do'+'ne')\r").as_bytes(), PATIENCE).expect("is taken");
    serial.close();
    let pictures = python.pictures_until(b"done");
    assert_eq!(pictures.strip_prefix(&[[0; 5]]).unwrap_or(&pictures), scrolled(&glyphs));
}

#[test]
fn a_scrolled_text_passes_picture_by_picture_on_v1() {
    scrolls("microbit-v1");
}

#[test]
fn a_scrolled_text_passes_picture_by_picture_on_v2() {
    scrolls("microbit-v2");
}

fn talks(board: &str, machine: &str) {
    let Some(mut python) = Python::start(board) else { return };
    assert_eq!(python.enter("6*7"), "42");
    let uname = python.enter("import os;print(os.uname())");
    assert!(uname.contains(machine), "{uname}");
    // Ctrl-C stops a loop.
    let mut serial = python.host.serial().expect("a serial port");
    serial.write(b"while True: pass\r\r\r", PATIENCE).expect("is taken");
    assert!(!serial.read_for(Span::secs(1)).expect("is open").ends_with(PROMPT));
    serial.close();
    assert!(python.exchange(b"\x03").contains("KeyboardInterrupt"));
    // Paste mode.
    let heard = python.exchange(b"\x05def f(n):\r  return n*n\r\rprint(f(12))\r\x04");
    assert!(heard.contains("paste mode") && heard.contains("\r\n144\r\n"), "{heard}");
    // A soft reset forgets everything.
    let heard = python.exchange(b"\x04");
    assert!(heard.contains("soft reboot") && heard.contains("MicroPython v"), "{heard}");
    assert!(python.enter("f(1)").contains("NameError"));
}

#[test]
fn the_interpreter_talks_on_v1() {
    talks("microbit-v1", "nRF51822");
}

#[test]
fn the_interpreter_talks_on_v2() {
    talks("microbit-v2", "nRF52833");
}

fn senses(board: &str) {
    let Some(mut python) = Python::start(board) else { return };
    python.enter("from microbit import *");
    python.enter("import music");
    let [x, y, z] = [0, 1, 2].map(|axis| {
        let reading = python.enter(&format!("print(accelerometer.get_values()[{axis}])"));
        reading.parse::<i32>().unwrap_or_else(|_| panic!("axis {axis}: {reading}"))
    });
    // The board lies on the table, its face up: 1 g towards the table, in thousandths.
    assert!(x.abs() < 60 && y.abs() < 60 && (-1_060..=-940).contains(&z), "{x} {y} {z}");
    let temperature = python.enter("print(temperature())");
    assert!(temperature.parse::<i32>().is_ok_and(|degrees| (0..=50).contains(&degrees)), "{temperature}");
    let field = python.enter("print(compass.get_x(), compass.get_y(), compass.get_z())");
    assert_eq!(field.split(' ').filter(|axis| axis.parse::<i32>().is_ok()).count(), 3, "{field}");
    assert_eq!(python.enter("music.play(['c4:1','e4:1'])"), "");
    assert_eq!(python.enter("print(button_a.is_pressed())"), "False");
    python.host.machine().press("A", true).expect("a button");
    python.host.sleep(Span::ms(100));
    assert_eq!(python.enter("print(button_a.is_pressed())"), "True");
}

/// Music goes on to work after a soft reset.
fn plays_again(board: &str) {
    let Some(mut python) = Python::start(board) else { return };
    for _ in 0..2 {
        python.enter("import music");
        assert_eq!(python.enter("music.play(['c4:1','e4:1'])"), "");
        let heard = python.exchange(b"\x04");
        assert!(heard.contains("soft reboot"), "{heard}");
    }
}

#[test]
fn music_plays_again_after_a_soft_reset_on_v1() {
    plays_again("microbit-v1");
}

#[test]
fn music_plays_again_after_a_soft_reset_on_v2() {
    plays_again("microbit-v2");
}

#[test]
fn the_sensors_answer_on_v1() {
    senses("microbit-v1");
}

#[test]
fn the_sensors_answer_on_v2() {
    senses("microbit-v2");
}
