//! What the product specification says of the I2C slave. The other end of the wires is played by the tests.

use twinboard_sim::time::Span;
use twinboard_sim::wire::Signal;

use super::super::nrf52833::SERIAL;
use super::super::peripheral::testing::Bench;
use super::super::peripheral::{Peripheral, Reset, us};
use super::super::twi_page::TwiPage;
use super::*;

const RAM: u32 = 0x2000_0000;
const SDA: u8 = 30;
/// 400 kHz.
const BIT: Span = Span::ns(2_500);

/// A slave with the addresses 0x70 and 0x72 and four bytes of room in each direction.
fn slave(bench: &mut Bench) -> TwiPage {
    let mut page = TwiPage::new(SERIAL);
    let registers = [
        (0x500, 9),
        (PSEL_SDA, SDA.into()),
        (ADDRESS[0], 0x70),
        (ADDRESS[1], 0x72),
        (CONFIG, 3),
        (RXD_PTR, RAM),
        (RXD_PTR + 4, 4),
        (TXD_PTR, RAM + 0x100),
        (TXD_PTR + 4, 4),
        (ORC, 0xEE),
    ];
    for (offset, value) in registers {
        page.write(&mut bench.cx(), offset, value).expect("a register");
    }
    bench.memory.write_bytes(RAM + 0x100, &[0x20, 0x39, 3, 4]);
    page
}

/// The master does `step`, 22.5 µs after the one before; what the slave says at once.
fn hear(bench: &mut Bench, page: &mut TwiPage, step: I2cSignal) -> Option<I2cSignal> {
    let at = bench.now + us(25);
    bench.run_to(page, at);
    said(bench);
    page.i2c(&mut bench.cx(), SDA, step);
    said(bench)
}

fn said(bench: &mut Bench) -> Option<I2cSignal> {
    let last = bench.pins.edges().drain(..).next_back();
    last.map(|edge| if let Signal::I2c(step) = edge.signal { step } else { panic!("{edge:?}") })
}

fn start(address: u8, read: bool) -> I2cSignal {
    I2cSignal::Start { address, read, bit: BIT }
}

fn prepare(bench: &mut Bench, page: &mut TwiPage, task: u32) -> Option<I2cSignal> {
    page.task(&mut bench.cx(), task).expect("a task");
    said(bench)
}

fn read(bench: &mut Bench, page: &mut TwiPage, offset: u32) -> u32 {
    page.read(&mut bench.cx(), offset).expect("a register")
}

#[test]
fn the_clock_is_held_until_a_buffer_is_prepared_and_then_bytes_go_there() {
    let mut bench = Bench::default();
    let mut page = slave(&mut bench);
    assert_eq!(hear(&mut bench, &mut page, start(0x72, false)), Some(I2cSignal::Answer(true)));
    assert!(!page.events().is_set(WRITE), "not before the address is over");
    assert_eq!(hear(&mut bench, &mut page, I2cSignal::Write(7)), Some(I2cSignal::Hold));
    assert!(page.events().is_set(WRITE) && !page.events().is_set(RXSTARTED));
    assert_eq!(read(&mut bench, &mut page, MATCH), 1, "the second address");
    assert_eq!(prepare(&mut bench, &mut page, PREPARERX), Some(I2cSignal::Answer(true)));
    assert_eq!(hear(&mut bench, &mut page, I2cSignal::Write(8)), Some(I2cSignal::Answer(true)));
    assert!(page.events().is_set(RXSTARTED));
    hear(&mut bench, &mut page, I2cSignal::Stop);
    let limit = bench.now + us(10);
    bench.wait(&mut page, STOPPED, limit).expect("STOPPED");
    assert_eq!(bench.memory.read_bytes(RAM, 2), Some(&[7, 8][..]));
    assert_eq!(read(&mut bench, &mut page, RXD_AMOUNT), 2);
}

#[test]
fn a_buffer_that_was_prepared_beforehand_needs_no_waiting_and_serves_one_transfer() {
    let mut bench = Bench::default();
    let mut page = slave(&mut bench);
    prepare(&mut bench, &mut page, PREPARETX);
    assert!(!page.events().is_set(TXSTARTED), "nobody reads yet");
    hear(&mut bench, &mut page, start(0x70, true));
    assert_eq!(hear(&mut bench, &mut page, I2cSignal::Read), Some(I2cSignal::Data(0x20)));
    assert!(page.events().is_set(READ));
    hear(&mut bench, &mut page, I2cSignal::Acknowledge(true));
    assert_eq!(hear(&mut bench, &mut page, I2cSignal::Read), Some(I2cSignal::Data(0x39)));
    hear(&mut bench, &mut page, I2cSignal::Acknowledge(false));
    hear(&mut bench, &mut page, I2cSignal::Stop);
    assert_eq!(read(&mut bench, &mut page, TXD_AMOUNT), 2);
    assert_eq!(read(&mut bench, &mut page, MATCH), 0);
    hear(&mut bench, &mut page, start(0x70, true));
    assert_eq!(hear(&mut bench, &mut page, I2cSignal::Read), Some(I2cSignal::Hold));
}

#[test]
fn too_much_for_the_buffer_is_refused_or_answered_with_the_over_read_character() {
    let mut bench = Bench::default();
    let mut page = slave(&mut bench);
    for task in [PREPARERX, PREPARETX] {
        prepare(&mut bench, &mut page, task);
    }
    hear(&mut bench, &mut page, start(0x70, false));
    for n in 0..4 {
        assert_eq!(hear(&mut bench, &mut page, I2cSignal::Write(n)), Some(I2cSignal::Answer(true)));
    }
    assert_eq!(hear(&mut bench, &mut page, I2cSignal::Write(4)), Some(I2cSignal::Answer(false)));
    assert_eq!(read(&mut bench, &mut page, ERRORSRC), OVERFLOW);
    page.write(&mut bench.cx(), ERRORSRC, OVERFLOW).expect("ERRORSRC");
    hear(&mut bench, &mut page, start(0x70, true));
    for byte in [0x20, 0x39, 3, 4, 0xEE] {
        assert_eq!(hear(&mut bench, &mut page, I2cSignal::Read), Some(I2cSignal::Data(byte)));
    }
    assert_eq!(read(&mut bench, &mut page, ERRORSRC), OVERREAD);
    let limit = bench.now + us(10);
    bench.wait(&mut page, ERROR, limit).expect("ERROR");
}

#[test]
fn an_address_that_is_not_enabled_or_a_disabled_slave_says_nothing() {
    let mut bench = Bench::default();
    let mut page = slave(&mut bench);
    assert_eq!(hear(&mut bench, &mut page, start(0x71, false)), None);
    page.write(&mut bench.cx(), CONFIG, 1).expect("CONFIG");
    assert_eq!(hear(&mut bench, &mut page, start(0x72, false)), None);
    page.write(&mut bench.cx(), 0x500, 0).expect("ENABLE");
    assert_eq!(hear(&mut bench, &mut page, start(0x70, false)), None);
}

#[test]
fn a_slave_that_is_suspended_by_a_short_holds_the_clock_until_it_resumes() {
    let mut bench = Bench::default();
    let mut page = slave(&mut bench);
    page.write(&mut bench.cx(), SHORTS, READ_SUSPEND).expect("SHORTS");
    prepare(&mut bench, &mut page, PREPARETX);
    hear(&mut bench, &mut page, start(0x70, true));
    assert_eq!(hear(&mut bench, &mut page, I2cSignal::Read), Some(I2cSignal::Hold));
    assert_eq!(prepare(&mut bench, &mut page, RESUME), Some(I2cSignal::Data(0x20)));
}

#[test]
fn a_slave_that_is_reset_lets_go_of_the_clock() {
    let mut bench = Bench::default();
    let mut page = slave(&mut bench);
    hear(&mut bench, &mut page, start(0x70, true));
    assert_eq!(hear(&mut bench, &mut page, I2cSignal::Read), Some(I2cSignal::Hold));
    page.reset(&mut bench.cx(), Reset::Soft);
    assert_eq!(said(&mut bench), Some(I2cSignal::Answer(false)));
}
