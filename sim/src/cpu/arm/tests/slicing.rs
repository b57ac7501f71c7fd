//! Slices do not matter, and neither does the skipping of waiting loops.

use super::*;
use proptest::prelude::*;

/// Writes a line's worth of busy cycles to the device, polls it, counts, and does so again; an interrupt counts too.
///
/// ```text
///     movs r0, #200 ; str r0, [r1, #8]
/// 1:  ldr r2, [r1, #8] ; cmp r2, #0 ; beq 1b
///     str r3, [r1] ; adds r3, #1 ; b 0
/// handler: str r0, [r1, #12] ; ldr r2, [r6] ; adds r2, #1 ; str r2, [r6] ; bx lr
/// ```
fn poller(config: CoreConfig, period: u32) -> Bench {
    let mut bench = Bench::new(config, &[0x20C8, 0x6088, 0x688A, 0x2A00, 0xD0FC, 0x600B, 0x3301, 0xE7F7]);
    bench.place(CODE + 0x200, &[0x60C8, 0x6832, 0x3201, 0x6032, 0x4770]);
    bench.set(1, DEVICE);
    bench.set(6, RAM);
    bench.write(0xE000_E100, 1);
    if period != 0 {
        bench.write(DEVICE + 4, period);
    }
    bench
}

type Snapshot = (u64, Vec<u32>, Vec<(u64, u32)>, u32);

fn snapshot(bench: &Bench) -> Snapshot {
    let registers = (0..=18).map(|index| bench.r(index)).collect();
    (bench.core.cycle(), registers, bench.device.log.clone(), bench.word(RAM))
}

proptest! {
    #[test]
    fn slices_do_not_matter(period in 0u32..700, cuts in prop::collection::vec(1u64..400, 1..40), v7: bool) {
        let config = if v7 { config::M4F } else { config::M0PLUS };
        let total: u64 = cuts.iter().sum();
        let mut whole = poller(config, period);
        whole.core.run(&mut whole.device, total);
        let mut sliced = poller(config, period);
        let mut until = 0;
        for cut in cuts {
            until += cut;
            sliced.core.run(&mut sliced.device, until);
        }
        prop_assert_eq!(snapshot(&whole), snapshot(&sliced));
    }

    #[test]
    fn skipping_is_exact(period in 0u32..700, total in 1u64..20_000, v7: bool) {
        let config = if v7 { config::M4F } else { config::M0PLUS };
        let mut skipping = poller(config, period);
        skipping.core.run(&mut skipping.device, total);
        let mut patient = poller(config, period);
        patient.core.set_spin_skipping(false);
        patient.core.run(&mut patient.device, total);
        prop_assert_eq!(snapshot(&skipping), snapshot(&patient));
    }
}

#[test]
fn waiting_costs_no_work() {
    // Busy for two thousand million cycles: a handful of reads instead of hundreds of millions.
    let mut bench = poller(config::M0PLUS, 0);
    bench.set(0, 0);
    bench.core.step(&mut bench.device);
    bench.set(0, 2_000_000_000);
    bench.core.run(&mut bench.device, 2_000_000_100);
    assert_eq!(bench.device.log.len(), 1);
    assert!(bench.device.reads < 100, "{} reads", bench.device.reads);
}
