//! What people do to boards, and what they are told, where a host is on the cable.

use std::path::Path;

use object::{Object, ObjectSymbol};
use twinboard_models::board::control::Action;
use twinboard_models::board::{BoardFile, PowerOn, Powered};
use twinboard_models::image::{Image, MICROBIT_V2, Symbols};
use twinboard_sim::bus::Size;
use twinboard_sim::debug::DebugTarget;
use twinboard_sim::machine::Machine;
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;

const DEMO: &[u8] = include_bytes!("../../firmware/nrf52833/demo.hex");
const MISSIONS: &[u8] = include_bytes!("../../firmware/nrf52833/missions.elf");

fn board(program: Option<&[u8]>) -> Powered {
    let image = program.map(|bytes| Image::parse(Path::new("program"), bytes, MICROBIT_V2, 0).expect("an image"));
    let power = PowerOn { target: image.as_ref(), ..PowerOn::default() };
    BoardFile::built_in("microbit-v2").expect("built in").power_on(&power).expect("a board")
}

fn pass(board: &mut Powered, span: Span) {
    let until = board.now() + span;
    while board.now() < until {
        board.advance(until);
    }
}

#[test]
fn a_host_loses_a_board_whose_cable_is_pulled_and_finds_it_again() {
    let mut host = Host::new(board(None));
    host.enumerate().expect("enumerates");
    for _ in 0..3 {
        host.machine().act(&Action::Unplug).expect("has a cable");
        host.sleep(Span::ms(300));
        let gone = host.drive().map_or(true, |mut drive| drive.read_file("DETAILS.TXT").is_err());
        assert!(gone, "nobody is there");
        host.machine().act(&Action::Plug).expect("has a cable");
        host.enumerate().expect("enumerates again");
        let copied = host.drive().expect("a drive").copy("demo.hex", DEMO, WriteOrder::LinuxUmount).expect("copies");
        assert!(copied.is_success(), "{copied:?}");
    }
}

#[test]
fn a_cable_may_be_pulled_at_any_moment_of_a_copy() {
    for (bytes, on_battery) in [(40, false), (512, true), (1_600, false), (3_000, true)] {
        let mut host = Host::new(board(None));
        host.enumerate().expect("enumerates");
        // With a battery the interface chip goes on with what it has got of the file.
        host.machine().act(&Action::Battery { on: on_battery, mv: None }).expect("has a battery");
        // Whatever came of the part: the cable is what matters.
        drop(host.drive().expect("a drive").copy_part("demo.hex", DEMO, WriteOrder::LinuxFlush, bytes));
        host.machine().act(&Action::Unplug).expect("has a cable");
        host.sleep(Span::secs(2));
        host.machine().act(&Action::Plug).expect("has a cable");
        host.enumerate().expect("enumerates again");
        let copied = host.drive().expect("a drive").copy("demo.hex", DEMO, WriteOrder::LinuxUmount).expect("copies");
        assert!(copied.is_success(), "after {bytes} bytes: {copied:?}");
    }
}

/// What is told of a mission of `firmware/nrf52833/missions.c`.
fn told(mission: u32) -> Vec<String> {
    let elf = object::File::parse(MISSIONS).expect("an ELF file");
    let variable = elf.symbols().find(|symbol| symbol.name() == Ok("mission")).expect("is there").address() as u32;
    let mut board = board(Some(MISSIONS));
    board.set_symbols(Symbols::parse(Path::new("missions.elf"), MISSIONS).expect("has symbols"));
    pass(&mut board, Span::ms(5));
    let now = board.now();
    let target = board.target().expect("a target").clone();
    target.lock().mem_write(now, variable, Size::Word, mission).expect("RAM");
    pass(&mut board, Span::ms(20));
    board.incidents().to_vec()
}

#[test]
fn programs_that_go_wrong_are_told_with_the_function_and_the_reason() {
    // Mission, and of each line: what came of it, where, and why.
    let cases: [(u32, &[[&str; 3]]); 6] = [
        (7, &[["BusFault", "load", "read of 0x68000000, where nothing answers"]]),
        (8, &[["MemManage fault", "store_to_guarded", "access to 0x20"]]),
        (9, &[["UsageFault", "divide", "division by zero"]]),
        (10, &[["HardFault", "load", "read of 0x68000000, where nothing answers"]]),
        (
            11,
            &[
                ["HardFault", "load", "read of 0x68000000, where nothing answers"],
                ["lockup", "hard_fault", "read of 0x68000000, where nothing answers"],
            ],
        ),
        (13, &[["HardFault", "semihosting", "breakpoint instruction without a debugger"]]),
    ];
    for (mission, expected) in cases {
        let told = told(mission);
        assert_eq!(told.len(), expected.len(), "{mission}: {told:?}");
        for (line, [what, place, why]) in told.iter().zip(expected) {
            let (head, reason) =
                line.split_once(&format!(" in {place}")).unwrap_or_else(|| panic!("{mission}: {line}"));
            assert!(head.starts_with(&format!("target: {what} at 0x")), "{mission}: {line}");
            assert!(reason.contains(why), "{mission}: {line}");
        }
    }
}

#[test]
fn a_program_that_does_nothing_wrong_has_nothing_to_tell() {
    assert_eq!(told(2), Vec::<String>::new());
}
