//! Writes that no operating system would do, or does only when somebody pulls a plug: the drive must live on.

use proptest::prelude::*;
use twinboard_sim::time::Span;
use twinboard_usbip::host::copy::{WriteOrder, plan};
use twinboard_usbip::host::volume::Volume;

use crate::bench::{Bench, hex, program};

fn takes_a_good_file(bench: &mut Bench) -> Result<(), TestCaseError> {
    let copied = bench.host.drive().expect("a drive").copy("good.hex", &hex(&program(2_000)), WriteOrder::LinuxSync);
    prop_assert!(copied.as_ref().is_ok_and(|copied| copied.is_success()), "{:?}", copied);
    prop_assert_eq!(bench.programmed(), program(2_000));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_copy_may_stop_anywhere(which in 0..WriteOrder::ALL.len(), limit in 0u64..40_000) {
        let mut bench = Bench::new();
        let file = hex(&program(12_000));
        let copied = bench.host.drive().expect("a drive").copy_part("a.hex", &file, WriteOrder::ALL[which], limit);
        prop_assert!(copied.is_ok());
        takes_a_good_file(&mut bench)?;
    }

    #[test]
    fn the_cable_may_be_pulled_anywhere(which in 0..WriteOrder::ALL.len(), writes in 0usize..20, wait in 0u64..3_000) {
        let mut bench = Bench::new();
        let mut drive = bench.host.drive().expect("a drive");
        drive.wait_ready(Span::secs(5)).expect("a medium");
        let volume = Volume::mount(&mut drive).expect("mounts");
        let runs = plan(&volume, WriteOrder::ALL[which], "a.hex", &hex(&program(12_000))).expect("plans");
        for run in runs.iter().take(writes) {
            drive.write_sectors(run.lba, &run.data).expect("writes");
        }
        bench.host.unplug();
        bench.host.machine().power_cycle();
        bench.host.sleep(Span::ms(wait));
        bench.host.enumerate().expect("comes back");
        takes_a_good_file(&mut bench)?;
    }

    #[test]
    fn the_writes_may_come_in_any_order(seed in any::<u64>()) {
        let mut bench = Bench::new();
        let mut drive = bench.host.drive().expect("a drive");
        drive.wait_ready(Span::secs(5)).expect("a medium");
        let volume = Volume::mount(&mut drive).expect("mounts");
        let mut runs = plan(&volume, WriteOrder::LinuxDirect, "a.hex", &hex(&program(12_000))).expect("plans");
        let mut state = seed;
        for last in (1..runs.len()).rev() {
            // Fisher and Yates, with Knuth's generator.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            runs.swap(last, (state >> 33) as usize % (last + 1));
        }
        for run in &runs {
            // The drive may go away when it has seen enough.
            if drive.write_sectors(run.lba, &run.data).is_err() {
                break;
            }
        }
        drive.wait_changed(Span::secs(30)).expect("answers");
        takes_a_good_file(&mut bench)?;
    }
}
