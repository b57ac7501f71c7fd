//! The whole micro:bit V2 from its board file: how long a drop takes on this computer, how long a start takes, what an
//! idle board costs, how much memory a board needs.
//!
//! `cargo bench --bench board`. Everything is included but a kernel: host controller, interface firmware, SWD wire,
//! flash algorithm on the emulated core. The program is 500 KB of random bytes as an Intel HEX file.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use twinboard_models::board::{BoardFile, PowerOn, Powered};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;

const DEMO: &[u8] = include_bytes!("../firmware/nrf52833/demo.hex");
const PROGRAM: usize = 500_000;

fn power_on() -> Host<Powered> {
    let file = BoardFile::built_in("microbit-v2").expect("built in");
    let mut host = Host::new(file.power_on(&PowerOn::default()).expect("can be built"));
    host.enumerate().expect("enumerates");
    host
}

/// An Intel HEX file of [`PROGRAM`] bytes: a vector table that leads to a branch to itself, then noise.
fn large_program() -> Vec<u8> {
    let mut state = 1u32;
    let mut bytes: Vec<u8> = (0..PROGRAM)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    for vector in 0..16 {
        bytes[4 * vector..][..4].copy_from_slice(&0x41u32.to_le_bytes());
    }
    bytes[..4].copy_from_slice(&0x2002_0000u32.to_le_bytes());
    bytes[0x40..0x42].copy_from_slice(&0xe7feu16.to_le_bytes());
    let mut text = String::new();
    let mut record = |kind: u8, address: u16, data: &[u8]| {
        let [high, low] = address.to_be_bytes();
        let mut line = vec![data.len() as u8, high, low, kind];
        line.extend_from_slice(data);
        line.push(line.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte)));
        text.push(':');
        text.extend(line.iter().map(|byte| format!("{byte:02X}")));
        text.push('\n');
    };
    for (index, chunk) in bytes.chunks(16).enumerate() {
        let address = index * 16;
        if address % 0x1_0000 == 0 {
            record(4, 0, &((address >> 16) as u16).to_be_bytes());
        }
        record(0, address as u16, chunk);
    }
    record(1, 0, &[]);
    text.into_bytes()
}

fn drop_on_drive(c: &mut Criterion) {
    let file = large_program();
    let mut group = c.benchmark_group("board");
    group.sample_size(10).measurement_time(Duration::from_secs(15));
    let mut host = power_on();
    let mut rate = 0.0;
    group.bench_function("drop of a 500 KB program, clock free", |b| {
        b.iter(|| {
            let copied = host.drive().expect("a drive").copy("large.hex", &file, WriteOrder::LinuxUmount);
            let copied = copied.expect("a copy");
            assert!(copied.is_success());
            rate = PROGRAM as f64 / 1000.0 / copied.writing.as_secs_f64();
        });
    });
    group.finish();
    println!(
        "the same in the board's own time (clock paced): {rate:.2} KB of program per second, a real board's is 30"
    );
}

fn start(c: &mut Criterion) {
    c.bench_function("board/power-on to enumerated", |b| b.iter(|| black_box(power_on())));
}

/// A second of a board that shows its heart, sleeps between interrupts, and nobody talks to.
fn idle(c: &mut Criterion) {
    let mut host = power_on();
    assert!(
        host.drive().expect("a drive").copy("demo.hex", DEMO, WriteOrder::LinuxUmount).expect("a copy").is_success()
    );
    let before = Instant::now();
    host.sleep(Span::secs(5));
    let share = before.elapsed().as_secs_f64() / 5.0;
    println!("an idle board in real time: {:.2} % of one core", share * 100.0);
    c.bench_function("board/one idle second", |b| b.iter(|| host.sleep(Span::secs(1))));
    black_box(host.machine().now());
}

/// Resident memory per board, from what twenty boards add.
fn memory(_: &mut Criterion) {
    let resident = || -> f64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: f64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
        pages * 4096.0 / 1e6
    };
    let before = resident();
    let boards: Vec<_> = (0..20)
        .map(|_| {
            let mut host = power_on();
            let drop = host.drive().expect("a drive").copy("demo.hex", DEMO, WriteOrder::LinuxUmount);
            assert!(drop.expect("a copy").is_success());
            host
        })
        .collect();
    println!("memory per board: {:.1} MB", (resident() - before) / boards.len() as f64);
}

criterion_group!(benches, drop_on_drive, start, idle, memory);
criterion_main!(benches);
