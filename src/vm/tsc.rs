//! Measures the frequency of this processor's time-stamp counter.
//!
//! An emulated guest reads the host's counter, and its kernel calibrates it against emulated timers while it boots. On
//! a busy host that goes wrong by factors, and the guest's clock with it: every time-out inside would fire early. So
//! the kernel is told the frequency (its parameter `tsc_early_khz`) and has only to refine it.

use std::time::{Duration, Instant};

/// A reading of both clocks at the same instant.
#[derive(Clone, Copy)]
pub struct Reading {
    instant: Instant,
    counter: u64,
}

/// A shorter measurement is not good enough for the kernel, which refines by one per cent at most.
const SHORTEST: Duration = Duration::from_millis(20);

impl Reading {
    /// Reads both clocks; of a few attempts the one counts that was disturbed least.
    pub fn now() -> Reading {
        let attempt = || {
            let before = Instant::now();
            let counter = counter();
            (before.elapsed(), Reading { instant: before, counter })
        };
        let mut best = attempt();
        for _ in 0..8 {
            let next = attempt();
            if next.0 < best.0 {
                best = next;
            }
        }
        best.1
    }

    /// The counter's frequency in kHz since this reading; waits if it was too recent.
    pub fn kilohertz(self) -> u64 {
        std::thread::sleep(SHORTEST.saturating_sub(self.instant.elapsed()));
        let now = Reading::now();
        let nanoseconds = (now.instant - self.instant).as_nanos().max(1);
        let ticks = u128::from(now.counter.saturating_sub(self.counter));
        u64::try_from(ticks * 1_000_000 / nanoseconds).unwrap_or(0)
    }
}

#[cfg(target_arch = "x86_64")]
fn counter() -> u64 {
    // SAFETY: RDTSC has no preconditions and touches no memory; Linux lets every process use it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// There is no guest on other machines.
#[cfg(not(target_arch = "x86_64"))]
fn counter() -> u64 {
    0
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn two_measurements_agree_within_the_kernel_s_one_per_cent() {
        let first = Reading::now().kilohertz();
        let second = Reading::now().kilohertz();
        assert!(first > 100_000 && first.abs_diff(second) < first / 100, "{first} {second}");
    }
}
