//! RNG — random number generator (PS chapter "RNG"): a byte from thermal noise every 30 µs, corrected every 120 µs.
//!
//! The noise of a simulated chip comes from a seed, so that a run can be repeated.

use super::clock::LfClk;
use super::peripheral::{Cx, Events, NEVER, Peripheral, Reset, SHORTS, us};

const START: u32 = 0x000;
const STOP: u32 = 0x004;
const CONFIG: u32 = 0x504;
const VALUE: u32 = 0x508;
const VALRDY: u32 = 0;

/// t_RNG,START.
const SETUP: u64 = us(128);
/// t_RNG,RAW: a byte without bias correction.
const RAW: u64 = us(30);
/// t_RNG,BC: a byte with bias correction (DERCEN).
const CORRECTED: u64 = us(120);

/// A small generator (xorshift64*) for everything in a chip that is random on silicon.
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// Noise from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Noise {
        Noise((seed ^ 0x9E37_79B9_7F4A_7C15).max(1))
    }

    /// The next 32 bits.
    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32
    }
}

/// The register machine.
#[derive(Debug)]
pub struct Rng {
    events: Events,
    noise: Noise,
    shorts: u32,
    config: u32,
    value: u32,
    due: u64,
}

impl Rng {
    /// A generator whose noise comes from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Rng {
        Rng { events: Events::new(1 << VALRDY), noise: Noise::new(seed), shorts: 0, config: 0, value: 0, due: NEVER }
    }

    fn period(&self) -> u64 {
        if self.config & 1 == 1 { CORRECTED } else { RAW }
    }
}

impl Peripheral for Rng {
    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        match offset {
            SHORTS => Some(self.shorts),
            CONFIG => Some(self.config),
            VALUE => Some(self.value),
            _ => None,
        }
    }

    fn write(&mut self, _: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        match offset {
            SHORTS => self.shorts = value & 1,
            CONFIG => self.config = value & 1,
            VALUE => {}
            _ => return None,
        }
        Some(())
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        match offset {
            START if self.due == NEVER => self.due = cx.now + SETUP + self.period(),
            START => {}
            STOP => self.due = NEVER,
            _ => return None,
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        self.events.reset();
        (self.shorts, self.config, self.value, self.due) = (0, 0, 0, NEVER);
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.due
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.value = self.noise.next() & 0xFF;
        self.events.raise(VALRDY);
        self.due = if self.shorts & 1 == 1 { NEVER } else { cx.now + self.period() };
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    #[test]
    fn the_first_byte_takes_the_set_up_time_and_bias_correction_slows_the_rest() {
        let (mut bench, mut rng) = (Bench::default(), Rng::new(1));
        rng.write(&mut bench.cx(), CONFIG, 1);
        rng.task(&mut bench.cx(), START);
        assert_eq!(bench.wait(&mut rng, VALRDY, NEVER - 1), Some(us(248)));
        rng.events.write(0x100, 0);
        assert_eq!(bench.wait(&mut rng, VALRDY, NEVER - 1), Some(us(368)));
    }

    #[test]
    fn the_valrdy_stop_short_gives_one_byte_per_start() {
        let (mut bench, mut rng) = (Bench::default(), Rng::new(1));
        rng.write(&mut bench.cx(), SHORTS, 1);
        rng.task(&mut bench.cx(), START);
        bench.run_to(&mut rng, us(1_000));
        assert_eq!(rng.next(&bench.lfclk), NEVER);
    }

    #[test]
    fn all_values_come_and_the_same_seed_gives_the_same_ones() {
        let bytes = |seed| {
            let (mut bench, mut rng) = (Bench::default(), Rng::new(seed));
            (0..4096)
                .map(|_| {
                    rng.run(&mut bench.cx());
                    rng.value
                })
                .collect::<Vec<_>>()
        };
        let mut seen = bytes(7);
        assert_eq!(seen, bytes(7));
        assert_ne!(seen, bytes(8));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 256);
    }
}
