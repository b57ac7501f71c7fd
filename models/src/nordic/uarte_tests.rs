//! Tests of the UART and the UARTE; see the PS chapters of these names.

use super::super::peripheral::testing::Bench;
use super::super::peripheral::us;
use super::*;
use twinboard_sim::wire::{Drive, Signal};

const TX_PIN: u8 = 6;
const RX_PIN: u8 = 40;
const RAM: u32 = 0x2000_0000;
const BAUD_115200: u32 = 0x01D6_0000;
/// 139 periods of 16 MHz.
const BIT: u64 = 139 * PCLK16M;

fn uarte(bench: &mut Bench, enable: u32) -> Uarte {
    let mut uarte = Uarte::default();
    let registers = [
        (PSEL_TXD, TX_PIN.into()),
        (PSEL_RXD, RX_PIN.into()),
        (BAUDRATE, BAUD_115200),
        (RXD_PTR, RAM + 0x100),
        (TXD_PTR, RAM),
        (ENABLE, enable),
    ];
    bench.pins.outside(RX_PIN, Drive::High);
    for (offset, value) in registers {
        uarte.write(&mut bench.cx(), offset, value).expect("a register");
    }
    bench.pins.edges().clear();
    uarte
}

fn dma(bench: &mut Bench, uarte: &mut Uarte, maxcnt: u32, count: u32) {
    uarte.write(&mut bench.cx(), maxcnt, count);
    uarte.task(&mut bench.cx(), if maxcnt == TXD_MAXCNT { STARTTX } else { STARTRX });
}

/// Sends `bytes` to the receiver, back to back, at `bit` cycles per bit, from now on.
fn send(bench: &mut Bench, uarte: &mut Uarte, bytes: &[u8], bit: u64) {
    let format = Format { bit: bit * CYCLE_PS, parity: None, stop: 1 };
    for &byte in bytes {
        let start = bench.now;
        uarte.serial(&mut bench.cx(), RX_PIN, start * CYCLE_PS, format.frame(byte));
        bench.run_to(uarte, start + 10 * bit);
    }
}

fn sent(bench: &mut Bench) -> Vec<(u64, u8)> {
    let decode = |edge: &twinboard_sim::wire::Edge| match edge.signal {
        Signal::Serial(frame) => Some((edge.at.0 / CYCLE_PS, (frame.bits >> 1) as u8)),
        Signal::Drive(_) | Signal::I2c(_) => None,
    };
    bench.pins.edges().iter().filter_map(decode).collect()
}

#[test]
fn the_baud_rate_is_what_the_manual_says_the_hardware_really_does() {
    let mut uarte = Uarte::default();
    // BAUDRATE register, "actual rate" of the PS.
    for (register, actual) in [
        (0x0004_F000, 1_205),
        (0x0027_5000, 9_598),
        (0x00EB_0000, 57_554),
        (0x01D6_0000, 115_108),
        (0x0400_0000, 250_000),
        (0x0F00_0000, 941_176),
        (0x1000_0000, 1_000_000),
    ] {
        uarte.baudrate = register;
        let bit = uarte.bit_cycles();
        assert_eq!((64_000_000 + bit / 2) / bit, actual, "{register:#x}");
    }
}

#[test]
fn easydma_sends_the_buffer_character_by_character_and_then_raises_endtx() {
    let mut bench = Bench::default();
    let mut uarte = uarte(&mut bench, ENABLED_UARTE);
    bench.memory.write_bytes(RAM, b"Hi!");
    dma(&mut bench, &mut uarte, TXD_MAXCNT, 3);
    assert!(!uarte.events.is_set(TXSTARTED), "never inside the task write");
    let end = bench.wait(&mut uarte, ENDTX, us(1_000)).expect("ENDTX");
    let start = PCLK16M;
    let expected = [(start, b'H'), (start + 10 * BIT, b'i'), (start + 20 * BIT, b'!')];
    assert_eq!(sent(&mut bench), expected);
    assert_eq!(end, start + 30 * BIT + PCLK16M);
    assert_eq!(uarte.read(&mut bench.cx(), TXD_AMOUNT), Some(3));
}

#[test]
fn stoptx_lets_the_character_on_the_wire_finish() {
    let mut bench = Bench::default();
    let mut uarte = uarte(&mut bench, ENABLED_UARTE);
    dma(&mut bench, &mut uarte, TXD_MAXCNT, 100);
    bench.run_to(&mut uarte, 25 * BIT);
    uarte.task(&mut bench.cx(), STOPTX);
    bench.wait(&mut uarte, TXSTOPPED, us(1_000)).expect("TXSTOPPED");
    assert!(uarte.events.is_set(ENDTX));
    assert_eq!((uarte.read(&mut bench.cx(), TXD_AMOUNT), sent(&mut bench).len()), (Some(3), 3));
}

#[test]
fn a_character_sent_while_the_pin_is_disconnected_does_not_reach_the_wire() {
    let mut bench = Bench::default();
    let mut uarte = uarte(&mut bench, ENABLED_UART);
    uarte.write(&mut bench.cx(), PSEL_TXD, u32::MAX);
    bench.pins.edges().clear();
    uarte.task(&mut bench.cx(), STARTTX);
    uarte.write(&mut bench.cx(), TXD, 0);
    assert_eq!(bench.wait(&mut uarte, TXDRDY, us(1_000)), Some(10 * BIT));
    assert!(bench.pins.edges().is_empty());
}

#[test]
fn the_uart_holds_six_characters_and_announces_each_that_is_left() {
    let mut bench = Bench::default();
    let mut uarte = uarte(&mut bench, ENABLED_UART);
    uarte.task(&mut bench.cx(), STARTRX);
    send(&mut bench, &mut uarte, b"abcdefg", BIT);
    assert_eq!(uarte.errorsrc, OVERRUN);
    assert!(uarte.events.is_set(ERROR));
    for expected in b"abcdef" {
        assert!(uarte.events.is_set(RXDRDY));
        uarte.events.write(0x100 + 4 * RXDRDY, 0);
        assert_eq!(uarte.read(&mut bench.cx(), RXD), Some(u32::from(*expected)));
        let soon = bench.now + us(1);
        bench.run_to(&mut uarte, soon);
    }
    assert!(!uarte.events.is_set(RXDRDY));
}

#[test]
fn easydma_receives_into_the_buffer_and_ends_when_it_is_full() {
    let mut bench = Bench::default();
    let mut uarte = uarte(&mut bench, ENABLED_UARTE);
    dma(&mut bench, &mut uarte, RXD_MAXCNT, 2);
    send(&mut bench, &mut uarte, b"xyz", BIT);
    assert!(uarte.events.is_set(ENDRX));
    assert_eq!(bench.memory.read_bytes(RAM + 0x100, 3), Some(&b"xy\0"[..]));
    // The third waits in the FIFO for the next buffer.
    dma(&mut bench, &mut uarte, RXD_MAXCNT, 1);
    assert_eq!(bench.memory.read_bytes(RAM + 0x100, 1), Some(&b"z"[..]));
}

#[test]
fn the_endrx_startrx_short_goes_on_with_the_next_buffer() {
    let mut bench = Bench::default();
    let mut uarte = uarte(&mut bench, ENABLED_UARTE);
    uarte.write(&mut bench.cx(), SHORTS, SHORT_ENDRX_STARTRX);
    dma(&mut bench, &mut uarte, RXD_MAXCNT, 2);
    uarte.write(&mut bench.cx(), RXD_PTR, RAM + 0x200);
    send(&mut bench, &mut uarte, b"abcd", BIT);
    let buffers = [RAM + 0x100, RAM + 0x200].map(|at| bench.memory.read_bytes(at, 2).map(<[u8]>::to_vec));
    assert_eq!(buffers, [Some(b"ab".to_vec()), Some(b"cd".to_vec())]);
    assert_eq!(uarte.errorsrc, 0);
}

#[test]
fn stoprx_is_followed_by_endrx_and_five_characters_later_by_rxto() {
    let mut bench = Bench::default();
    let mut uarte = uarte(&mut bench, ENABLED_UARTE);
    dma(&mut bench, &mut uarte, RXD_MAXCNT, 32);
    send(&mut bench, &mut uarte, b"ab", BIT);
    let stop = bench.now;
    uarte.task(&mut bench.cx(), STOPRX);
    send(&mut bench, &mut uarte, b"c", BIT);
    assert!(uarte.events.is_set(ENDRX));
    assert_eq!(uarte.read(&mut bench.cx(), RXD_AMOUNT), Some(2));
    assert_eq!(bench.wait(&mut uarte, RXTO, NEVER - 1), Some(stop + 50 * BIT));
    uarte.events.write(0x100 + 4 * ENDRX, 0);
    uarte.task(&mut bench.cx(), FLUSHRX);
    bench.wait(&mut uarte, ENDRX, NEVER - 1).expect("ENDRX");
    assert_eq!(uarte.read(&mut bench.cx(), RXD_AMOUNT), Some(1), "what came after STOPRX");
}

#[test]
fn a_sender_at_twice_the_rate_gives_wrong_characters() {
    let mut bench = Bench::default();
    let mut uarte = uarte(&mut bench, ENABLED_UART);
    uarte.task(&mut bench.cx(), STARTRX);
    send(&mut bench, &mut uarte, b"UUUU", BIT / 2);
    assert_ne!(uarte.fifo.bytes[0], b'U');
    assert!(uarte.fifo.len < 4);
}

#[test]
fn a_line_held_low_is_a_break() {
    let mut bench = Bench::default();
    let mut uarte = uarte(&mut bench, ENABLED_UART);
    uarte.task(&mut bench.cx(), STARTRX);
    bench.pins.outside(RX_PIN, Drive::Low);
    let changed = bench.pins.take_changed();
    uarte.levels_changed(&mut bench.cx(), changed);
    bench.run_to(&mut uarte, 100 * BIT);
    assert_eq!(uarte.errorsrc, FRAMING | BREAK);
    assert_eq!(uarte.fifo.len, 1);
}

#[test]
fn the_transmit_pin_idles_high_while_enabled_and_is_given_back_after() {
    let mut bench = Bench::default();
    let mut uarte = uarte(&mut bench, ENABLED_UARTE);
    assert_eq!(bench.pins.taken(TX_PIN), Some(true));
    uarte.write(&mut bench.cx(), ENABLE, 0);
    assert_eq!(bench.pins.taken(TX_PIN), None);
}

#[test]
fn the_uart_of_the_nrf51_sends_a_byte_nowhere_while_its_pin_is_not_chosen() {
    // Reference manual, "UART"; dossier 2.13: mbed writes TXD = 0 before PSELTXD to see a first TXDRDY.
    let (mut bench, mut uart) = (Bench::default(), Uarte::without_dma());
    for (offset, value) in [(BAUDRATE, 0x0027_5000), (ENABLE, ENABLED_UART)] {
        uart.write(&mut bench.cx(), offset, value).expect("a register");
    }
    uart.task(&mut bench.cx(), STARTTX).expect("a task");
    uart.write(&mut bench.cx(), TXD, 0).expect("TXD");
    let end = bench.wait(&mut uart, TXDRDY, us(2_000)).expect("TXDRDY");
    assert!(end.abs_diff(us(1_042)) < us(2), "ten bits at 9600 baud, not {end} cycles");
    assert!(sent(&mut bench).is_empty());
    uart.write(&mut bench.cx(), PSEL_TXD, TX_PIN.into()).expect("PSELTXD");
    uart.write(&mut bench.cx(), TXD, 0x55).expect("TXD");
    assert_eq!(sent(&mut bench).iter().map(|(_, byte)| *byte).collect::<Vec<_>>(), [0x55]);
}

#[test]
fn the_uart_of_the_nrf51_has_no_easydma() {
    let (mut bench, mut uart) = (Bench::default(), Uarte::without_dma());
    uart.write(&mut bench.cx(), ENABLE, ENABLED_UARTE);
    assert_eq!(uart.read(&mut bench.cx(), ENABLE), Some(0), "ENABLE has three bits");
    assert_eq!([RXD_PTR, TXD_MAXCNT].map(|offset| uart.read(&mut bench.cx(), offset)), [None; 2]);
    uart.events().write(0x304, u32::MAX);
    assert_eq!(uart.events().read(0x304), Some(0x2_0287), "CTS, NCTS, RXDRDY, TXDRDY, ERROR, RXTO");
}

#[test]
fn a_receiver_that_was_started_before_pin_and_baud_rate_were_chosen_uses_them() {
    // The order in which mbed sets the nRF51's UART up.
    let (mut bench, mut uart) = (Bench::default(), Uarte::without_dma());
    bench.pins.outside(RX_PIN, Drive::High);
    uart.write(&mut bench.cx(), ENABLE, ENABLED_UART).expect("ENABLE");
    uart.task(&mut bench.cx(), STARTRX).expect("a task");
    for (offset, value) in [(PSEL_RXD, RX_PIN.into()), (BAUDRATE, BAUD_115200)] {
        uart.write(&mut bench.cx(), offset, value).expect("a register");
    }
    send(&mut bench, &mut uart, b"A", BIT);
    assert!(uart.events().is_set(RXDRDY));
    assert_eq!(uart.read(&mut bench.cx(), RXD), Some(u32::from(b'A')));
}
