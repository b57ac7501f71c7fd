use twinboard_sim::wire::{Drive, Edge, Signal};

use super::super::kl26z::{UART0, UART1};
use super::super::pins::by_name;
use super::super::port;
use super::*;
use crate::kinetis::peripheral::testing::Bench;

/// UART1 on PTC3 and PTC4 at 115385 baud (24 MHz / 16 / 13), both ways on.
fn bench() -> (Bench, Uart) {
    let (mut bench, mut uart) = (Bench::default(), Uart::new(UART1));
    for pin in [3, 4] {
        port::write(&mut bench.pins, Time::ZERO, 2, 4 * pin, 0x300, u32::MAX).expect("PCR");
    }
    bench.pins.outside(by_name("PTC3").expect("a pin"), Drive::PullUp);
    bench.write(&mut uart, BDL, 13);
    bench.write(&mut uart, C2, 0x0C);
    bench.pins.edges().clear();
    (bench, uart)
}

const BIT: u64 = 16 * 13 * 1_000_000 / 24 + 1;

fn frames(bench: &mut Bench) -> Vec<(u64, SerialFrame)> {
    let serial = |edge: Edge| match edge.signal {
        Signal::Serial(frame) => Some((edge.at.0, frame)),
        _ => None,
    };
    bench.pins.edges().drain(..).filter_map(serial).collect()
}

#[test]
fn a_character_leaves_at_the_baud_rate_of_sbr_and_the_next_one_follows_it() {
    let (mut bench, mut uart) = bench();
    assert_eq!(bench.read(&mut uart, S1), 0xC0);
    bench.write(&mut uart, D, 0x55);
    assert_eq!(bench.read(&mut uart, S1), 0x80, "the shift register has it");
    bench.write(&mut uart, D, 0xAA);
    assert_eq!(bench.read(&mut uart, S1), 0x00);
    bench.run_to(&mut uart, Time(25 * BIT));
    assert_eq!(bench.read(&mut uart, S1), 0xC0);
    let frame = |bits| SerialFrame { bit: Span(BIT), bits, count: 10 };
    assert_eq!(frames(&mut bench), [(0, frame(0x2AA)), (10 * BIT, frame(0x354))]);
}

fn hear(bench: &mut Bench, uart: &mut Uart, at: u64, byte: u8, bit: u64) {
    bench.run_to(uart, Time(at));
    let frame = Format { bit, parity: None, stop: 1 }.frame(byte);
    uart.serial(&mut bench.cx(), by_name("PTC3").expect("a pin"), Time(at), frame);
}

#[test]
fn a_received_character_sets_rdrf_and_interrupts_until_s1_and_then_d_are_read() {
    let (mut bench, mut uart) = bench();
    bench.write(&mut uart, C2, 0x2C);
    hear(&mut bench, &mut uart, 1_000, b'k', BIT);
    bench.run_to(&mut uart, Time(1_000 + 10 * BIT));
    assert!(uart.irq());
    assert_eq!(bench.read(&mut uart, D), u32::from(b'k'));
    assert!(uart.irq(), "S1 was not read before");
    assert_eq!(bench.read(&mut uart, S1) & 0x20, 0x20);
    assert_eq!(bench.read(&mut uart, D), u32::from(b'k'));
    assert!(!uart.irq());
}

#[test]
fn a_second_character_that_nobody_waited_for_is_lost_with_or() {
    let (mut bench, mut uart) = bench();
    hear(&mut bench, &mut uart, 0, b'1', BIT);
    hear(&mut bench, &mut uart, 11 * BIT, b'2', BIT);
    bench.run_to(&mut uart, Time(22 * BIT));
    assert_eq!(bench.read(&mut uart, S1) & 0x28, 0x28);
    assert_eq!(bench.read(&mut uart, D), u32::from(b'1'));
    assert_eq!(bench.read(&mut uart, S1) & 0x28, 0);
}

#[test]
fn at_half_the_baud_rate_something_else_arrives() {
    let (mut bench, mut uart) = bench();
    hear(&mut bench, &mut uart, 0, 0x55, 2 * BIT);
    bench.run_to(&mut uart, Time(11 * BIT));
    assert_eq!(bench.read(&mut uart, D), 0b0110_0110);
    assert_eq!(bench.read(&mut uart, S1) & 2, 2, "FE");
}

#[test]
fn nine_bits_with_parity_are_eight_and_their_parity() {
    let (mut bench, mut uart) = bench();
    bench.write(&mut uart, C1, 0x12);
    bench.write(&mut uart, D, 0x07);
    let sent = frames(&mut bench);
    assert_eq!((sent[0].1.count, sent[0].1.bits), (11, 0b110_0000_1110), "even parity of three ones is 1");
    let odd = Format { bit: BIT, parity: Some(true), stop: 1 }.frame(7);
    uart.serial(&mut bench.cx(), by_name("PTC3").expect("a pin"), Time(0), odd);
    bench.run_to(&mut uart, Time(12 * BIT));
    assert_eq!(bench.read(&mut uart, S1) & 0x21, 0x21, "PF");
}

#[test]
fn uart0_counts_its_own_oversampling_of_the_clock_that_sopt2_chooses() {
    let (mut bench, mut uart) = (Bench::default(), Uart::new(UART0));
    port::write(&mut bench.pins, Time::ZERO, 0, 8, 0x200, u32::MAX).expect("PCR2");
    bench.write(&mut uart, BDL, 26);
    bench.write(&mut uart, C2, 0x08);
    bench.pins.edges().clear();
    bench.write(&mut uart, D, 0);
    assert_eq!(frames(&mut bench), [], "no clock");
    bench.sopt2 = 1 << SOPT2_UART0SRC;
    bench.write(&mut uart, UART0_C4, 0x07);
    let sent = frames(&mut bench);
    assert_eq!(sent[0].1.bit, Span((8 * 26 * 1_000_000u64).div_ceil(48)));
}
