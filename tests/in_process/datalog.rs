//! A program that logs data: it talks to its interface chip over I2C, and what it writes is a file on the drive.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_models::board::control::Action;
use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image, MICROBIT_V2, Start};
use twinboard_sim::board::Driver;
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::trace::TraceHash;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;
use twinboard_usbip::host::serial::LineCoding;

use crate::bench;
use crate::images::official;

/// `firmware/nrf52833/datalog.c`.
const DATALOG: &[u8] = include_bytes!("../../firmware/nrf52833/datalog.hex");

/// The picture of a program that has done all it wanted.
const TICK: &str = "00000 00009 00090 90900 09000";

/// What the program says it logs, as the drive is to show it: 512 bytes of text, 1300 samples as digits, 60 bytes of text.
fn my_data() -> Vec<u8> {
    let padded = |text: &str, size: usize| format!("{text:size$}");
    let digits: String = (0..1300u32).map(|n| format!("{:02X}", (n * n / 7 + n) & 0xFF)).collect();
    let head = padded("<html><title>A log</title><pre>\n", 512);
    (head + &digits + &padded("\n</pre></html>\n", 60)).into_bytes()
}

fn board(driver: Driver) -> Host<Powered> {
    let image = Image::parse(Path::new("datalog.hex"), DATALOG, MICROBIT_V2, 0).expect("an image");
    let power = PowerOn { target: Some(&image), driver, ..PowerOn::default() };
    Host::new(BoardFile::built_in("microbit-v2").expect("built in").power_on(&power).expect("a board"))
}

/// What the program says.
fn listen(host: &mut Host<Powered>, end: &str) -> String {
    let heard = host.serial().expect("a port").read_until(end.as_bytes(), Span::secs(10)).expect("is open");
    String::from_utf8_lossy(&heard).into_owned()
}

/// The file on the drive, once the drive is there.
fn file(host: &mut Host<Powered>, name: &str) -> Option<Vec<u8>> {
    let mut drive = host.drive().expect("a drive");
    drive.wait_ready(Span::secs(5)).expect("a medium");
    drive.read_file(name).expect("reads")
}

fn picture(host: &mut Host<Powered>) -> String {
    host.sleep(Span::ms(100));
    host.machine().screen().expect("a matrix").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Drops the program on the drive; what it says until it has logged.
fn drop_and_listen(host: &mut Host<Powered>) -> String {
    host.serial().expect("a port").set_line_coding(LineCoding::new(115_200)).expect("takes it");
    let copied = host.drive().expect("a drive").copy("datalog.hex", DATALOG, WriteOrder::LinuxFlush).expect("copies");
    assert!(copied.is_success(), "{copied:?}");
    listen(host, "logged\r\n")
}

/// The file is there, and still is after a power cut; then the program reads its log back over I2C.
fn keeps_the_log(host: &mut Host<Powered>, log: &[u8]) {
    assert_eq!(picture(host), TICK);
    host.sleep(Span::secs(4));
    assert_eq!(file(host, "MY_DATA.HTM"), Some(log.to_vec()));

    host.unplug();
    host.machine().power_cycle();
    host.enumerate().expect("enumerates");
    assert_eq!(file(host, "MY_DATA.HTM"), Some(log.to_vec()));
    let mut serial = host.serial().expect("a port");
    serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
    serial.send_break(Span::ms(290)).expect("takes it");
    assert!(listen(host, "the log is there\r\n").ends_with("the log is there\r\n"));
    assert_eq!(picture(host), TICK);
}

#[test]
fn what_a_program_logs_is_a_file_on_the_drive_and_survives_a_power_cut() {
    let mut host = bench::built_in("microbit-v2");
    // Board id, version and geometry of daplink.md; a cable and no battery, a host that has configured the device.
    let said = "board 9906\r\nprotocol 2\r\nfirmware 0257\r\npower 1\r\nusb 2\r\n31 sectors of 4096\r\nlogged\r\n";
    assert_eq!(drop_and_listen(&mut host), said);
    keeps_the_log(&mut host, &my_data());
}

#[test]
fn a_program_can_have_the_drive_mounted_again() {
    let mut host = board(Driver::Stepped);
    host.enumerate().expect("enumerates");
    host.sleep(Span::secs(4));
    assert_eq!(file(&mut host, "MY_DATA.HTM"), Some(my_data()));
    let details = file(&mut host, "DETAILS.TXT").expect("details");
    assert!(String::from_utf8_lossy(&details).contains("Remount count: 1\r\n"));
}

#[test]
fn erase_act_takes_the_log_away() {
    let mut host = board(Driver::Stepped);
    host.enumerate().expect("enumerates");
    host.sleep(Span::secs(4));
    assert!(file(&mut host, "MY_DATA.HTM").is_some());
    // Action files need the reset button on a board as it is sold.
    host.machine().press("reset", true).expect("a button");
    // An action is no transfer, so what came of the copy is not asked.
    let _ = host.drive().expect("a drive").copy("ERASE.ACT", b"", WriteOrder::LinuxFlush);
    host.machine().press("reset", false).expect("a button");
    host.sleep(Span::secs(4));
    assert_eq!(file(&mut host, "MY_DATA.HTM"), None);
    assert!(host.machine().target().expect("a target").lock().flash().iter().all(|&byte| byte == 0xFF));
}

#[test]
fn threaded_and_stepped_boards_log_alike() {
    let trace = |driver| {
        let mut powered = board(driver).into_machine();
        let hash = Arc::new(Mutex::new(TraceHash::default()));
        powered.board.add_sink(Box::new(hash.clone()));
        let end = Time::ZERO + Span::secs(1);
        while powered.now() < end {
            powered.advance(end);
        }
        let interface = powered.daplink().expect("native").lock().settings().storage().to_vec();
        (*hash.lock(), interface)
    };
    let (stepped, storage) = trace(Driver::Stepped);
    // Bytes of head and tail in the storage: it was really written. The samples between them are a third.
    assert_eq!(storage[4096..4128], my_data()[..32]);
    assert!(stepped.edges() > 10_000, "{} edges", stepped.edges());
    assert_eq!((stepped, storage), trace(Driver::Threaded));
}

#[test]
fn a_board_on_a_battery_logs_too_and_shows_the_file_when_it_is_plugged_in() {
    let mut host = board(Driver::Stepped);
    host.machine().act(&Action::Battery { on: true, mv: None }).expect("a battery");
    host.machine().act(&Action::Unplug).expect("a cable");
    host.sleep(Span::secs(2));
    assert_eq!(picture(&mut host), TICK);
    host.machine().act(&Action::Plug).expect("a cable");
    host.enumerate().expect("enumerates");
    assert_eq!(file(&mut host, "MY_DATA.HTM"), Some(my_data()));
}

/// An official image with nothing but the target's program dropped on its drive.
struct Official {
    name: &'static str,
    board: &'static str,
    start: Start,
    /// What it answers to the program, and its storage; daplink.md, sections 0, 1 and 7.5.
    says: &'static str,
    storage: &'static str,
    /// The file.
    log: Vec<u8>,
}

impl Official {
    /// None, with the reason said, if there is no such image.
    fn power_on(&self) -> Option<Host<Powered>> {
        let image = Image::parse(Path::new(self.name), &official(self.name)?, BlockIds(&[]), 0x8000).expect("an image");
        let program = InterfaceProgram { image: &image, start: self.start };
        let power = PowerOn { interface: Some(program), ..PowerOn::default() };
        let file = BoardFile::built_in(self.board).expect("built in");
        let mut host = Host::new(file.power_on(&power).expect("a board"));
        host.enumerate().expect("enumerates");
        Some(host)
    }

    fn keeps_a_log(&self) {
        let Some(mut host) = self.power_on() else { return };
        let heard = drop_and_listen(&mut host);
        assert!(heard.starts_with(self.says), "{heard}");
        assert!(heard.ends_with(&format!("usb 2\r\n{}\r\nlogged\r\n", self.storage)), "{heard}");
        keeps_the_log(&mut host, &self.log);
    }
}

#[test]
fn official_firmware_on_an_emulated_nrf52820_keeps_the_log_as_well() {
    for (name, says) in [
        ("0257_nrf52820_microbit_if_crc_c782a5ba90_gcc.hex", "board 9906\r\nprotocol 2\r\nfirmware 0257\r\n"),
        ("0258-beta3_nrf52820_microbit_if_crc_0004198_gcc.hex", "board 9906\r\nprotocol 2\r\nfirmware 0258\r\n"),
    ] {
        let start = Start::Handover(0x8000);
        Official { name, board: "microbit-v2.2", start, says, storage: "31 sectors of 4096", log: my_data() }
            .keeps_a_log();
    }
}

/// Its I2C protocol, the first one, has no encoding window: the drive shows what was written.
#[test]
fn firmware_0255_on_an_emulated_kl27z_keeps_the_log_as_it_was_written() {
    let samples = (0..1300u32).map(|n| (n * n / 7 + n) as u8);
    let log = my_data();
    Official {
        name: "0255_kl27z_microbit_0x8000.hex",
        board: "microbit-v2.00",
        start: Start::Handover(0x8000),
        says: "board 9904\r\nprotocol 1\r\nfirmware 0255\r\n",
        storage: "127 sectors of 1024\r\nno encoding window",
        log: log[..512].iter().copied().chain(samples).chain(log[512 + 2600..].iter().copied()).collect(),
    }
    .keeps_a_log();
}

#[test]
fn firmware_0258_on_an_emulated_kl27z_keeps_the_log_as_well() {
    Official {
        name: "0258-beta3_kl27z_microbit_if_crc_0004198_gcc.hex",
        board: "microbit-v2.00",
        start: Start::Handover(0x8000),
        says: "board 9904\r\nprotocol 2\r\nfirmware 0258\r\n",
        storage: "127 sectors of 1024",
        log: my_data(),
    }
    .keeps_a_log();
}

/// MicroPython of the Python editor: CODAL's data logger, as people use it.
const MICROPYTHON: &str = "microbit-connection--microbit-micropython-v2.hex";

/// Enters a line at MicroPython's prompt; what came back until the next one.
fn enter(host: &mut Host<Powered>, line: &str) -> String {
    let mut serial = host.serial().expect("a port");
    serial.write(line.as_bytes(), Span::secs(1)).expect("is taken");
    let heard = serial.read_until(b"\r\n>>> ", Span::secs(10)).expect("is open");
    String::from_utf8_lossy(&heard).into_owned()
}

#[test]
fn what_micropython_logs_is_on_the_drive() {
    let Some(bytes) = official(MICROPYTHON) else { return };
    let image = Image::parse(Path::new(MICROPYTHON), &bytes, MICROBIT_V2, 0).expect("an image");
    let power = PowerOn { target: Some(&image), ..PowerOn::default() };
    let mut host = Host::new(BoardFile::built_in("microbit-v2").expect("built in").power_on(&power).expect("a board"));
    host.enumerate().expect("enumerates");
    host.sleep(Span::secs(2));
    host.serial().expect("a port").set_line_coding(LineCoding::new(115_200)).expect("takes it");
    enter(&mut host, "\x03");
    for line in ["import log\r", "log.set_labels('x','y')\r", "log.add(x=1,y=22)\r", "log.add(x=3,y=44)\r"] {
        let answer = enter(&mut host, line);
        assert!(!answer.contains("Error"), "{answer}");
    }
    // The drive is mounted again when the board starts.
    host.unplug();
    host.machine().power_cycle();
    host.enumerate().expect("enumerates");
    let page = file(&mut host, "MY_DATA.HTM").expect("a file");
    let page = String::from_utf8_lossy(&page);
    assert!(page.contains("UBIT_LOG_FS"), "CODAL's mark");
    assert!(page.contains("1,22\n") && page.contains("3,44\n"), "the rows");
}
