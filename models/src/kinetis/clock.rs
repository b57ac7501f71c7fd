//! The family's clocks: what the clock generator gives, and what the dividers make of it.
//!
//! The core counts cycles; everything else in the family counts picoseconds ([`CycleClock`] keeps account).

pub use crate::parts::cycles::{CycleClock, Rate};

impl Rate {
    /// The low-power oscillator, which always runs: 1 kHz (nominal).
    pub const LPO: Rate = Rate::hz(1_000);
}

/// What the clock generator gives the chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sources {
    /// MCGOUTCLK, from which the core's and the bus's clocks are divided.
    pub out: Rate,
    /// What peripherals may choose as their fast clock: MCGFLLCLK or MCGPLLCLK (KL26Z, by SOPT2\[PLLFLLSEL\]), MCGPCLK
    /// (KL27Z).
    pub fast: [Option<Rate>; 2],
    /// MCGIRCLK, the internal reference.
    pub internal: Option<Rate>,
    /// OSCERCLK, the external reference.
    pub external: Option<Rate>,
}

/// All clocks of the chip at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clocks {
    /// The generator's outputs.
    pub sources: Sources,
    /// The core's and the crossbar's.
    pub core: Rate,
    /// The bus clock, which is the flash's too.
    pub bus: Rate,
    /// ERCLK32K, by SIM_SOPT1\[OSC32KSEL\].
    pub erclk32k: Option<Rate>,
}

impl Clocks {
    /// All that the generator makes is faster by so many parts per million. The LPO has nothing to do with it.
    #[must_use]
    pub fn offset(self, ppm: i32) -> Clocks {
        let faster = |rate: Option<Rate>| rate.map(|rate| rate.offset(ppm));
        let Sources { out, fast, internal, external } = self.sources;
        Clocks {
            sources: Sources {
                out: out.offset(ppm),
                fast: fast.map(faster),
                internal: faster(internal),
                external: faster(external),
            },
            core: self.core.offset(ppm),
            bus: self.bus.offset(ppm),
            erclk32k: self.erclk32k.map(|rate| if rate == Rate::LPO { rate } else { rate.offset(ppm) }),
        }
    }
}
