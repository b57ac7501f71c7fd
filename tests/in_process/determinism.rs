//! The built-in boards give the same trace on one thread and on several, with every wire watched: a program is dropped,
//! talks on its serial port, and a debugger reaches into it at random while it runs; MicroPython boots and computes.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;
use twinboard_models::board::{BoardFile, PowerOn, Powered};
use twinboard_models::image::Image;
use twinboard_sim::board::Driver;
use twinboard_sim::chip::Chip;
use twinboard_sim::time::Span;
use twinboard_sim::trace::TraceHash;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;
use twinboard_usbip::host::serial::LineCoding;

use crate::micropython;

const DEMO: &[u8] = include_bytes!("../../firmware/nrf52833/demo.hex");

/// Something a user does.
#[derive(Clone, Debug)]
enum Act {
    Sleep(u64),
    Say(Vec<u8>),
    ReadMemory(u32),
    HaltAndRun,
    Step,
    Press(bool),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (1..20_000u64).prop_map(Act::Sleep),
        prop::collection::vec(any::<u8>(), 1..40).prop_map(Act::Say),
        (0..64u32).prop_map(|word| Act::ReadMemory(0x2000_0000 + 4 * word)),
        Just(Act::HaltAndRun),
        Just(Act::Step),
        any::<bool>().prop_map(Act::Press),
    ]
}

/// What there was to see: edges on all wires, what the host was told, the picture.
fn run(driver: Driver, acts: &[Act]) -> (TraceHash, Vec<u32>, Vec<u8>, Option<String>) {
    let file = BoardFile::built_in("microbit-v2").expect("built in");
    let power = PowerOn { driver, watch_wires: true, ..PowerOn::default() };
    let mut powered: Powered = file.power_on(&power).expect("can be built");
    let hash = Arc::new(Mutex::new(TraceHash::default()));
    powered.board.add_sink(Box::new(hash.clone()));
    let mut host = Host::new(powered);
    host.enumerate().expect("enumerates");
    let copied = host.drive().expect("a drive").copy("demo.hex", DEMO, WriteOrder::LinuxUmount).expect("a copy");
    assert!(copied.is_success(), "{copied:?}");
    let mut serial = host.serial().expect("a serial port");
    serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
    serial.close();
    let mut words = Vec::new();
    let mut heard = Vec::new();
    host.dap_v2().expect("a probe").adi().connect().expect("a target");
    for act in acts {
        match act {
            Act::Sleep(us) => host.sleep(Span::us(*us)),
            Act::Say(text) => {
                let mut serial = host.serial().expect("a serial port");
                serial.write(text, Span::secs(1)).expect("is taken");
                heard.extend(serial.read_for(Span::ms(1)).expect("is open"));
            }
            Act::ReadMemory(address) => {
                let mut adi = host.dap_v2().expect("a probe").adi();
                words.extend(adi.read_words(*address, 4).expect("RAM"));
            }
            Act::HaltAndRun | Act::Step => {
                let mut adi = host.dap_v2().expect("a probe").adi();
                adi.halt().expect("halts");
                if matches!(act, Act::Step) {
                    adi.step().expect("steps");
                }
                words.push(adi.read_register(15).expect("a PC"));
                adi.run().expect("runs");
            }
            Act::Press(pressed) => host.machine().press("A", *pressed).expect("has a button A"),
        }
    }
    let picture = host.machine().screen();
    let hash = *hash.lock();
    (hash, words, heard, picture)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]
    #[test]
    fn threaded_and_stepped_boards_leave_the_same_trace(acts in prop::collection::vec(act(), 1..12)) {
        let stepped = run(Driver::Stepped, &acts);
        prop_assert!(stepped.0.edges() > 100_000, "the debug wires were silent");
        prop_assert_eq!(&stepped, &run(Driver::Threaded, &acts));
    }
}

/// What there was to see of ten seconds: edges on all wires, what the serial port said, the picture, and where the
/// target's core was in the end.
fn ten_seconds(mut powered: Powered, conversation: &[&str]) -> (TraceHash, String, Option<String>, u64, Vec<u32>) {
    let hash = Arc::new(Mutex::new(TraceHash::default()));
    powered.board.add_sink(Box::new(hash.clone()));
    let mut host = Host::new(powered);
    host.enumerate().expect("enumerates");
    let mut heard = Vec::new();
    if !conversation.is_empty() {
        let mut serial = host.serial().expect("a serial port");
        serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
        heard.extend(serial.read_for(Span::secs(3)).expect("is open"));
        for line in conversation {
            serial.write(line.as_bytes(), Span::secs(1)).expect("is taken");
            heard.extend(serial.read_for(Span::ms(700)).expect("is open"));
        }
    }
    let rest = Span::secs(10) - Span(host.now().0);
    host.sleep(rest);
    let picture = host.machine().screen();
    let target = host.machine().target().expect("a target").clone();
    let (mut cycle, mut registers) = (0, Vec::new());
    target.lock().with_cpu(&mut |cpu| {
        cycle = cpu.cycle();
        registers = (0..16).map(|number| cpu.register(number)).collect();
    });
    let hash = *hash.lock();
    (hash, String::from_utf8_lossy(&heard).into_owned(), picture, cycle, registers)
}

/// The same run, threaded and stepped.
fn both(power_on: impl Fn(Driver) -> Powered, conversation: &[&str]) -> String {
    let stepped = ten_seconds(power_on(Driver::Stepped), conversation);
    assert_eq!(stepped, ten_seconds(power_on(Driver::Threaded), conversation));
    stepped.1
}

/// A conversation with a REPL: an expression, a function that computes for a while, a picture, and Ctrl-C.
const CONVERSATION: &[&str] = &[
    "\r",
    "6 * 7\r",
    "sum(i * i % 7 for i in range(3000))\r",
    "from microbit import *; display.show(Image.HEART)\r",
    "sleep(10000)\r",
    "\x03",
];

#[test]
fn micropython_boots_the_same_threaded_and_stepped() {
    for &board in micropython::BOARDS {
        let Some(image) = micropython::image(board) else { continue };
        both(|driver| micropython::power_on(board, &image, driver, true), &[]);
    }
}

#[test]
fn a_conversation_with_micropython_is_the_same_threaded_and_stepped() {
    for &board in micropython::BOARDS {
        let Some(image) = micropython::image(board) else { continue };
        let heard = both(|driver| micropython::power_on(board, &image, driver, true), CONVERSATION);
        for said in ["\r\n42\r\n", "\r\n5999\r\n", "KeyboardInterrupt"] {
            assert!(heard.contains(said), "{} did not say {said:?} but {heard:?}", board.name);
        }
    }
}

/// The same with a program of our own, which every computer has.
#[test]
fn ten_seconds_of_the_demo_are_the_same_threaded_and_stepped() {
    let board = micropython::BOARDS[0];
    let image = Image::parse(Path::new("demo.hex"), DEMO, board.ids, 0).expect("a hex file");
    let heard = both(|driver| micropython::power_on(board, &image, driver, true), &["Hello", "\r\n", "again"]);
    assert!(!heard.is_empty());
}
