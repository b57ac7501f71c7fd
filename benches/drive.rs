//! The native board's drive at full tilt: whole disk transfers by the in-process host, through the virtual host
//! controller, packet by packet of 64 bytes, into the interface firmware and back. Included are CBW and CSW, the
//! board's bookkeeping and the firmware's tasks; not included is a target, nor a kernel.
//!
//! `cargo bench --bench drive`. The sectors carry no image, so nothing is programmed.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parking_lot::Mutex;
use twinboard_models::daplink::{DapLink, DapLinkConfig};
use twinboard_models::debug::open::open_wire;
use twinboard_sim::board::{Board, Builder, Driver, SharedChip};
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;

/// Sectors in the largest transfer that Linux makes.
const SECTORS: usize = 240;
/// Where no file is.
const LBA: u32 = 10_000;

fn host() -> Host<Board> {
    let chip: SharedChip = Arc::new(Mutex::new(DapLink::new(DapLinkConfig::default(), open_wire())));
    let mut builder = Builder::default();
    builder.chip("interface", chip, None, None);
    let mut host = Host::new(builder.power_on(Driver::Stepped));
    host.enumerate().expect("enumerates");
    host.drive().map(|mut drive| drive.wait_ready(Span::secs(5))).expect("has a drive").expect("has a medium");
    host
}

fn drive(c: &mut Criterion) {
    let mut group = c.benchmark_group("drive");
    group.throughput(Throughput::Bytes((SECTORS * 512) as u64));
    let mut host = host();
    let mut drive = host.drive().expect("a drive");
    let data = vec![0; SECTORS * 512];
    group.bench_function("read 120 KiB", |b| {
        b.iter(|| black_box(drive.read_sectors(LBA, SECTORS).expect("reads")));
    });
    group.bench_function("write 120 KiB", |b| b.iter(|| drive.write_sectors(LBA, &data).expect("writes")));
    group.finish();
}

fn board(c: &mut Criterion) {
    c.bench_function("power-on to enumerated, with medium", |b| b.iter(|| black_box(host())));
}

criterion_group!(benches, drive, board);
criterion_main!(benches);
