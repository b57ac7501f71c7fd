//! Tests of the page that SPI and TWI share.

use twinboard_sim::time::Time;
use twinboard_sim::wire::Drive;

use super::super::nrf51822::SERIAL;
use super::super::peripheral::testing::Bench;
use super::super::peripheral::us;
use super::*;
use crate::parts::i2c::I2cDevice;

const STARTRX: u32 = 0x000;
const STARTTX: u32 = 0x008;
const STOP: u32 = 0x014;
const RESUME: u32 = 0x020;
const STOPPED: u32 = 1;
const READY: u32 = 2;
const RXDREADY: u32 = 2;
const TXDSENT: u32 = 7;
const ERROR: u32 = 9;
const BB: u32 = 14;
const SUSPENDED: u32 = 18;
const SHORTS: u32 = 0x200;
const EVENTS: u32 = 0x100;

/// A device at address 0x1D that gives 0x10, 0x11, … and refuses to be written 0xEE.
#[derive(Default)]
struct Counter(u8);

impl I2cDevice for Counter {
    fn address(&self) -> u8 {
        0x1D
    }
    fn start(&mut self) {
        self.0 = 0x10;
    }
    fn write(&mut self, _: Time, byte: u8) -> bool {
        byte != 0xEE
    }
    fn read(&mut self, _: Time) -> u8 {
        self.0 += 1;
        self.0 - 1
    }
    fn output(&self, _: Time, _: usize) -> Drive {
        Drive::Released
    }
    fn next_event(&self, _: Time) -> Time {
        Time::NEVER
    }
    fn power_cycle(&mut self) {}
}

fn set(bench: &mut Bench, page: &mut SpiTwi, registers: &[(u32, u32)]) {
    for &(offset, value) in registers {
        page.write(&mut bench.cx(), offset, value).expect("a register");
    }
}

/// TWI at 100 kHz on P0.00 and P0.30, where the device is.
fn twi(bench: &mut Bench) -> SpiTwi {
    bench.i2c.pins = Some((0, 30));
    bench.i2c.devices = vec![Box::new(Counter::default())];
    let mut page = SpiTwi::new(SERIAL);
    let registers = [(0x508, 0), (0x50C, 30), (0x524, 0x0199_9999), (0x588, 0x1D), (ENABLE, ENABLED_TWI)];
    set(bench, &mut page, &registers);
    page
}

fn start(bench: &mut Bench, page: &mut SpiTwi, task: u32) {
    page.task(&mut bench.cx(), task).expect("a task");
}

/// Waits for event `n`, clears it, and gives the time it took.
fn wait(bench: &mut Bench, page: &mut SpiTwi, n: u32) -> u64 {
    let (from, limit) = (bench.now, bench.now + us(1_000));
    let at = bench.wait(page, n, limit).unwrap_or_else(|| panic!("event {n} comes"));
    page.events().write(EVENTS + 4 * n, 0);
    at - from
}

fn rxd(bench: &mut Bench, page: &mut SpiTwi) -> u32 {
    page.read(&mut bench.cx(), RXD).expect("RXD")
}

#[test]
fn a_byte_goes_when_txd_is_written_and_txdsent_tells_that_it_is_over() {
    let mut bench = Bench::default();
    let mut page = twi(&mut bench);
    start(&mut bench, &mut page, STARTTX);
    set(&mut bench, &mut page, &[(TXD, 0x2A)]);
    let clock = us(10);
    let took = wait(&mut bench, &mut page, TXDSENT);
    assert!(took.abs_diff(19 * clock) < clock / 2, "address and byte are 19 clocks, not {took} cycles");
    assert!(bench.wait(&mut page, TXDSENT, bench.now + us(500)).is_none(), "without TXD the bus waits");
    start(&mut bench, &mut page, STOP);
    wait(&mut bench, &mut page, STOPPED);
}

#[test]
fn with_bb_suspend_each_byte_waits_for_resume_and_the_last_is_stopped_by_bb_stop() {
    // Reference manual, "Master mode reading": BB_SUSPEND for all bytes but the last, BB_STOP for that.
    let mut bench = Bench::default();
    let mut page = twi(&mut bench);
    set(&mut bench, &mut page, &[(SHORTS, 1)]);
    start(&mut bench, &mut page, STARTRX);
    wait(&mut bench, &mut page, RXDREADY);
    assert!(page.events().is_set(BB));
    wait(&mut bench, &mut page, SUSPENDED);
    assert_eq!(rxd(&mut bench, &mut page), 0x10);
    assert!(bench.wait(&mut page, RXDREADY, bench.now + us(500)).is_none(), "suspended");
    set(&mut bench, &mut page, &[(SHORTS, 2)]);
    start(&mut bench, &mut page, RESUME);
    wait(&mut bench, &mut page, RXDREADY);
    assert_eq!(rxd(&mut bench, &mut page), 0x11);
    wait(&mut bench, &mut page, STOPPED);
    assert_eq!(page.next(&LfClk::default()), u64::MAX, "nothing follows");
}

#[test]
fn a_suspend_task_at_the_byte_boundary_suspends_as_the_short_does() {
    // The drivers of the micro:bit join BB and SUSPEND by the PPI.
    let mut bench = Bench::default();
    let mut page = twi(&mut bench);
    start(&mut bench, &mut page, STARTRX);
    wait(&mut bench, &mut page, BB);
    start(&mut bench, &mut page, 0x01C);
    wait(&mut bench, &mut page, RXDREADY);
    wait(&mut bench, &mut page, SUSPENDED);
}

#[test]
fn without_a_suspension_the_next_byte_comes_when_rxd_has_been_read() {
    let mut bench = Bench::default();
    let mut page = twi(&mut bench);
    start(&mut bench, &mut page, STARTRX);
    wait(&mut bench, &mut page, RXDREADY);
    assert!(bench.wait(&mut page, RXDREADY, bench.now + us(500)).is_none());
    assert_eq!(rxd(&mut bench, &mut page), 0x10);
    wait(&mut bench, &mut page, RXDREADY);
    assert_eq!(rxd(&mut bench, &mut page), 0x11);
}

#[test]
fn who_is_not_there_is_an_anack_and_who_refuses_a_byte_a_dnack() {
    let mut bench = Bench::default();
    let mut page = twi(&mut bench);
    set(&mut bench, &mut page, &[(0x588, 0x19)]);
    start(&mut bench, &mut page, STARTTX);
    wait(&mut bench, &mut page, ERROR);
    assert_eq!(page.read(&mut bench.cx(), ERRORSRC), Some(2));
    set(&mut bench, &mut page, &[(ERRORSRC, 2), (0x588, 0x1D)]);
    start(&mut bench, &mut page, STARTTX);
    set(&mut bench, &mut page, &[(TXD, 0xEE)]);
    wait(&mut bench, &mut page, ERROR);
    assert_eq!(page.read(&mut bench.cx(), ERRORSRC), Some(4));
    start(&mut bench, &mut page, STOP);
    wait(&mut bench, &mut page, STOPPED);
}

#[test]
fn a_master_on_other_pins_than_the_bus_reaches_nobody() {
    let mut bench = Bench::default();
    let mut page = twi(&mut bench);
    set(&mut bench, &mut page, &[(0x50C, 29)]);
    start(&mut bench, &mut page, STARTRX);
    wait(&mut bench, &mut page, ERROR);
}

#[test]
fn spi_exchanges_two_bytes_without_a_pause_and_tells_of_each_by_ready() {
    let mut bench = Bench::default();
    let mut page = SpiTwi::new(SERIAL);
    // 1 Mbit/s, MISO on P0.22, which is high.
    set(&mut bench, &mut page, &[(0x510, 22), (0x524, 0x1000_0000), (ENABLE, ENABLED_SPI)]);
    bench.pins.outside(22, Drive::High);
    set(&mut bench, &mut page, &[(TXD, 1), (TXD, 2)]);
    assert_eq!(wait(&mut bench, &mut page, READY), us(8));
    bench.pins.outside(22, Drive::Low);
    bench.run_to(&mut page, us(16));
    assert!(!page.events().is_set(READY), "the second READY waits until RXD is read");
    assert_eq!(rxd(&mut bench, &mut page), 0xFF);
    wait(&mut bench, &mut page, READY);
    assert_eq!(rxd(&mut bench, &mut page), 0);
}
