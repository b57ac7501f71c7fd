//! Tests of the whole nRF51822: its core, resets, flash and protection.

use twinboard_sim::bus::Size;
use twinboard_sim::chip::Chip;
use twinboard_sim::debug::DebugTarget;
use twinboard_sim::time::{Span, Time};

use super::super::chip::Nrf5;
use super::super::table::Options;
use super::NRF51822;

const RESETREAS: u32 = 0x4000_0400;
const SYSTEMOFF: u32 = 0x4000_0500;
const GPREGRET: u32 = 0x4000_051C;
const POWER_RESET: u32 = 0x4000_0544;
const PROTENSET0: u32 = 0x4000_0600;
const NVMC_READY: u32 = 0x4001_E400;
const NVMC_CONFIG: u32 = 0x4001_E504;
const NVMC_ERASEPCR1: u32 = 0x4001_E508;
const NVMC_ERASEALL: u32 = 0x4001_E50C;
const AIRCR: u32 = 0xE000_ED0C;
const VTOR: u32 = 0xE000_ED08;
const RBPCONF: u32 = 0x1000_1004;

/// `adds r0, #1` and a branch back to it: 1 + 3 cycles.
const COUNT: [u16; 2] = [0x3001, 0xE7FD];

fn ms(ms: u64) -> Time {
    Time::ZERO + Span::ms(ms)
}

fn halfwords(code: &[u16]) -> Vec<u8> {
    code.iter().flat_map(|half| half.to_le_bytes()).collect()
}

/// Vectors: initial SP, reset, NMI, HardFault.
fn vectors(reset: u32, hard_fault: u32) -> Vec<u8> {
    [0x2000_4000, reset | 1, 0, hard_fault | 1].iter().flat_map(|word: &u32| word.to_le_bytes()).collect()
}

fn chip_with(image: Vec<(u32, Vec<u8>)>) -> Nrf5 {
    Nrf5::new(&NRF51822, &Options { image, ..Options::default() })
}

/// A chip that counts in R0.
fn counting() -> Nrf5 {
    chip_with(vec![(0, vectors(0x10, 0x20)), (0x10, halfwords(&COUNT))])
}

fn run(chip: &mut Nrf5, until: Time) {
    while chip.now() < until {
        chip.advance(until, &mut Vec::new());
    }
}

fn register(chip: &mut Nrf5, number: u8) -> u32 {
    let mut value = 0;
    chip.with_cpu(&mut |cpu| value = cpu.register(number));
    value
}

fn read(chip: &mut Nrf5, address: u32) -> u32 {
    chip.mem_read(chip.now(), address, Size::Word).expect("no bus error")
}

fn write(chip: &mut Nrf5, address: u32, value: u32) {
    chip.mem_write(chip.now(), address, Size::Word, value).expect("no bus error");
}

#[test]
fn the_core_runs_at_16_mhz() {
    let mut chip = counting();
    run(&mut chip, ms(1));
    let before = register(&mut chip, 0);
    run(&mut chip, ms(2));
    assert_eq!(register(&mut chip, 0) - before, 16_000 / 4);
}

#[test]
fn a_power_cycle_takes_no_time_and_the_program_starts_again() {
    let mut chip = counting();
    run(&mut chip, ms(3));
    chip.power_cycle(ms(3));
    assert!(chip.now().since(ms(3)) < Span::us(1), "{:?}", chip.now());
    let fresh = register(&mut chip, 0);
    run(&mut chip, ms(4));
    assert_eq!(register(&mut chip, 0).wrapping_sub(fresh), 4_000, "four cycles a turn at 16 MHz");
}

#[test]
fn it_identifies_itself_as_a_qfaa_of_revision_3() {
    // Dossier 1.1 to 1.3.
    let mut chip = chip_with(vec![]);
    let words = [0x1000_0010, 0x1000_0014, 0x1000_005C, 0x1000_0028, 0xE000_ED00].map(|at| read(&mut chip, at));
    assert_eq!(words, [0x400, 0x100, 0xFFFF_0072, u32::MAX, 0x410C_C200]);
}

#[test]
fn there_is_no_vtor_and_no_systick() {
    let mut chip = counting();
    write(&mut chip, VTOR, 0x100);
    write(&mut chip, 0xE000_E014, 100);
    assert_eq!([VTOR, 0xE000_E014].map(|at| read(&mut chip, at)), [0, 0]);
}

#[test]
fn an_access_to_nowhere_is_a_hard_fault() {
    // r0 = 0x60000000; load from it. The handler counts.
    let code = [0x2060, 0x0600, 0x6801, 0xBF00];
    let image = vec![(0, vectors(0x10, 0x18)), (0x10, halfwords(&code)), (0x18, halfwords(&COUNT))];
    let mut chip = chip_with(image);
    run(&mut chip, ms(1));
    assert_eq!(register(&mut chip, 16) & 0x3F, 3, "xPSR says HardFault");
    assert!((0x18..0x1C).contains(&register(&mut chip, 15)));
}

#[test]
fn a_lockup_resets_the_chip() {
    // Dossier 7: a fault in the HardFault handler; the blank chip faults on its first fetch.
    let mut chip = chip_with(vec![]);
    run(&mut chip, ms(5));
    assert_eq!(read(&mut chip, RESETREAS), 1 << 3);
}

#[test]
fn sysresetreq_keeps_ram_and_gpregret() {
    let mut chip = counting();
    run(&mut chip, ms(1));
    for (address, value) in [(0x2000_0100, 0x1234_5678), (GPREGRET, 0xB1), (0x5000_0504, 4), (AIRCR, 0x05FA_0004)] {
        write(&mut chip, address, value);
    }
    run(&mut chip, ms(2));
    let words = [RESETREAS, GPREGRET, 0x2000_0100, 0x5000_0504].map(|at| read(&mut chip, at));
    assert_eq!(words, [1 << 2, 0xB1, 0x1234_5678, 0], "GPIO is reset");
}

#[test]
fn the_shared_reset_pin_is_swdio_while_a_probe_is_there_unless_power_reset_says_otherwise() {
    // Dossier 4: debug interface mode.
    let mut chip = counting();
    let pulse = |chip: &mut Nrf5, at| {
        chip.reset_pin(ms(at), true);
        chip.reset_pin(ms(at + 1), false);
        read(chip, RESETREAS)
    };
    assert_eq!(pulse(&mut chip, 1), 1);
    write(&mut chip, RESETREAS, 1);
    chip.power_request(ms(3), true, true);
    chip.power_request(ms(4), false, false);
    assert_eq!(pulse(&mut chip, 5), 0, "debug interface mode lasts until power-off");
    write(&mut chip, POWER_RESET, 1);
    assert_eq!(pulse(&mut chip, 7), 1);
    chip.power_cycle(ms(9));
    assert_eq!(pulse(&mut chip, 10), 1);
}

#[test]
fn system_off_ends_with_detect_and_says_so() {
    let mut chip = counting();
    write(&mut chip, 0x5000_0700 + 4 * 17, 0x3_000C); // P0.17: pull-up, SENSE low
    write(&mut chip, SYSTEMOFF, 1);
    run(&mut chip, ms(1));
    let asleep = register(&mut chip, 0);
    run(&mut chip, ms(2));
    assert_eq!(register(&mut chip, 0), asleep);
    let press = twinboard_sim::wire::Signal::Drive(twinboard_sim::wire::Drive::Low);
    chip.receive(twinboard_sim::wire::Edge { at: ms(3), pin: twinboard_sim::wire::PinId(17), signal: press });
    run(&mut chip, ms(4));
    assert_eq!(read(&mut chip, RESETREAS), 1 << 16);
}

#[test]
fn an_erase_halts_the_core_for_its_whole_time_even_if_it_runs_from_ram() {
    // r1 = NVMC.CONFIG; CONFIG = Een; ERASEPCR1 = 0x1000; then count.
    let code: [u16; 12] =
        [0x4903, 0x2202, 0x600A, 0x4B03, 0x604B, 0x3001, 0xE7FD, 0xBF00, 0xE504, 0x4001, 0x1000, 0x0000];
    let mut chip = chip_with(vec![(0, vectors(0x2000_0000, 0)), (0x1000, vec![0; 4]), (0x1400, vec![0; 4])]);
    for (n, pair) in code.chunks(2).enumerate() {
        let word = u32::from(pair[1]) << 16 | u32::from(pair[0]);
        chip.mem_write(Time::ZERO, 0x2000_0000 + 4 * n as u32, Size::Word, word).expect("RAM");
    }
    run(&mut chip, Time::ZERO + Span::us(22_290));
    assert_eq!(register(&mut chip, 0), 0, "22.3 ms");
    run(&mut chip, Time::ZERO + Span::us(22_310));
    assert!(register(&mut chip, 0) > 0);
    assert_eq!([0x1000, 0x1400].map(|at| read(&mut chip, at)), [u32::MAX, 0], "a page has 1 KB");
}

#[test]
fn a_block_that_the_mpu_protects_is_neither_written_nor_erased_until_the_next_reset() {
    // Dossier 1.5: HardFault on write and erase; a probe with DISABLEINDEBUG is not bothered.
    let mut chip = counting();
    let attempts = |chip: &mut Nrf5| {
        write(chip, NVMC_CONFIG, 1);
        let written = chip.mem_write(chip.now(), 0x1FFC, Size::Word, 0).is_ok();
        run(chip, chip.now() + Span::ms(1));
        write(chip, NVMC_CONFIG, 2);
        let erased = chip.mem_write(chip.now(), NVMC_ERASEPCR1, Size::Word, 0x1C00).is_ok();
        run(chip, chip.now() + Span::ms(30));
        [written, erased]
    };
    write(&mut chip, PROTENSET0, 1 << 1);
    assert_eq!(attempts(&mut chip), [false; 2]);
    chip.power_request(chip.now(), true, true);
    assert_eq!(attempts(&mut chip), [true; 2]);
    write(&mut chip, AIRCR, 0x05FA_0004);
    run(&mut chip, ms(100));
    assert_eq!(read(&mut chip, PROTENSET0), 0);
}

#[test]
fn a_chip_closed_by_pall_shows_a_probe_nothing_and_opens_by_eraseall() {
    // Dossier 4: readback protection.
    let mut chip = counting();
    write(&mut chip, NVMC_CONFIG, 1);
    write(&mut chip, RBPCONF, 0xFFFF_00FF);
    run(&mut chip, ms(1));
    assert_eq!(read(&mut chip, 0), 0x2000_4000, "sampled at reset");
    write(&mut chip, AIRCR, 0x05FA_0004);
    run(&mut chip, ms(2));
    write(&mut chip, 0x2000_0000, 0x55);
    assert_eq!([0, 0x2000_0000, RBPCONF, GPREGRET].map(|at| read(&mut chip, at)), [0; 4]);
    write(&mut chip, NVMC_CONFIG, 2);
    write(&mut chip, NVMC_ERASEALL, 1);
    assert_eq!(read(&mut chip, NVMC_READY), 0);
    run(&mut chip, ms(30));
    assert_eq!(read(&mut chip, NVMC_READY), 1);
    write(&mut chip, AIRCR, 0x05FA_0004);
    run(&mut chip, ms(31));
    assert_eq!([0, RBPCONF].map(|at| read(&mut chip, at)), [u32::MAX; 2]);
}

#[test]
fn taking_a_peripherals_power_away_resets_its_registers() {
    // Dossier 2.0: POWER at 0xFFC.
    let mut chip = counting();
    let (prescaler, power) = (0x4000_8510, 0x4000_8FFC);
    write(&mut chip, prescaler, 0);
    write(&mut chip, 0x4000_8304, 1 << 16);
    assert_eq!(read(&mut chip, power), 1);
    write(&mut chip, power, 0);
    assert_eq!(read(&mut chip, power), 0);
    write(&mut chip, power, 1);
    assert_eq!([power, prescaler, 0x4000_8304].map(|at| read(&mut chip, at)), [1, 4, 0]);
}

#[test]
fn only_timer0_counts_beyond_16_bits() {
    // Dossier 2.6.
    let mut chip = counting();
    for timer in [0x4000_8000, 0x4000_9000] {
        write(&mut chip, timer + 0x508, 3); // 32 bits
        write(&mut chip, timer + 0x510, 0); // 16 MHz
        write(&mut chip, timer, 1);
    }
    run(&mut chip, ms(10));
    let counts = [0x4000_8000, 0x4000_9000].map(|timer| {
        write(&mut chip, timer + 0x40, 1);
        read(&mut chip, timer + 0x540)
    });
    assert!((160_000..160_100).contains(&counts[0]), "{counts:?}");
    assert_eq!(counts[1], counts[0] & 0xFFFF);
}

#[test]
fn what_other_chips_of_the_family_have_is_not_there() {
    let mut chip = counting();
    // GPIO.LATCH, GPIOTE.CONFIG[4], PPI.CH[16].EEP and FORK[0], NVMC.READYNEXT, P1.DIR.
    let absent = [0x5000_0520, 0x4000_6520, 0x4001_F590, 0x4001_F910, 0x4001_E408, 0x5000_0814];
    for address in absent {
        write(&mut chip, address, u32::MAX);
        assert_eq!(read(&mut chip, address), 0, "{address:#x}");
    }
    write(&mut chip, 0x4001_F504, u32::MAX);
    assert_eq!(read(&mut chip, 0x4001_F500), 0xFFF0_FFFF, "channels 16 to 19");
}
