//! `twinboard images --check [DIR] [--json]`: runs every official interface image of DIR and says what works.
//!
//! Each image is put on the board that it is for, with its own bootloader if it has one, else as a bootloader would hand
//! over to it. In process, in the board's own time: it must boot and enumerate with its version's descriptors, show its
//! drive, program a target by a dropped file, carry serial bytes both ways, answer a debugger over each interface that it
//! has, and be written by a bootloader's MAINTENANCE drive (the real one where DIR has it, else the native one). The native
//! firmware of each board is judged by the same steps.
//!
//! The table is Markdown: `yes`, `no` with its reason below, `-` where the version has no such interface, `missing` where
//! the image is. Exit code 1 if anything says no.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::image::Image;
use twinboard_models::image::interface::{Firmware, InterfaceChip, InterfaceFile};
use twinboard_models::image::known::{Finding, Known, check};
use twinboard_sim::time::Span;
use twinboard_usbip::host::copy::WriteOrder;
use twinboard_usbip::host::drive::DELAY_USE;
use twinboard_usbip::host::serial::LineCoding;
use twinboard_usbip::host::{Host, UsbError};
use twinboard_usbip::vhc::EnumerateError;

use crate::failure::Failure;

/// What is tried, in the order of the table's columns.
const COLUMNS: [&str; 9] =
    ["boots", "enumerates", "drive", "drag-and-drop", "serial", "v1 (HID)", "WebUSB", "v2 (bulk)", "update"];

/// A program that returns what it is sent, for each target: greets with `echo` at 115200 baud.
const ECHO_V1: &[u8] = include_bytes!("../../firmware/nrf51822/echo-115200.hex");
const ECHO_V2: &[u8] = include_bytes!("../../firmware/nrf52833/echo-115200.hex");

/// How long a device may take to go away after an update.
const GONE_WITHIN: Span = Span::secs(10);

/// One square of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Cell {
    Yes,
    No(String),
    /// The version has no such interface.
    Never,
    /// The image is not there.
    Missing,
}

impl Cell {
    fn of(result: Result<(), String>) -> Cell {
        match result {
            Ok(()) => Cell::Yes,
            Err(reason) => Cell::No(reason),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Cell::Yes => "yes",
            Cell::No(_) => "no",
            Cell::Never => "-",
            Cell::Missing => "missing",
        }
    }
}

/// One line of the table.
#[derive(Debug)]
struct Row {
    /// The image, or `native firmware`.
    name: String,
    board: &'static str,
    version: String,
    cells: [Cell; COLUMNS.len()],
}

/// What runs on a board.
struct Candidate<'a> {
    board: &'static str,
    /// The version as a number; 258 for 0258-beta3.
    version: u32,
    firmware: Option<&'a Firmware>,
}

/// The board whose interface chip this is.
pub(super) fn board_of(chip: &str) -> Option<&'static str> {
    match chip {
        "kl26z" => Some("microbit-v1"),
        "kl27z" => Some("microbit-v2.00"),
        "nrf52820" => Some("microbit-v2"),
        _ => None,
    }
}

pub(super) fn number(version: &str) -> u32 {
    version.get(..4).and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

pub fn run(dir: &Path, as_json: bool) -> Result<ExitCode, Failure> {
    let found = check(dir)?;
    let mut rows = Vec::new();
    for (known, finding) in &found {
        let (Some(board), "interface" | "bootloader+interface") = (board_of(known.chip), known.role) else { continue };
        eprintln!("twinboard: {}", known.file);
        let cells = match finding {
            Finding::Present(path) => examine_image(board, known, path, &found),
            Finding::Different { .. } => Cell::No("not the official file".into()).repeated(),
            Finding::Missing => Cell::Missing.repeated(),
        };
        rows.push(Row { name: known.file.into(), board, version: known.version.into(), cells });
    }
    for (board, version) in [("microbit-v1", 253), ("microbit-v2.00", 257), ("microbit-v2", 257)] {
        eprintln!("twinboard: native firmware of {board}");
        let mut cells = examine(&Candidate { board, version, firmware: None });
        cells[8] = native_update(board, &found);
        rows.push(Row { name: "native firmware".into(), board, version: format!("{version:04}"), cells });
    }
    if as_json {
        println!(
            "{:#}",
            json!({ "folder": dir.display().to_string(), "images": rows.iter().map(as_value).collect::<Vec<_>>() })
        );
    } else {
        print!("{}", markdown(&rows));
    }
    let failed = rows.iter().flat_map(|row| &row.cells).any(|cell| matches!(cell, Cell::No(_)));
    Ok(ExitCode::from(u8::from(failed)))
}

impl Cell {
    fn repeated(self) -> [Cell; COLUMNS.len()] {
        std::array::from_fn(|_| self.clone())
    }
}

fn markdown(rows: &[Row]) -> String {
    let mut text = format!("| image | board | {} |\n|---|---|{}\n", COLUMNS.join(" | "), "---|".repeat(COLUMNS.len()));
    let mut reasons = String::new();
    for Row { name, board, version, cells } in rows {
        let words: Vec<_> = cells.iter().map(Cell::word).collect();
        text += &format!("| {name} ({version}) | {board} | {} |\n", words.join(" | "));
        if let [Cell::No(reason), rest @ ..] = cells
            && rest.iter().all(|cell| *cell == cells[0])
        {
            reasons += &format!("- {name} ({version}) on {board}: {reason}\n");
            continue;
        }
        for (column, cell) in COLUMNS.iter().zip(cells) {
            if let Cell::No(reason) = cell {
                reasons += &format!("- {name} ({version}) on {board}, {column}: {reason}\n");
            }
        }
    }
    if reasons.is_empty() { text } else { format!("{text}\n{reasons}") }
}

fn as_value(row: &Row) -> Value {
    let cells: Map<String, Value> = COLUMNS
        .iter()
        .zip(&row.cells)
        .map(|(column, cell)| {
            let reason = if let Cell::No(reason) = cell { Some(reason) } else { None };
            ((*column).to_string(), json!({ "result": cell.word(), "reason": reason }))
        })
        .collect();
    json!({ "image": row.name, "board": row.board, "version": row.version, "results": cells })
}

/// Everything about an official image.
fn examine_image(board: &'static str, known: &Known, path: &Path, found: &[(Known, Finding)]) -> [Cell; COLUMNS.len()] {
    let version = number(known.version);
    let firmware = match load(known.chip, path) {
        Ok(firmware) => firmware,
        Err(reason) => return Cell::No(reason).repeated(),
    };
    let mut cells = examine(&Candidate { board, version, firmware: Some(&firmware) });
    // A bootloader takes another image; an image is taken by a bootloader.
    let (file, with) = if known.role == "interface" {
        (Some((path.to_path_buf(), version)), bootloader(known.chip, found))
    } else {
        (newest_interface(known.chip, found), Some(path.to_path_buf()))
    };
    cells[8] = match file {
        Some((file, version)) => Cell::of(update(board, known.chip, &file, version, with.as_deref())),
        None => Cell::Missing,
    };
    cells
}

/// The image with a bootloader for `chip`.
fn bootloader(chip: &str, found: &[(Known, Finding)]) -> Option<PathBuf> {
    found.iter().find_map(|(known, finding)| match finding {
        Finding::Present(path) if known.chip == chip && known.role == "bootloader+interface" => Some(path.clone()),
        _ => None,
    })
}

/// The newest interface image for `chip`.
fn newest_interface(chip: &str, found: &[(Known, Finding)]) -> Option<(PathBuf, u32)> {
    let candidates = found.iter().filter_map(|(known, finding)| match finding {
        Finding::Present(path) if known.chip == chip && known.role == "interface" => {
            Some((path.clone(), number(known.version)))
        }
        _ => None,
    });
    candidates.max_by_key(|(_, version)| *version)
}

fn native_update(board: &'static str, found: &[(Known, Finding)]) -> Cell {
    let chip = ["kl26z", "kl27z", "nrf52820"].into_iter().find(|chip| board_of(chip) == Some(board));
    match chip.and_then(|chip| Some((chip, newest_interface(chip, found)?))) {
        Some((chip, (file, version))) => Cell::of(update(board, chip, &file, version, None)),
        None => Cell::Missing,
    }
}

pub(super) fn load(chip: &str, path: &Path) -> Result<Firmware, String> {
    let chip = InterfaceChip::of(chip).ok_or_else(|| format!("there is no interface chip {chip}"))?;
    let file = InterfaceFile::load(path).map_err(|error| error.to_string())?;
    let firmware = Firmware::merge(&[file], chip);
    match firmware.problems.first() {
        Some(problem) => Err(problem.to_string()),
        None => Ok(firmware),
    }
}

fn power_on(board: &str, firmware: Option<&Firmware>) -> Result<Powered, String> {
    let file = BoardFile::built_in(board).ok_or_else(|| format!("there is no board {board}"))?;
    let interface = firmware.map(|firmware| InterfaceProgram { image: &firmware.image, start: firmware.start });
    file.power_on(&PowerOn { interface, ..PowerOn::default() }).map_err(|error| error.to_string())
}

/// All but the update.
fn examine(candidate: &Candidate<'_>) -> [Cell; COLUMNS.len()] {
    let Candidate { board, version, firmware } = *candidate;
    let powered = match power_on(board, firmware) {
        Ok(powered) => powered,
        Err(reason) => return Cell::No(reason).repeated(),
    };
    let mut host = Host::new(powered);
    let enumerated = host.enumerate().map(drop);
    let boots = boots(&mut host, &enumerated);
    if enumerated.is_err() {
        let mut cells = Cell::No("did not enumerate".into()).repeated();
        cells[0] = Cell::of(boots);
        cells[1] = Cell::of(enumerated.map_err(|error| error.to_string()));
        return cells;
    }
    host.sleep(DELAY_USE);
    let mut one = |applies: bool, step: &dyn Fn(&mut Host<Powered>) -> Result<(), String>| {
        if applies { Cell::of(step(&mut host)) } else { Cell::Never }
    };
    [
        Cell::of(boots),
        one(true, &|host| descriptors(host, version)),
        one(true, &|host| details(host, version)),
        one(true, &drag_and_drop),
        one(true, &serial),
        one(true, &|host| debug(host, Way::Hid)),
        one(version >= 247, &|host| debug(host, Way::WebUsb)),
        one(version >= 254, &|host| debug(host, Way::Bulk)),
        Cell::Never,
    ]
}

/// Shows itself on the bus, and nothing went wrong with its program.
fn boots(host: &mut Host<Powered>, enumerated: &Result<(), UsbError>) -> Result<(), String> {
    if let Err(UsbError::Enumerate(error @ EnumerateError::NotConnected(_))) = enumerated {
        return Err(error.to_string());
    }
    let incidents = host.machine().incidents();
    match incidents.iter().find(|line| line.starts_with("interface")) {
        Some(line) => Err(line.clone()),
        None => Ok(()),
    }
}

/// Device and configuration are those of the version.
fn descriptors(host: &mut Host<Powered>, version: u32) -> Result<(), String> {
    let found = host.device().map_err(|error| error.to_string())?;
    let expected = match version {
        ..=240 => (0x0110, 4, 122),
        241..=246 => (0x0200, 4, 130),
        247..=253 => (0x0210, 5, 139),
        254.. => (0x0210, 6, 162),
    };
    let configuration = found.configurations.first().map_or(0, |configuration| configuration.interfaces.len());
    let length = found.raw_configurations.first().map_or(0, Vec::len);
    let seen = (found.device.bcd_usb, configuration, length);
    if seen == expected {
        return Ok(());
    }
    let show = |(usb, interfaces, bytes): (u16, usize, usize)| {
        format!("USB {usb:04x}, {interfaces} interfaces, {bytes} bytes")
    };
    Err(format!("{}; {} were expected", show(seen), show(expected)))
}

/// The drive has a DETAILS.TXT that names the version.
fn details(host: &mut Host<Powered>, version: u32) -> Result<(), String> {
    let mut drive = host.drive().map_err(|error| error.to_string())?;
    drive.wait_ready(Span::secs(10)).map_err(|error| error.to_string())?;
    let text = drive.read_file("DETAILS.TXT").map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&text.ok_or("there is no DETAILS.TXT")?).into_owned();
    // 0234 has its own lines.
    let line = if version >= 241 { format!("Interface Version: {version:04}") } else { format!("{version:04}") };
    if text.contains(&line) { Ok(()) } else { Err(format!("DETAILS.TXT does not say {line}")) }
}

/// What is dropped is in the target's flash.
fn drag_and_drop(host: &mut Host<Powered>) -> Result<(), String> {
    let table = host.machine().target().ok_or("the board has no target")?.lock().table();
    let file = if table.name == "nrf51822" { ECHO_V1 } else { ECHO_V2 };
    let image = Image::parse(Path::new("echo.hex"), file, table.block_ids, 0).map_err(|error| error.to_string())?;
    let mut drive = host.drive().map_err(|error| error.to_string())?;
    let copied = drive.copy("echo.hex", file, WriteOrder::LinuxUmount).map_err(|error| error.to_string())?;
    if let Some(fail) = copied.fail {
        return Err(fail.trim().replace("\r\n", "; "));
    }
    let target = host.machine().target().ok_or("the board has no target")?.lock();
    let is_there = |address: u32, bytes: &[u8]| {
        target.flash().get(address as usize..).is_some_and(|flash| flash.starts_with(bytes))
    };
    if image.segments.iter().all(|segment| is_there(segment.address, &segment.bytes)) {
        Ok(())
    } else {
        Err("the target's flash is not what was dropped".into())
    }
}

/// What goes out comes back from the program that was dropped. The reset button starts it: 0241 and 0249 leave the target
/// halted after a drop as long as their settings page is erased (DETAILS.TXT: "Auto Reset: 0").
fn serial(host: &mut Host<Powered>) -> Result<(), String> {
    for pressed in [true, false] {
        host.machine().press("reset", pressed).map_err(|error| error.to_string())?;
        host.sleep(Span::ms(300));
    }
    let mut serial = host.serial().map_err(|error| error.to_string())?;
    let text: Vec<u8> = (b' '..b'`').collect();
    let mut exchange = || -> Result<Vec<u8>, UsbError> {
        serial.set_line_coding(LineCoding::new(115_200))?;
        serial.read_for(Span::ms(300))?;
        serial.write(&text, Span::secs(2))?;
        serial.read_until(b"_", Span::secs(2))
    };
    let answer = exchange().map_err(|error| error.to_string());
    serial.close();
    match answer? {
        answer if answer == text => Ok(()),
        answer => Err(format!("{} bytes went out, {} came back or were others", text.len(), answer.len())),
    }
}

#[derive(Clone, Copy)]
enum Way {
    Hid,
    WebUsb,
    Bulk,
}

/// A debugger connects and reads the target's flash.
fn debug(host: &mut Host<Powered>, way: Way) -> Result<(), String> {
    let expected = {
        let target = host.machine().target().ok_or("the board has no target")?.lock();
        let (words, _) = target.flash().as_chunks::<4>();
        words.iter().take(8).map(|word| u32::from_le_bytes(*word)).collect::<Vec<_>>()
    };
    let dap = match way {
        Way::Hid => host.dap_v1(),
        Way::WebUsb => host.dap_web(),
        Way::Bulk => host.dap_v2(),
    };
    let mut adi = dap.map_err(|error| error.to_string())?.adi();
    adi.connect().map_err(|error| error.to_string())?;
    let words = adi.read_words(0, expected.len()).map_err(|error| error.to_string())?;
    adi.disconnect().map_err(|error| error.to_string())?;
    if words == expected { Ok(()) } else { Err(format!("the target's flash reads as {words:08x?}")) }
}

/// The bootloader of `with`, or the native one, writes the interface image `file`, which then runs.
fn update(board: &'static str, chip: &str, file: &Path, version: u32, with: Option<&Path>) -> Result<(), String> {
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let firmware = with.map(|path| load(chip, path)).transpose()?;
    let mut powered = power_on(board, firmware.as_ref())?;
    powered.press("reset", true).map_err(|error| error.to_string())?;
    let mut host = Host::new(powered);
    let found = host.enumerate().map_err(|error| format!("MAINTENANCE: {error}"))?;
    let interfaces = found.configurations.first().map_or(0, |configuration| configuration.interfaces.len());
    host.machine().release_reset();
    host.sleep(DELAY_USE);
    if interfaces != 1 {
        return Err(format!("with reset held it has {interfaces} interfaces: this is not MAINTENANCE mode"));
    }
    let mut drive = host.drive().map_err(|error| format!("MAINTENANCE: {error}"))?;
    // The device goes away in the middle of waiting for a verdict: then it took the image.
    if let Ok(copied) = drive.copy("UPDATE.HEX", &bytes, WriteOrder::LinuxUmount) {
        if let Some(fail) = copied.fail {
            return Err(format!("MAINTENANCE: {}", fail.trim().replace("\r\n", "; ")));
        }
        if !host.wait_gone(GONE_WITHIN) {
            return Err("MAINTENANCE: the drive took the image and stayed".into());
        }
    }
    host.enumerate().map_err(|error| format!("after the update: {error}"))?;
    if host.machine().daplink().is_some() {
        return Err("the image was written, and native firmware goes on: no emulated chip runs it".into());
    }
    descriptors(&mut host, version).map_err(|reason| format!("after the update: {reason}"))?;
    details(&mut host, version).map_err(|reason| format!("after the update: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_firmware_passes_every_step() {
        for (board, version) in [("microbit-v1", 253), ("microbit-v2", 257)] {
            let cells = examine(&Candidate { board, version, firmware: None });
            let expected = |column| if column == 8 || board == "microbit-v1" && column == 7 { "-" } else { "yes" };
            for (column, cell) in cells.iter().enumerate() {
                assert_eq!(cell.word(), expected(column), "{board}, {}: {cell:?}", COLUMNS[column]);
            }
        }
    }

    #[test]
    fn a_reason_stands_below_the_table() {
        let mut cells = Cell::Yes.repeated();
        (cells[3], cells[7]) = (Cell::No("the wire is cut".into()), Cell::Never);
        let row = Row { name: "x.hex".into(), board: "microbit-v1", version: "0253".into(), cells };
        let text = markdown(&[row]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[2], "| x.hex (0253) | microbit-v1 | yes | yes | yes | no | yes | yes | yes | - | yes |");
        assert_eq!(lines[0].matches('|').count(), lines[2].matches('|').count());
        assert_eq!(lines[1].matches('|').count(), lines[2].matches('|').count());
        assert_eq!(lines[4], "- x.hex (0253) on microbit-v1, drag-and-drop: the wire is cut");
    }

    #[test]
    fn an_empty_folder_misses_every_image_and_still_judges_native_firmware() {
        let found = check(Path::new("no/such/folder")).expect("not an error");
        assert_eq!(native_update("microbit-v1", &found), Cell::Missing);
        assert_eq!(bootloader("kl26z", &found), None);
    }
}
