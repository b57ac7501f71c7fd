//! How long a debugger waits for the board: from DAP_Connect to a halted core that was spinning, and on to a running
//! one without a debugger, on the whole micro:bit V2 from its board file, over CMSIS-DAP v2 by the in-process host.
//! Included are host controller, interface firmware, SWD wire and the emulated core; not included is a kernel, nor a tool.
//!
//! `cargo bench --bench debug`. The same number of commands that reach no target (DAP_Info) is what the way alone
//! costs; the difference is the target's.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use twinboard_models::board::{BoardFile, PowerOn, Powered};
use twinboard_usbip::host::Host;

/// `b .` in RAM, where the core is sent to spin.
const SPIN: u32 = 0x2000_0100;
/// Commands of one round: 13 to connect, 5 to halt and see S_HALT, 2 to run again, 1 to disconnect.
const PACKETS: usize = 21;

fn power_on() -> Host<Powered> {
    let file = BoardFile::built_in("microbit-v2").expect("built in");
    let mut host = Host::new(file.power_on(&PowerOn::default()).expect("can be built"));
    host.enumerate().expect("enumerates");
    host
}

/// The core spins, without a debugger.
fn spinning() -> Host<Powered> {
    let mut host = power_on();
    let mut adi = host.dap_v2().expect("a probe").adi();
    adi.connect().expect("connects");
    adi.halt().expect("halts");
    adi.write_word(SPIN, 0xE7FE_E7FE).expect("RAM takes it");
    adi.write_register(twinboard_usbip::host::adi::register::XPSR, 0x0100_0000).expect("is written");
    adi.write_register(twinboard_usbip::host::adi::register::PC, SPIN).expect("is written");
    adi.run().expect("runs");
    adi.disconnect().expect("disconnects");
    host
}

fn attach(c: &mut Criterion) {
    let mut group = c.benchmark_group("debug");
    let mut host = spinning();
    group.bench_function("attach to halt, core spinning", |b| {
        b.iter(|| {
            let mut adi = host.dap_v2().expect("a probe").adi();
            black_box(adi.connect().expect("connects"));
            adi.halt().expect("halts");
            adi.run().expect("runs");
            adi.disconnect().expect("disconnects");
        });
    });
    let mut dap = host.dap_v2().expect("a probe");
    group.bench_function("as many commands without a target", |b| {
        b.iter(|| {
            for _ in 0..PACKETS {
                black_box(dap.info_number(0xFF).expect("answers"));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, attach);
criterion_main!(benches);
