//! Programs that run wild: whatever is in the flash, the chip goes on, and says what happened.

use proptest::prelude::*;

use super::*;
use crate::nordic::CHIPS;

/// A program of these bytes, with vectors that make the core execute it, or (`plain`) whatever they are.
fn program(bytes: &[u8], plain: bool, ram: u32) -> Vec<u8> {
    let mut program = bytes.to_vec();
    if !plain {
        let vectors = program.chunks_exact_mut(4).take(48).enumerate();
        for (number, vector) in vectors {
            // Handlers all over the program; the stack at the end of RAM.
            let address = if number == 0 { RAM + ram } else { (0xC0 + (number as u32 * 52) % 1_500) | 1 };
            vector.copy_from_slice(&address.to_le_bytes());
        }
    }
    program
}

fn run(chip: &mut Nrf5, until: Time) {
    let mut edges = Vec::new();
    // An edge ends a run early; each costs the program at least an instruction.
    for _ in 0..10_000_000 {
        if Chip::now(chip) >= until {
            return;
        }
        edges.clear();
        chip.advance(until, &mut edges);
    }
    panic!("the chip does not get to {until:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn random_bytes_as_programs_neither_panic_nor_hang(
        bytes in prop::collection::vec(any::<u8>(), 200..3_000),
        thumb: bool,
        plain in prop::bool::weighted(0.2),
    ) {
        let mut bytes = bytes;
        if thumb {
            // Mostly 16-bit loads, stores and arithmetic: they get further than random encodings.
            bytes.chunks_exact_mut(2).for_each(|half| half[1] = half[1] % 0x90 + 0x10);
        }
        for table in CHIPS {
            let image = vec![(0, program(&bytes, plain, table.ram))];
            let mut chip = Nrf5::new(table, &Options { image, ..Options::default() });
            run(&mut chip, Time::ZERO + Span::ms(10));
            let mut report = Report::default();
            chip.report(&mut report);
            prop_assert!(report.incidents.len() <= chip.incidents() && chip.incidents() <= 32);
        }
    }
}

/// A store to a peripheral: page, register and value, mostly ones that mean something; then so much time.
fn any_store() -> impl Strategy<Value = (u32, u32, u64)> {
    let register = prop_oneof![0u32..0x20, 0x40u32..0x60, 0xC0u32..0xD4, 0x100u32..0x1A0, 0x200u32..0x260, 0u32..0x400];
    let value = prop_oneof![
        Just(1),
        Just(u32::MAX),
        0u32..64,
        any::<u32>(),
        (0u32..0x800).prop_map(|offset| RAM + 4 * offset),
        (0u32..0x30, 0u32..0x60).prop_map(|(page, register)| 0x4000_0000 + 0x1000 * page + 4 * register),
    ];
    let time = prop_oneof![Just(0u64), 0u64..2, 0u64..300];
    (0u32..0x30, register, value, time)
        .prop_map(|(page, register, value, us)| (0x4000_0000 + 0x1000 * page + 4 * register, value, us))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn peripherals_take_whatever_is_stored_to_them(stores in prop::collection::vec(any_store(), 1..120)) {
        for table in CHIPS {
            // A program that branches to itself.
            let program: Vec<u8> = [RAM + table.ram, 0x09, 0xE7FE_E7FE].iter().flat_map(|word| word.to_le_bytes()).collect();
            let mut chip = Nrf5::new(table, &Options { image: vec![(0, program)], ..Options::default() });
            for &(address, value, us) in &stores {
                let now = Chip::now(&chip);
                let _ = chip.mem_write(now, address, Size::Word, value);
                let _ = chip.mem_read(now, address, Size::Word);
                run(&mut chip, now + Span::us(us));
            }
            let end = Chip::now(&chip) + Span::ms(2);
            run(&mut chip, end);
        }
    }
}

fn told(table: &'static ChipTable, code: &[u16], at: Time) -> Vec<(String, u64)> {
    let mut image: Vec<u8> = [RAM + table.ram, 0x101].iter().flat_map(|word| word.to_le_bytes()).collect();
    image.resize(0x100, 0xFF);
    // HardFault: a handler that faults as well.
    image[0xC..0x10].copy_from_slice(&0x181u32.to_le_bytes());
    image.extend(code.iter().flat_map(|half| half.to_le_bytes()));
    let mut chip = Nrf5::new(table, &Options { image: vec![(0, image)], ..Options::default() });
    run(&mut chip, at);
    let mut report = Report::default();
    chip.report(&mut report);
    report.incidents.iter().map(|one| (one.line(|_| None), one.times)).collect()
}

#[test]
fn a_store_to_nowhere_locks_up_and_resets_and_is_told_once_per_place() {
    for table in CHIPS {
        // MOVS R0, #3; LSLS R0, R0, #29; STR R1, [R0]
        let told = told(table, &[0x2003, 0x0740, 0x6001], Time::ZERO + Span::us(3_500));
        let name = table.name;
        assert_eq!(told[0].0, format!("{name}: HardFault at 0x00000104: write to 0x60000000, where nothing answers"));
        assert_eq!(told[1].0, format!("{name}: lockup at 0x00000180: instruction 0xffffffff, which is erased flash"));
        // Held in reset for a millisecond after each: at 0, 1, 2 and 3 ms.
        assert_eq!((told.len(), told[0].1, told[1].1), (2, 4, 4));
    }
}

#[test]
fn a_watchdog_that_is_not_fed_tells_where_the_program_was() {
    for table in CHIPS {
        // R0 = WDT (0x40010000); CRV = 32: about a millisecond; TASKS_START; then a loop.
        let code = [
            0x2040, 0x0600, // MOVS R0, #0x40; LSLS R0, R0, #24
            0x2101, 0x0409, // MOVS R1, #1; LSLS R1, R1, #16
            0x1840, // ADDS R0, R0, R1
            0x2120, // MOVS R1, #32
            0x2205, 0x0212, 0x3204, // R2 = 0x504
            0x5081, // STR R1, [R0, R2]
            0x2101, 0x6001, // STR 1, [R0]: TASKS_START
            0xE7FE, // B .
        ];
        let told = told(table, &code, Time::ZERO + Span::ms(4));
        assert_eq!(told[0].0, format!("{}: reset by the watchdog at 0x00000118", table.name));
        assert!(told.len() == 1 && told[0].1 >= 2, "{told:?}");
    }
}

#[test]
fn a_chip_as_delivered_has_nothing_to_tell() {
    for table in CHIPS {
        let mut chip = Nrf5::new(table, &Options::default());
        run(&mut chip, Time::ZERO + Span::ms(5));
        let mut report = Report::default();
        chip.report(&mut report);
        assert_eq!(report.incidents, []);
    }
}
