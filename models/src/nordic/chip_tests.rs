//! Tests of the whole chip: our own demo program, resets, protection, and the laws of [`Chip`].

use proptest::prelude::*;
use twinboard_sim::cpu::arm::Register;
use twinboard_sim::wire::{Drive, PinId, SerialFrame, Signal};

use super::super::nrf51822::NRF51822;
use super::super::nrf52820::NRF52820;
use super::super::nrf52833::NRF52833;
use super::super::table::BuildCode;
use super::*;
use crate::parts::led_matrix::{LedMatrix, STRAIGHT, SharedLedMatrix};

const TX: PinId = PinId(6);
const RX: PinId = PinId(40);
const BUTTON_A: PinId = PinId(14);
/// 139 periods of 16 MHz.
const BIT: Span = Span::ps(139 * 62_500);

const RESETREAS: u32 = 0x4000_0400;
const SYSTEMOFF: u32 = 0x4000_0500;
const USBREGSTATUS: u32 = 0x4000_0438;
const GPREGRET: u32 = 0x4000_051C;
const AIRCR: u32 = 0xE000_ED0C;
const DHCSR: u32 = 0xE000_EDF0;
const NVMC_READY: u32 = 0x4001_E400;
const NVMC_CONFIG: u32 = 0x4001_E504;
const UICR: u32 = 0x1000_1000;

/// A program that branches to itself, with its vectors.
const SPIN: [u8; 10] = [0x00, 0x00, 0x02, 0x20, 0x09, 0x00, 0x00, 0x00, 0xFE, 0xE7];

fn ms(ms: u64) -> Time {
    Time::ZERO + Span::ms(ms)
}

fn image(hex: &str) -> Vec<(u32, Vec<u8>)> {
    let mut base = 0;
    let mut image = Vec::new();
    for record in ihex::Reader::new(hex) {
        match record.expect("a record") {
            ihex::Record::Data { offset, value } => image.push((base + u32::from(offset), value)),
            ihex::Record::ExtendedLinearAddress(high) => base = u32::from(high) << 16,
            _ => {}
        }
    }
    image
}

fn chip_with(image: Vec<(u32, Vec<u8>)>) -> Nrf5 {
    let mut chip = Nrf5::new(&NRF52833, &Options { image, ..Options::default() });
    chip.receive(Edge { at: Time::ZERO, pin: RX, signal: Signal::Drive(Drive::High) });
    chip
}

fn demo() -> Nrf5 {
    chip_with(image(include_str!("../../../firmware/nrf52833/demo.hex")))
}

fn spinning() -> Nrf5 {
    chip_with(vec![(0, SPIN.to_vec())])
}

fn run(chip: &mut Nrf5, until: Time) -> Vec<Edge> {
    let mut edges = Vec::new();
    while chip.now() < until {
        chip.advance(until, &mut edges);
    }
    edges
}

fn text(edges: &[Edge]) -> String {
    let character = |edge: &Edge| match edge.signal {
        Signal::Serial(frame) if edge.pin == TX => Some(char::from((frame.bits >> 1) as u8)),
        _ => None,
    };
    edges.iter().filter_map(character).collect()
}

fn send(chip: &mut Nrf5, mut at: Time, text: &str) {
    for byte in text.bytes() {
        let frame = SerialFrame { bit: BIT, bits: u16::from(byte) << 1 | 1 << 9, count: 10 };
        chip.receive(Edge { at, pin: RX, signal: Signal::Serial(frame) });
        at += frame.duration();
    }
}

fn read(chip: &mut Nrf5, address: u32) -> u32 {
    chip.mem_read(chip.now(), address, Size::Word).expect("no bus error")
}

fn write(chip: &mut Nrf5, address: u32, value: u32) {
    chip.mem_write(chip.now(), address, Size::Word, value).expect("no bus error");
}

/// Writes a word of flash or UICR as a debugger does.
fn program(chip: &mut Nrf5, address: u32, value: u32) {
    write(chip, NVMC_CONFIG, 1);
    write(chip, address, value);
    while read(chip, NVMC_READY) == 0 {
        chip.bring_to(chip.now() + Span::us(10));
    }
    write(chip, NVMC_CONFIG, 0);
}

#[test]
fn the_demo_program_greets_at_115200_baud_and_shows_its_heart() {
    let mut chip = demo();
    let row = |pins: [u16; 5]| pins.map(PinId).to_vec();
    let matrix = SharedLedMatrix::new(LedMatrix::new(row([21, 22, 15, 24, 19]), row([28, 11, 31, 37, 30]), STRAIGHT));
    chip.observe(Box::new(matrix.clone()));
    let edges = run(&mut chip, ms(90));
    assert_eq!(text(&edges), "Hello from the micro:bit's nRF52833!\r\n");
    assert_eq!(matrix.text(ms(90)), "09090\n99999\n99999\n09990\n00900\n");
    let frames: Vec<_> = edges.iter().filter(|e| matches!(e.signal, Signal::Serial(_))).collect();
    assert!(frames.windows(2).all(|w| w[1].at.since(w[0].at) >= BIT * 10));
    let mut report = Report::default();
    chip.report(&mut report);
    assert_eq!(report, Report::default());
}

#[test]
fn the_demo_program_echoes_and_names_its_buttons() {
    let mut chip = demo();
    run(&mut chip, ms(50));
    send(&mut chip, ms(50), "ping");
    chip.receive(Edge { at: ms(70), pin: BUTTON_A, signal: Signal::Drive(Drive::Low) });
    let edges = run(&mut chip, ms(90));
    assert_eq!(text(&edges), "pingbutton A\r\n");
}

#[test]
fn edges_of_pins_that_are_not_exported_stay_inside() {
    let mut chip = demo();
    chip.export_pins(1 << TX.0);
    assert!(run(&mut chip, ms(30)).iter().all(|edge| edge.pin == TX));
}

#[test]
fn a_sleeping_chip_says_when_it_wakes() {
    let mut chip = demo();
    run(&mut chip, ms(60));
    let (now, next) = (chip.now(), chip.next_event());
    assert!(next > now && next <= now + Span::us(3_400), "{next} after {now}");
}

#[test]
fn a_soft_reset_keeps_ram_and_gpregret_and_leaves_its_reason() {
    let mut chip = spinning();
    write(&mut chip, GPREGRET, 0x57);
    write(&mut chip, 0x2000_1000, 0x1234);
    write(&mut chip, AIRCR, 0x05FA_0004);
    chip.bring_to(ms(1));
    let words = [RESETREAS, GPREGRET, 0x2000_1000].map(|address| read(&mut chip, address));
    assert_eq!(words, [1 << 2, 0x57, 0x1234]);
}

#[test]
fn code_ram_shows_the_same_bytes_as_data_ram() {
    let mut chip = spinning();
    write(&mut chip, 0x0080_0010, 0xCAFE);
    assert_eq!(read(&mut chip, 0x2000_0010), 0xCAFE);
}

#[test]
fn the_reset_pin_works_after_uicr_names_it_and_the_chip_was_reset() {
    let mut chip = spinning();
    chip.reset_pin(ms(1), true);
    chip.reset_pin(ms(2), false);
    assert_eq!(read(&mut chip, RESETREAS), 0);
    program(&mut chip, UICR + 0x200, 18);
    program(&mut chip, UICR + 0x204, 18);
    write(&mut chip, AIRCR, 0x05FA_0004);
    chip.reset_pin(ms(5), true);
    chip.reset_pin(ms(6), false);
    assert_eq!(read(&mut chip, RESETREAS), 1 << 0 | 1 << 2);
}

#[test]
fn the_watchdog_resets_the_chip() {
    let mut chip = spinning();
    write(&mut chip, 0x4001_0504, 32_767); // CRV: one second
    write(&mut chip, 0x4001_0000, 1);
    chip.bring_to(ms(999));
    assert_eq!(read(&mut chip, RESETREAS), 0);
    chip.bring_to(ms(1_002));
    assert_eq!(read(&mut chip, RESETREAS), 1 << 1);
}

#[test]
fn system_off_ends_with_a_reset_when_a_sensed_pin_has_its_level() {
    let mut chip = spinning();
    write(&mut chip, 0x5000_0700 + 4 * 14, 0x0003_000C); // P0.14: pull-up, sense low
    write(&mut chip, SYSTEMOFF, 1);
    run(&mut chip, ms(1));
    assert_eq!(chip.next_event(), Time::NEVER);
    chip.receive(Edge { at: ms(70), pin: BUTTON_A, signal: Signal::Drive(Drive::Low) });
    assert_eq!(chip.next_event(), ms(70));
    run(&mut chip, ms(71));
    assert_eq!(read(&mut chip, RESETREAS), 1 << 16);
}

/// An nRF52820 with a socket and a program that branches to itself at 0x8000, behind a bootloader that is not there.
fn interface_chip() -> Nrf5 {
    let program = [0x00, 0x40, 0x00, 0x20, 0x09, 0x80, 0x00, 0x00, 0xFE, 0xE7];
    Nrf5::new(
        &NRF52820,
        &Options {
            image: vec![(0x8000, program.to_vec())],
            start: Start::Handover(0x8000),
            usb_socket: true,
            ..Options::default()
        },
    )
}

#[test]
fn vbus_ends_system_off_and_says_that_it_did() {
    let mut chip = interface_chip();
    chip.wire_vbus_absent(PinId(7));
    write(&mut chip, SYSTEMOFF, 1);
    run(&mut chip, ms(1));
    assert_eq!(chip.next_event(), Time::NEVER);
    run(&mut chip, ms(70));
    chip.vbus(ms(70), true);
    run(&mut chip, ms(72));
    assert_eq!(read(&mut chip, RESETREAS), 1 << 20);
    assert_eq!(read(&mut chip, USBREGSTATUS), 0b11);
    write(&mut chip, 0x5000_0700 + 4 * 7, 0);
    assert_eq!(read(&mut chip, 0x5000_0510) >> 7 & 1, 0, "VBUS_ABSENT is low");
}

#[test]
fn vbus_is_an_event_and_its_supply_follows_when_it_is_ready() {
    let mut chip = interface_chip();
    chip.vbus(Time::ZERO, true);
    assert_eq!([0x11C, 0x120, 0x124].map(|event| read(&mut chip, 0x4000_0000 + event)), [1, 0, 0], "USBDETECTED");
    assert_eq!(read(&mut chip, USBREGSTATUS), 0b01);
    run(&mut chip, ms(2));
    assert_eq!([0x11C, 0x120, 0x124].map(|event| read(&mut chip, 0x4000_0000 + event)), [1, 0, 1], "USBPWRRDY");
    chip.vbus(ms(2), false);
    assert_eq!([0x120, 0x438].map(|offset| read(&mut chip, 0x4000_0000 + offset)), [1, 0], "USBREMOVED");
}

#[test]
fn every_reset_hands_over_to_the_program_behind_the_missing_bootloader() {
    let mut chip = interface_chip();
    run(&mut chip, ms(1));
    assert_eq!(chip.core().register(Register::PC), 0x8008);
    write(&mut chip, AIRCR, 0x05FA_0004);
    run(&mut chip, ms(2));
    assert_eq!((chip.core().register(Register::PC), read(&mut chip, 0xE000_ED08)), (0x8008, 0x8000));
    assert_eq!(read(&mut chip, RESETREAS), 1 << 2);
}

#[test]
fn an_nrf52820_says_what_it_is_and_has_neither_fpu_nor_saadc() {
    let mut chip = interface_chip();
    assert_eq!(read(&mut chip, 0x1000_0100), 0x52820);
    write(&mut chip, 0xE000_ED88, 0x00F0_0000);
    assert_eq!(read(&mut chip, 0xE000_ED88), 0, "CPACR");
    assert_eq!(read(&mut chip, 0x4000_7500), 0, "no SAADC");
    let mut report = Report::default();
    Chip::report(&chip, &mut report);
    assert!(report.unmodelled.keys().any(|(place, _)| place.contains("no peripheral")), "{report:?}");
}

#[test]
fn flash_that_acl_locks_is_neither_written_nor_erased() {
    let mut chip = interface_chip();
    for (offset, value) in [(0x800, 0x8000), (0x804, 0x1000), (0x808, 1 << 1)] {
        write(&mut chip, 0x4001_E000 + offset, value);
    }
    write(&mut chip, NVMC_CONFIG, 1);
    assert!(chip.mem_write(chip.now(), 0x8000, Size::Word, 0).is_err());
    write(&mut chip, 0x9000, 0x1234);
    run(&mut chip, ms(1));
    write(&mut chip, NVMC_CONFIG, 2);
    assert!(chip.mem_write(chip.now(), 0x4001_E508, Size::Word, 0x8000).is_err());
    write(&mut chip, 0x4001_E50C, 1); // ERASEALL
    run(&mut chip, ms(300));
    assert_eq!((read(&mut chip, 0x8000), read(&mut chip, 0x9000)), (0x2000_4000, 0x1234));
}

#[test]
fn a_blank_chip_locks_up_and_restarts_until_a_debugger_comes() {
    let mut chip = chip_with(Vec::new());
    chip.bring_to(ms(10));
    assert_eq!(read(&mut chip, RESETREAS), 1 << 3);
    chip.power_request(ms(10), true, true);
    write(&mut chip, RESETREAS, 1 << 3);
    write(&mut chip, DHCSR, 0xA05F_0001);
    chip.bring_to(ms(20));
    assert_eq!(read(&mut chip, RESETREAS), 0);
    assert_ne!(read(&mut chip, DHCSR) & 1 << 19, 0, "S_LOCKUP");
}

#[test]
fn eraseall_opens_a_protected_chip_and_empties_it() {
    let mut chip = spinning();
    program(&mut chip, UICR + 0x208, 0xFFFF_FF00);
    write(&mut chip, 0x2000_0000, 1);
    write(&mut chip, AIRCR, 0x05FA_0004);
    chip.bring_to(ms(5));
    assert!(!chip.mem_enabled(ms(5)));
    assert_eq!(chip.vendor_read(ms(5), CTRL_AP, 0x0C), 0);
    chip.vendor_write(ms(5), CTRL_AP, 0x04, 1);
    assert_eq!(chip.vendor_read(ms(100), CTRL_AP, 0x08), 1);
    assert_eq!(chip.vendor_read(ms(179), CTRL_AP, 0x08), 0);
    for value in [1, 0] {
        chip.vendor_write(ms(180), CTRL_AP, 0x00, value);
    }
    assert_eq!(chip.vendor_read(ms(181), CTRL_AP, 0x0C), 1);
    assert!(chip.flash().iter().chain(chip.uicr()).all(|&byte| byte == 0xFF));
    assert_eq!(read(&mut chip, 0x2000_0000), 0);
}

#[test]
fn a_hardened_chip_is_closed_when_it_is_blank() {
    for (build, open) in [(BuildCode::Aaa1, true), (BuildCode::Aab0, false)] {
        let mut chip = Nrf5::new(&NRF52833, &Options { build, ..Options::default() });
        assert_eq!(chip.mem_enabled(Time::ZERO), open);
    }
}

#[test]
fn a_page_is_erased_by_a_debugger_in_87_5_ms_and_the_bus_is_not_ready_meanwhile() {
    let mut chip = spinning();
    program(&mut chip, 0x1000, 0);
    write(&mut chip, NVMC_CONFIG, 2);
    let start = chip.now();
    write(&mut chip, 0x4001_E508, 0x1000);
    assert!(!chip.mem_ready(start + Span::ms(87), 0x1000));
    assert!(chip.mem_ready(start + Span::ms(87), 0x2000_0000));
    assert_eq!(chip.mem_read(start + Span::ms(88), NVMC_READY, Size::Word), Ok(1));
    assert_eq!(read(&mut chip, 0x1000), u32::MAX);
}

#[test]
fn a_power_cycle_keeps_flash_and_loses_ram() {
    let mut chip = spinning();
    program(&mut chip, 0x1000, 0xABCD);
    write(&mut chip, 0x2000_0000, 0x1234_5678);
    write(&mut chip, GPREGRET, 1);
    chip.power_cycle(ms(9));
    assert_eq!([read(&mut chip, 0x1000), read(&mut chip, GPREGRET), read(&mut chip, RESETREAS)], [0xABCD, 0, 0]);
    assert_ne!(read(&mut chip, 0x2000_0000), 0x1234_5678);
    assert!(chip.now() >= ms(9), "time goes on");
}

#[test]
fn flash_and_uicr_can_be_kept_outside() {
    let mut first = spinning();
    program(&mut first, UICR + 0x80, 7);
    let (flash, uicr) = (first.flash().to_vec(), first.uicr().to_vec());
    let mut second = chip_with(Vec::new());
    second.set_flash(&flash);
    second.set_uicr(&uicr);
    assert_eq!([read(&mut second, 8), read(&mut second, UICR + 0x80)], [read(&mut first, 8), 7]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The laws of [`Chip`]: slices do not matter, and nothing acts on the past.
    #[test]
    fn slices_do_not_matter(
        slices in prop::collection::vec(1u64..400_000, 1..200), presses in prop::collection::vec(0u64..20_000, 0..6),
    ) {
        let end = ms(20);
        let start = |chip: &mut Nrf5| {
            let mut presses = presses.clone();
            presses.sort_unstable();
            for (n, us) in presses.iter().enumerate() {
                let drive = if n % 2 == 0 { Drive::Low } else { Drive::High };
                let at = Time::ZERO + Span::us(*us);
                chip.receive(Edge { at, pin: BUTTON_A, signal: Signal::Drive(drive) });
            }
            send(chip, ms(7), "abc");
        };
        let (mut whole, mut sliced) = (demo(), demo());
        start(&mut whole);
        start(&mut sliced);
        let expected = run(&mut whole, end);
        let mut edges = Vec::new();
        let mut slices = slices.iter().cycle();
        while sliced.now() < end {
            let (before, len) = (sliced.now(), edges.len());
            let until = before + Span::ns(*slices.next().expect("cycles"));
            sliced.advance(until.min(end), &mut edges);
            prop_assert!(edges[len..].iter().all(|edge| edge.at >= before));
        }
        prop_assert_eq!(edges, expected);
        prop_assert_eq!(sliced.now(), whole.now());
        prop_assert_eq!(sliced.core.memory().region(sliced.ram), whole.core.memory().region(whole.ram));
    }
}

#[test]
fn the_part_number_is_readable_where_start_up_code_and_flash_algorithms_look() {
    let part = |table| {
        let mut chip = Nrf5::new(table, &Options::default());
        [0xF000_0FE0, 0xF000_0FE4, 0xF000_0FE8].map(|address| chip.mem_read(Time::ZERO, address, Size::Word))
    };
    assert_eq!(part(&NRF52833), [Ok(0x0D), Ok(0x40), Ok(0x0C)]);
    // Revision code 7 is of the revisions that no start-up code has a workaround for (dossier 1.3).
    assert_eq!(part(&NRF51822), [Ok(0x01), Ok(0x40), Ok(0x7C)]);
}
