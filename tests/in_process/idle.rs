//! Loops that wait are skipped; nobody sees a difference.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::time::Span;
use twinboard_sim::trace::TraceHash;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;
use twinboard_usbip::host::serial::LineCoding;

use crate::images::official;
use crate::micropython;

const INTERFACE: u32 = 0x8000;
const DEMO: &[u8] = include_bytes!("../../firmware/nrf52833/demo.hex");
const CHIPS: [&str; 2] = ["interface", "target"];

/// What there was to see: edges on all wires, what the host was told, the picture, and where the cores were.
type Seen = (TraceHash, Vec<u8>, Option<String>, Vec<(u64, Vec<u32>)>);

/// A file is dropped if there is one, the serial port used, and then nothing happens for a while.
fn run(mut powered: Powered, skipping: bool, file: Option<&[u8]>) -> Seen {
    let hash = Arc::new(Mutex::new(TraceHash::default()));
    powered.board.add_sink(Box::new(hash.clone()));
    for chip in CHIPS.iter().filter_map(|name| powered.board.chip(name)) {
        chip.lock().with_cpu(&mut |cpu| cpu.set_spin_skipping(skipping));
    }
    let mut host = Host::new(powered);
    host.enumerate().expect("enumerates");
    if let Some(file) = file {
        let copied = host.drive().expect("a drive").copy("demo.hex", file, WriteOrder::LinuxUmount).expect("a copy");
        assert!(copied.is_success(), "{copied:?}");
    }
    let mut serial = host.serial().expect("a serial port");
    serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
    let mut heard = serial.read_for(Span::ms(500)).expect("is open");
    serial.write(b"\rsum(range(1000))\r", Span::secs(1)).expect("is taken");
    heard.extend(serial.read_for(Span::ms(300)).expect("is open"));
    host.sleep(Span::ms(700));
    let picture = host.machine().screen();
    let mut cores = Vec::new();
    // The board brings a chip that it hands out to its own time.
    for chip in CHIPS.iter().filter_map(|name| host.machine().board.chip(name)) {
        chip.lock().with_cpu(&mut |cpu| {
            cores.push((cpu.cycle(), (0..=16).map(|number| cpu.register(number)).collect()));
        });
    }
    let hash = *hash.lock();
    (hash, heard, picture, cores)
}

#[test]
fn a_board_with_official_interface_firmware_leaves_the_same_trace_with_and_without_skipping() {
    let name = "0257_nrf52820_microbit_if_crc_c782a5ba90_gcc.hex";
    let Some(bytes) = official(name) else { return };
    let image = Image::parse(Path::new(name), &bytes, BlockIds(&[]), INTERFACE).expect("an image");
    let go = |skipping| {
        let program = InterfaceProgram { image: &image, start: Start::Handover(INTERFACE) };
        let power = PowerOn { interface: Some(program), watch_wires: true, ..PowerOn::default() };
        let powered = BoardFile::built_in("microbit-v2.2").expect("built in").power_on(&power).expect("a board");
        run(powered, skipping, Some(DEMO))
    };
    let skipping = go(true);
    assert!(skipping.0.edges() > 100_000, "the debug wires were silent");
    assert_eq!(skipping.3.len(), 2, "both chips are emulated");
    assert_eq!(skipping, go(false));
}

#[test]
fn micropython_leaves_the_same_trace_with_and_without_skipping() {
    for &board in micropython::BOARDS {
        let Some(image) = micropython::image(board) else { continue };
        let power_on = || micropython::power_on(board, &image, twinboard_sim::board::Driver::Stepped, true);
        let skipping = run(power_on(), true, None);
        assert!(String::from_utf8_lossy(&skipping.1).contains("499500"), "{:?}", skipping.1);
        assert_eq!(skipping, run(power_on(), false, None));
    }
}
