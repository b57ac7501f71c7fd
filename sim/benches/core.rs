//! How fast the cores are, in instructions per second of wall time.
//!
//! `core`: a CoreMark-like loop (`firmware/bench/core.c`), no peripherals. `mmio`: the same program's pin-banging
//! half, where about every third instruction is an access to a port; the port model only keeps a word. Time is that
//! of `Core::run` alone, in slices of a million cycles.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use twinboard_sim::bus::{BusFault, Size};
use twinboard_sim::cpu::arm::config::{M0PLUS, M4F};
use twinboard_sim::cpu::arm::{Core, CoreConfig};
use twinboard_sim::cpu::memory::{Kind, Memory};
use twinboard_sim::cpu::{Mmio, MmioContext};

/// An output latch with set and clear registers.
#[derive(Default)]
struct Port {
    out: u32,
    accesses: u64,
}

impl Mmio for Port {
    #[inline]
    fn read(&mut self, _: &mut MmioContext<'_>, _: u32, _: Size) -> Result<u32, BusFault> {
        self.accesses += 1;
        Ok(self.out >> 1)
    }

    #[inline]
    fn write(&mut self, _: &mut MmioContext<'_>, address: u32, _: Size, value: u32) -> Result<(), BusFault> {
        self.accesses += 1;
        match address & 0xFFF {
            0x508 => self.out |= value,
            _ => self.out &= !value,
        }
        Ok(())
    }

    fn event(&mut self, cx: &mut MmioContext<'_>) {
        *cx.deadline = u64::MAX;
    }
}

fn machine(config: CoreConfig, image: &[u8]) -> Core {
    let mut memory = Memory::default();
    memory.add(Kind::Flash, 0, 0x1_0000, 0xFF);
    memory.add(Kind::Ram, 0x2000_0000, 0x4000, 0);
    assert!(memory.write_bytes(0, image));
    Core::new(config, memory)
}

const SLICE: u64 = 1_000_000;

/// Instructions that a slice executes, counted by single steps.
fn instructions_per_slice(config: CoreConfig, image: &[u8]) -> u64 {
    let (mut core, mut port) = (machine(config, image), Port::default());
    let mut count = 0;
    while core.cycle() < SLICE {
        core.step(&mut port);
        count += 1;
    }
    count
}

fn cores(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cpu");
    group.sample_size(20);
    let cases: [(&str, CoreConfig, &[u8]); 4] = [
        ("core/v6m", M0PLUS, include_bytes!("../../firmware/bench/core-v6m.bin")),
        ("core/v7em", M4F, include_bytes!("../../firmware/bench/core-v7em.bin")),
        ("mmio/v6m", M0PLUS, include_bytes!("../../firmware/bench/mmio-v6m.bin")),
        ("mmio/v7em", M4F, include_bytes!("../../firmware/bench/mmio-v7em.bin")),
    ];
    for (name, config, image) in cases {
        group.throughput(Throughput::Elements(instructions_per_slice(config, image)));
        let (mut core, mut port) = (machine(config, image), Port::default());
        core.run(&mut port, SLICE);
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                let until = core.cycle() + SLICE;
                black_box(core.run(&mut port, until))
            });
        });
        assert!(core.memory().read(0x2000_0000, Size::Word).is_some_and(|turns| turns > 10), "the program runs");
    }
    group.finish();
}

criterion_group!(benches, cores);
criterion_main!(benches);
