//! Our own interface firmware (`firmware/interface`) on every emulated interface chip: what always can be run, official images
//! or not.

use std::path::Path;

use twinboard_models::board::control::{Action, Answer};
use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_usbip::host::Host;
use twinboard_usbip::host::serial::LineCoding;

/// A board, the image of its interface chip, a program for its target that sends back what it hears, and the target's DPIDR.
struct Case {
    board: &'static str,
    image: &'static [u8],
    target: &'static [u8],
    dpidr: u32,
}

const V1: Case = Case {
    board: "microbit-v1",
    image: include_bytes!("../../firmware/kl26z/interface.hex"),
    target: include_bytes!("../../firmware/nrf51822/echo-115200.hex"),
    dpidr: 0x0BB1_1477,
};
const V2_00: Case = Case {
    board: "microbit-v2.00",
    image: include_bytes!("../../firmware/kl27z/interface.hex"),
    target: include_bytes!("../../firmware/nrf52833/echo-115200.hex"),
    dpidr: 0x2BA0_1477,
};
const V2_2: Case = Case {
    board: "microbit-v2.2",
    image: include_bytes!("../../firmware/nrf52820/interface.hex"),
    target: include_bytes!("../../firmware/nrf52833/echo-115200.hex"),
    dpidr: 0x2BA0_1477,
};

/// The limited run of the V2.2, whose interface chip is an nRF52833, too.
const V2_2_NRF52833: Case = Case {
    board: "microbit-v2.2-nrf52833",
    image: include_bytes!("../../firmware/nrf52833-interface/interface.hex"),
    target: include_bytes!("../../firmware/nrf52833/echo-115200.hex"),
    dpidr: 0x2BA0_1477,
};

const CASES: [Case; 4] = [V1, V2_00, V2_2, V2_2_NRF52833];

/// Vendor requests (`firmware/interface/main.c`).
const DPIDR: u8 = 1;
const STARTS: u8 = 2;
const BUTTON: u8 = 3;
const TICKS: u8 = 4;

const ECHO_OUT: u8 = 0x01;
const ECHO_IN: u8 = 0x81;
const SOON: Span = Span::secs(1);

fn board(case: &Case) -> Host<Powered> {
    powered(case, false)
}

fn powered(case: &Case, watch_wires: bool) -> Host<Powered> {
    let file = BoardFile::built_in(case.board).expect("built in");
    let image = Image::parse(Path::new("interface.hex"), case.image, BlockIds(&[]), 0).expect("an image");
    let target = Image::parse(Path::new("echo.hex"), case.target, BlockIds(&[]), 0).expect("an image");
    let interface = Some(InterfaceProgram { image: &image, start: Start::Reset });
    let options = PowerOn { interface, target: Some(&target), watch_wires, ..PowerOn::default() };
    let mut host = Host::new(file.power_on(&options).expect("a board"));
    host.enumerate().expect(case.board);
    host
}

fn ask(host: &mut Host<Powered>, request: u8) -> u32 {
    let answer = host.control_in([0xC0, request, 0, 0, 0, 0, 4, 0]).expect("answers");
    answer.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte))
}

#[test]
fn it_enumerates_as_what_it_is() {
    for case in CASES {
        let mut host = board(&case);
        let found = host.device().expect("enumerated");
        assert_eq!((found.device.id_vendor, found.device.id_product), (0x1209, 0x0001), "{}", case.board);
        assert_eq!(found.manufacturer, "twinboard");
        assert!(found.product.starts_with("Interface "), "{}", found.product);
        assert_eq!(found.raw_configurations[0].len(), 98);
        assert!(host.control_in([0xC0, 0x42, 0, 0, 0, 0, 4, 0]).expect_err("refused").is_stall());
        assert!(host.control_in([0xC0, STARTS, 0, 0, 0, 0, 4, 0]).is_ok(), "and lives on");
    }
}

#[test]
fn packets_of_every_length_come_back_from_the_bulk_endpoint() {
    for case in CASES {
        let mut host = board(&case);
        for length in 0..=64usize {
            let packet: Vec<u8> = (0..length).map(|i| (i * 5 + length) as u8).collect();
            host.write(ECHO_OUT, &packet, SOON).expect("is taken");
            assert_eq!(host.read(ECHO_IN, 64, SOON).expect("comes back"), packet, "{} {length}", case.board);
        }
    }
}

#[test]
fn the_serial_port_leads_to_the_target_and_back() {
    for case in CASES {
        let mut host = board(&case);
        let mut serial = host.serial().expect("a serial port");
        serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
        serial.read_for(Span::ms(200)).expect("what was said before");
        let text: Vec<u8> = (0..200).collect();
        serial.write(&text, SOON).expect("is taken");
        assert_eq!(serial.read_until(&[199], SOON).expect("is open"), text, "{}", case.board);
    }
}

#[test]
fn two_pins_read_the_targets_dpidr() {
    for case in CASES {
        let mut host = board(&case);
        for _ in 0..3 {
            assert_eq!(ask(&mut host, DPIDR), case.dpidr, "{}", case.board);
        }
    }
}

#[test]
fn a_counter_in_flash_survives_power_cycles_and_a_full_sector() {
    for case in CASES {
        let mut host = board(&case);
        for starts in 1..=3 {
            assert_eq!(ask(&mut host, STARTS), starts, "{}", case.board);
            host.unplug();
            host.machine().power_cycle();
            host.enumerate().expect("enumerates");
        }
        host.control_out([0x40, 5, 0, 0, 0, 0, 0, 0], &[]).expect("erases");
        assert_eq!(ask(&mut host, STARTS), 0, "{}", case.board);
    }
}

/// `firmware/nrf52833/registers.c`, on the boards whose interface chip is on the internal I2C bus.
#[test]
fn the_target_reads_and_writes_its_registers_over_i2c() {
    const REGISTERS: &[u8] = include_bytes!("../../firmware/nrf52833/registers.hex");
    for case in CASES.into_iter().filter(|case| case.board != V1.board) {
        let mut host = board(&Case { target: REGISTERS, ..case });
        let said = |host: &mut Host<Powered>| match host.machine().act(&Action::Serial) {
            Ok(Answer::Serial(serial)) => serial.text,
            other => panic!("{other:?}"),
        };
        // Who begins to listen now hears of the next start.
        said(&mut host);
        host.unplug();
        host.machine().power_cycle();
        host.enumerate().expect("enumerates");
        host.sleep(Span::ms(500));
        assert_eq!(said(&mut host), "TWIN 2 abcdefgh\r\n", "{}", case.board);
    }
}

#[test]
fn systick_counts_hundredths_of_a_second() {
    for case in CASES {
        let mut host = board(&case);
        let before = ask(&mut host, TICKS);
        host.sleep(SOON);
        let passed = ask(&mut host, TICKS) - before;
        assert!((99..=102).contains(&passed), "{}: {passed}", case.board);
    }
}

#[test]
fn the_led_blinks_twice_a_second() {
    for case in CASES {
        let mut host = powered(&case, true);
        let level = |host: &mut Host<Powered>| {
            let Ok(Answer::Pins(pins)) = host.machine().act(&Action::Pins) else { panic!("no pins") };
            let led = pins.into_iter().find(|pin| pin.name == "LED_USB").expect("a net");
            led.level
        };
        let (mut last, mut changes) = (level(&mut host), 0);
        let end = host.now() + Span::secs(2);
        while host.now() < end {
            host.sleep(Span::ms(10));
            let now = level(&mut host);
            changes += u32::from(now != last);
            last = now;
        }
        assert!((7..=9).contains(&changes), "{}: {changes}", case.board);
    }
}

#[test]
fn the_reset_button_is_seen() {
    for case in CASES {
        let mut host = board(&case);
        for pressed in [false, true, false] {
            host.machine().press("reset", pressed).expect("has one");
            host.sleep(Span::ms(1));
            assert_eq!(ask(&mut host, BUTTON), u32::from(pressed), "{}", case.board);
        }
    }
}

#[test]
fn two_runs_are_the_same() {
    for case in CASES {
        let run = || -> (Time, u32) {
            let mut host = board(&case);
            host.write(ECHO_OUT, b"again", SOON).expect("is taken");
            host.read(ECHO_IN, 64, SOON).expect("comes back");
            let ticks = ask(&mut host, TICKS);
            (host.machine().now(), ticks)
        };
        assert_eq!(run(), run(), "{}", case.board);
    }
}

#[test]
fn short_exchanges_by_the_serial_port_lose_nothing() {
    for case in CASES {
        let mut host = board(&case);
        let mut serial = host.serial().expect("a serial port");
        serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
        serial.read_for(Span::ms(200)).expect("what was said before");
        for round in 0..50u8 {
            let text: Vec<u8> = (0..64u8).map(|n| n.wrapping_mul(5) ^ round).collect();
            serial.write(&text, SOON).expect("is taken");
            let heard = serial.read_for(Span::ms(20)).expect("is open");
            assert_eq!(heard, text, "{}, round {round}", case.board);
        }
    }
}
