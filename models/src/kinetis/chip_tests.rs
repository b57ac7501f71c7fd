use twinboard_sim::wire::Signal;

use super::super::KL26Z;
use super::super::pin_by_name;
use super::*;

const SIM_SCGC5: u32 = 0x4004_8038;
const SIM_SCGC6: u32 = 0x4004_803C;
const PORTC_PCR5: u32 = 0x4004_B014;
const RCM_SRS0: u32 = 0x4007_F000;
const MCG_C1: u32 = 0x4006_4000;

/// `b .`
const FOR_EVER: &[u8] = &[0xFE, 0xE7];

/// Opens the ports' gates, makes PTC5 an output, starts the crystal and asks for it as the core's clock; then toggles the
/// pin for ever.
const TOGGLE: &[u8] = &[
    0x07, 0x48, 0x08, 0x49, 0x01, 0x60, 0x08, 0x48, 0x08, 0x49, 0x01, 0x60, 0x08, 0x48, 0x20, 0x21, 0x41, 0x61, 0x08,
    0x4A, 0x24, 0x23, 0x53, 0x70, 0xA2, 0x23, 0x13, 0x70, 0xC1, 0x60, 0xFD, 0xE7, 0x38, 0x80, 0x04, 0x40, 0x82, 0x3F,
    0x00, 0x00, 0x14, 0xB0, 0x04, 0x40, 0x00, 0x01, 0x00, 0x00, 0x80, 0xF0, 0x0F, 0x40, 0x00, 0x40, 0x06, 0x40,
];

/// A chip with `code` at 8 bytes behind its vectors, which stand at `vectors`.
fn chip(vectors: u32, code: &[u8], start: Start) -> Kinetis {
    let mut image = [0x2000_3000, (vectors + 8) | 1].map(u32::to_le_bytes).concat();
    image.extend_from_slice(code);
    let options = Options { image: vec![(vectors, image)], start, ..Options::default() };
    Kinetis::new(&KL26Z, &options)
}

fn read(chip: &mut Kinetis, address: u32, size: Size) -> Result<u32, twinboard_sim::bus::BusFault> {
    let mut result = Ok(0);
    chip.with_cpu(&mut |cpu| result = cpu.read_memory(address, size));
    result
}

fn write(chip: &mut Kinetis, address: u32, size: Size, value: u32) {
    chip.with_cpu(&mut |cpu| cpu.write_memory(address, size, value).expect("answers"));
}

fn run(chip: &mut Kinetis, until: Span) -> Vec<Edge> {
    let mut out = Vec::new();
    while Chip::now(chip) < Time::ZERO + until {
        chip.advance(Time::ZERO + until, &mut out);
    }
    out
}

#[test]
fn it_runs_at_21_mhz_after_the_time_that_a_reset_takes() {
    let mut chip = chip(0, FOR_EVER, Start::Reset);
    run(&mut chip, Span::ms(10));
    assert_eq!(chip.soc.clock.rate().ticks(Span::secs(1)), 20_971_520);
    assert_eq!(chip.core.register(REGISTER_PC), 8);
    let cycles = 20_971_520 / 100;
    assert!((cycles..cycles + 3).contains(&chip.core.cycle()), "{}", chip.core.cycle());
}

#[test]
fn the_cop_resets_a_program_that_does_not_mind_it_after_1024_ms() {
    let mut chip = chip(0, FOR_EVER, Start::Reset);
    run(&mut chip, Span::ms(1_023));
    assert_eq!(read(&mut chip, RCM_SRS0, Size::Half), Ok(0x82), "power-on");
    run(&mut chip, Span::ms(1_025));
    assert_eq!(read(&mut chip, RCM_SRS0, Size::Half), Ok(0x20), "COP");
}

#[test]
fn a_port_without_a_clock_does_not_answer() {
    let mut chip = chip(0, FOR_EVER, Start::Reset);
    assert!(read(&mut chip, PORTC_PCR5, Size::Word).is_err());
    write(&mut chip, SIM_SCGC5, Size::Word, 0x3E00);
    assert_eq!(read(&mut chip, PORTC_PCR5, Size::Word), Ok(0));
    assert!(read(&mut chip, 0x4000_0000, Size::Word).is_err(), "nobody is there");
}

#[test]
fn what_has_no_model_is_counted_by_name() {
    let mut chip = chip(0, FOR_EVER, Start::Reset);
    write(&mut chip, SIM_SCGC6, Size::Word, 0x8000_0001);
    write(&mut chip, 0x4003_F000, Size::Byte, 1);
    assert_eq!(read(&mut chip, 0x4004_9000 - 0x1FFC, Size::Word), Ok(0), "SOPT1CFG");
    write(&mut chip, SIM_SCGC5, Size::Word, 0x3E00);
    assert_eq!(read(&mut chip, 0x4004_B0FC, Size::Word), Ok(0));
    let mut report = Report::default();
    Chip::report(&chip, &mut report);
    let seen: Vec<_> = report.unmodelled.iter().map(|((place, access), n)| (place.as_str(), *access, *n)).collect();
    use twinboard_sim::report::Access::{Read, Write};
    assert_eq!(seen, [("kl26z DAC0+0x000", Write, 1), ("kl26z PORTC+0x0fc", Read, 1)]);
}

#[test]
fn timers_and_converter_interrupt_on_the_lines_that_the_manual_gives_them() {
    let word = |chip: &mut Kinetis, address, value| write(chip, address, Size::Word, value);
    let mut chip = chip(0, FOR_EVER, Start::Reset);
    run(&mut chip, Span::ms(1));
    // COP off; gates of LPTMR, PIT, TPM0, TPM2, ADC0, RTC; TPMs from MCGFLLCLK, ERCLK32K from the LPO.
    for (address, value) in
        [(0x4004_8100, 0), (SIM_SCGC5, 1), (SIM_SCGC6, 0x2D80_0001), (0x4004_8004, 1 << 24), (0x4004_7000, 3 << 18)]
    {
        word(&mut chip, address, value);
    }
    let pending = |chip: &mut Kinetis| read(chip, 0xE000_E200, Size::Word).expect("NVIC_ISPR");
    // The RTC's time is invalid: its interrupt is there from the beginning.
    assert_eq!(pending(&mut chip), 1 << 20);
    let started = [
        // PIT: MCR, LDVAL1, TCTRL1.
        (22, vec![(0x4003_7000, 0), (0x4003_7110, 1_000), (0x4003_7118, 3)]),
        // LPTMR0: PSR (the LPO, without prescaler), CMR, CSR.
        (28, vec![(0x4004_0004, 5), (0x4004_0008, 1), (0x4004_0000, 0x41)]),
        // TPM0 and TPM2: MOD, SC.
        (17, vec![(0x4003_8008, 100), (0x4003_8000, 0x48)]),
        (19, vec![(0x4003_A008, 100), (0x4003_A000, 0x48)]),
        // ADC0: SC1A, channel VREFH.
        (15, vec![(0x4003_B000, 0x40 | 29)]),
    ];
    let mut expected = 1 << 20;
    for (line, writes) in started {
        for (address, value) in writes {
            word(&mut chip, address, value);
        }
        assert_eq!(pending(&mut chip), expected, "{line}");
        let until = Chip::now(&chip).since(Time::ZERO) + Span::ms(3);
        run(&mut chip, until);
        expected |= 1 << line;
        assert_eq!(pending(&mut chip), expected, "{line}");
    }
    // RTC: TSR, IER (TSIE), SR (TCE). At 1 kHz, a second takes 32.768 s.
    for (address, value) in [(0x4003_D000, 1), (0x4003_D01C, 0x10), (0x4003_D014, 0x10)] {
        word(&mut chip, address, value);
    }
    let began = Chip::now(&chip).since(Time::ZERO);
    run(&mut chip, began + Span::ms(32_760));
    assert_eq!(pending(&mut chip), expected);
    run(&mut chip, began + Span::ms(32_770));
    assert_eq!((pending(&mut chip), read(&mut chip, 0x4003_D000, Size::Word)), (expected | 1 << 21, Ok(2)));
    let mut report = Report::default();
    Chip::report(&chip, &mut report);
    assert!(report.unmodelled.is_empty(), "{:?}", report.unmodelled);
}

#[test]
fn a_handover_starts_at_its_vectors_unless_there_is_a_bootloader() {
    let mut bare = chip(0x8000, FOR_EVER, Start::Handover(0x8000));
    run(&mut bare, Span::ms(1));
    let state = |chip: &mut Kinetis| (chip.core.register(REGISTER_PC), chip.core.register(REGISTER_SP));
    assert_eq!((state(&mut bare), read(&mut bare, VTOR, Size::Word)), ((0x8008, 0x2000_3000), Ok(0x8000)));
    let mut full = chip(0, FOR_EVER, Start::Handover(0x8000));
    run(&mut full, Span::ms(1));
    assert_eq!((state(&mut full), read(&mut full, VTOR, Size::Word)), ((8, 0x2000_3000), Ok(0)));
}

#[test]
fn pins_toggle_faster_or_slower_with_the_clock_and_slices_do_not_matter() {
    let toggling = || {
        let mut chip = chip(0, TOGGLE, Start::Reset);
        chip.export_pins(pin_by_name("PTC5"));
        chip.soc.pins.edges().clear();
        chip
    };
    let whole = run(&mut toggling(), Span::ms(2));
    assert!(whole.iter().all(|edge| matches!(edge.signal, Signal::Drive(_))));
    let period = |edges: &[Edge]| edges[1].at.since(edges[0].at).0;
    // A store and a branch: 4 cycles of 20.97152 MHz, later of 16 MHz.
    assert!(period(&whole[10..]).abs_diff(190_735) <= 1, "{}", period(&whole[10..]));
    assert_eq!(period(&whole[whole.len() - 2..]), 250_000);
    let mut sliced = toggling();
    let mut edges = Vec::new();
    for slice in 1..=20_000 {
        edges.extend(run(&mut sliced, Span::ns(100) * slice));
    }
    assert!(whole == edges);
}

#[test]
fn power_that_goes_in_the_middle_of_an_erase_leaves_a_half_erased_sector() {
    let mut chip = chip(0, FOR_EVER, Start::Reset);
    chip.core.memory_mut().write_bytes(0x800, &[0; 0x800]);
    run(&mut chip, Span::ms(1));
    write(&mut chip, 0x4002_0004, Size::Word, 0x0900_0800);
    write(&mut chip, 0x4002_0000, Size::Byte, 0x80);
    chip.power_cycle(Time::ZERO + Span::ms(5));
    let half: Vec<u8> = chip.flash()[0x800..0xC00].to_vec();
    assert!(half.iter().any(|byte| *byte != 0) && half.iter().any(|byte| *byte != 0xFF));
    assert!(chip.flash()[0xC00..0x1000].iter().all(|byte| *byte == 0), "the next sector");
}

#[test]
fn a_core_that_fetches_from_the_flash_waits_for_the_end_of_a_command() {
    let mut chip = chip(0, FOR_EVER, Start::Reset);
    run(&mut chip, Span::ms(1));
    write(&mut chip, 0x4002_0004, Size::Word, 0x0900_0800);
    write(&mut chip, 0x4002_0000, Size::Byte, 0x80);
    let next = Chip::next_event(&chip);
    run(&mut chip, Span::ms(2));
    assert_eq!(read(&mut chip, 0x4002_0000, Size::Byte), Ok(0), "CCIF");
    assert!(next <= Time::ZERO + Span::ms(15));
    run(&mut chip, Span::ms(16));
    assert_eq!(read(&mut chip, 0x4002_0000, Size::Byte), Ok(0x80));
}

#[test]
fn reset_b_holds_the_chip_as_long_as_it_is_low() {
    let mut chip = chip(0, FOR_EVER, Start::Reset);
    let low = |at, drive| Edge { at: Time::ZERO + at, pin: PinId(20), signal: Signal::Drive(drive) };
    use twinboard_sim::wire::Drive;
    chip.receive(low(Span::ms(1), Drive::Low));
    run(&mut chip, Span::ms(3));
    assert_eq!(chip.stopped, Stopped::HeldByPin);
    chip.receive(low(Span::ms(4), Drive::Released));
    run(&mut chip, Span::ms(6));
    assert_eq!((chip.stopped, read(&mut chip, RCM_SRS0, Size::Byte)), (Stopped::No, Ok(0x40)));
}

#[test]
fn the_frequency_that_software_sees_is_the_one_that_time_has() {
    let mut chip = chip(0, FOR_EVER, Start::Reset);
    write(&mut chip, MCG_C1, Size::Byte, 0x46);
    run(&mut chip, Span::ms(100));
    let cycles = chip.core.cycle();
    run(&mut chip, Span::ms(1_000));
    let passed = chip.core.cycle() - cycles;
    assert!(passed.abs_diff(32_768 * 9 / 10) <= 2, "FBI at 32.768 kHz: {passed}");
}
