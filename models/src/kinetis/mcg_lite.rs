//! MCG_Lite — multipurpose clock generator without FLL and PLL (KL27 reference manual, chapter "Multipurpose Clock
//! Generator Lite").
//!
//! The core's clock is the 48 MHz HIRC, the LIRC of 8 or 2 MHz, or the external reference, as C1\[CLKS\] says;
//! S\[CLKST\] follows when the source has started. After reset it is the LIRC at 8 MHz.

use twinboard_sim::bus::Size;
use twinboard_sim::fault::SharedFault;
use twinboard_sim::time::{Span, Time};

use super::clock::{Rate, Sources};
use super::peripheral::{Cx, Peripheral, Reset};
use crate::fault::clock::ClockFaults;

const C1: u32 = 0x00;
const C2: u32 = 0x01;
const S: u32 = 0x06;
const SC: u32 = 0x08;
const HCTRIM: u32 = 0x14;
const HTTRIM: u32 = 0x15;
const HFTRIM: u32 = 0x16;
const MC: u32 = 0x18;
const LTRIMRNG: u32 = 0x19;
const LIRC8TRIM: u32 = 0x1A;
const LIRC2TRIM: u32 = 0x1B;

/// C1\[CLKS\] and S\[CLKST\].
const HIRC: u8 = 0;
const LIRC: u8 = 1;
const EXT: u8 = 2;

const C1_IRCLKEN: u8 = 1 << 1;
const C2_IRCS: u8 = 1;
const C2_EREFS0: u8 = 1 << 2;
const S_OSCINIT0: u8 = 1 << 1;
const MC_HIRCEN: u8 = 1 << 7;

const HIRC_RATE: Rate = Rate::hz(48_000_000);
/// LIRC by C2\[IRCS\].
const LIRC_RATES: [Rate; 2] = [Rate::hz(2_000_000), Rate::hz(8_000_000)];

/// Start of the HIRC (data sheet, "IRC48M specifications": 2 µs typical).
const HIRC_START: Span = Span::us(2);
/// Start of the LIRC (data sheet, "IRC8M/2M specification": 10 µs).
const LIRC_START: Span = Span::us(10);
/// Start of a crystal of some MHz in low-power mode (data sheet: 0.6 ms).
const CRYSTAL_START: Span = Span::us(600);

/// The register machine.
#[derive(Debug)]
pub struct McgLite {
    /// The crystal between EXTAL0 and XTAL0.
    crystal: Option<Rate>,
    c1: u8,
    c2: u8,
    sc: u8,
    mc: u8,
    clkst: u8,
    oscinit: bool,
    trims: [u8; 6],
    /// What CLKST becomes, and when.
    switch: Option<(u8, Time)>,
    crystal_due: Time,
    faults: ClockFaults,
    /// The crystal was switched on and did not start.
    dead: bool,
}

impl McgLite {
    /// The clock generator of a chip with this crystal (in hertz), if there is one.
    #[must_use]
    pub fn new(crystal: Option<u32>) -> McgLite {
        McgLite {
            crystal: crystal.map(Rate::hz),
            c1: LIRC << 6,
            c2: C2_IRCS,
            sc: 0,
            mc: 0,
            clkst: LIRC,
            oscinit: false,
            trims: [0; 6],
            switch: None,
            crystal_due: Time::NEVER,
            faults: ClockFaults::default(),
            dead: false,
        }
    }

    /// LIRC_DIV1_CLK: the LIRC behind FCRDIV.
    fn lirc(&self) -> Rate {
        LIRC_RATES[usize::from(self.c2 & C2_IRCS)].divided(1 << (self.sc >> 1 & 7))
    }

    /// The external reference, if it runs: the crystal once it has started, or what comes in at EXTAL0.
    fn external(&self) -> Option<Rate> {
        self.crystal.filter(|_| self.c2 & C2_EREFS0 == 0 || self.oscinit)
    }

    /// Begins what the control registers ask for and the status does not have yet.
    fn pursue(&mut self, now: Time) {
        let wanted = self.c1 >> 6;
        let crystal = self.c2 & C2_EREFS0 != 0 && self.crystal.is_some();
        if !crystal {
            (self.oscinit, self.crystal_due, self.dead) = (false, Time::NEVER, false);
        } else if !self.oscinit && !self.dead && self.crystal_due == Time::NEVER {
            self.dead = self.faults.stays_dead(now);
            self.crystal_due = if self.dead { Time::NEVER } else { now + CRYSTAL_START };
        }
        let start = match wanted {
            HIRC if self.mc & MC_HIRCEN != 0 => Span::ns(200),
            HIRC => HIRC_START,
            LIRC => LIRC_START,
            EXT if self.external().is_some() => Span::ns(200),
            // No such clock: the generator stays where it is.
            _ => return self.switch = None,
        };
        if wanted == self.clkst {
            self.switch = None;
        } else if self.switch.is_none_or(|(to, _)| to != wanted) {
            self.switch = Some((wanted, now + start));
        }
    }
}

impl Peripheral for McgLite {
    fn width(&self) -> Size {
        Size::Byte
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(u32::from(match offset {
            C1 => self.c1,
            C2 => self.c2,
            S => self.clkst << 2 | if self.oscinit { S_OSCINIT0 } else { 0 },
            SC => self.sc,
            MC => self.mc,
            HCTRIM..=HFTRIM => self.trims[(offset - HCTRIM) as usize],
            LTRIMRNG..=LIRC2TRIM => self.trims[(offset - LTRIMRNG) as usize + 3],
            _ => return None,
        }))
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, _: u32) -> Option<()> {
        let value = value as u8;
        match offset {
            C1 => self.c1 = value & 0xC3,
            C2 => self.c2 = value & 0x3D,
            SC => self.sc = value & 0x0E,
            MC => self.mc = value & 0x87,
            // The trims are the factory's.
            S | HCTRIM | HTTRIM | HFTRIM | LTRIMRNG | LIRC8TRIM | LIRC2TRIM => {}
            _ => return None,
        }
        self.pursue(cx.now);
        Some(())
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        let faults = std::mem::take(&mut self.faults);
        *self = McgLite { crystal: self.crystal, faults, ..McgLite::new(None) };
    }

    fn next(&self) -> Time {
        self.switch.map_or(Time::NEVER, |(_, at)| at).min(self.crystal_due)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.crystal_due <= cx.now {
            (self.oscinit, self.crystal_due) = (true, Time::NEVER);
            self.pursue(cx.now);
        }
        if let Some((to, _)) = self.switch.take_if(|(_, at)| *at <= cx.now) {
            self.clkst = to;
        }
    }

    fn steady(&self, _: u32) -> bool {
        true
    }

    fn arm_clock(&mut self, fault: &SharedFault) -> bool {
        if self.crystal.is_some() {
            self.faults.add(fault.clone());
        }
        self.crystal.is_some()
    }

    fn sources(&self) -> Option<Sources> {
        let hirc = self.clkst == HIRC || self.mc & MC_HIRCEN != 0;
        let internal = self.lirc().divided(1 << (self.mc & 7));
        Some(Sources {
            out: match self.clkst {
                HIRC => HIRC_RATE,
                EXT => self.external().unwrap_or(HIRC_RATE),
                _ => self.lirc(),
            },
            // MCGPCLK.
            fast: [hirc.then_some(HIRC_RATE); 2],
            internal: (self.c1 & C1_IRCLKEN != 0).then_some(internal),
            external: self.external(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    #[test]
    fn after_reset_the_core_runs_from_the_lirc_at_8_mhz() {
        let (mut bench, mut mcg) = (Bench::default(), McgLite::new(None));
        assert_eq!([C1, C2, S, MC].map(|at| bench.read(&mut mcg, at)), [0x40, 0x01, 0x04, 0x00]);
        let sources = mcg.sources().expect("the clock generator");
        assert_eq!((sources.out, sources.fast[0], sources.internal), (Rate::hz(8_000_000), None, None));
    }

    #[test]
    fn clkst_follows_clks_when_the_hirc_has_started() {
        let (mut bench, mut mcg) = (Bench::default(), McgLite::new(None));
        bench.write(&mut mcg, C1, 0x00);
        assert_eq!(bench.read(&mut mcg, S), 0x04);
        bench.run_to(&mut mcg, Time(1_999_999));
        assert_eq!(bench.read(&mut mcg, S), 0x04);
        bench.run_to(&mut mcg, Time(2_000_000));
        assert_eq!(bench.read(&mut mcg, S), 0x00);
        assert_eq!(mcg.sources().map(|s| (s.out, s.fast[0])), Some((HIRC_RATE, Some(HIRC_RATE))));
    }

    #[test]
    fn mcgirclk_is_the_lirc_behind_both_dividers_while_it_is_enabled() {
        let (mut bench, mut mcg) = (Bench::default(), McgLite::new(None));
        bench.write(&mut mcg, C2, 0x00);
        bench.write(&mut mcg, SC, 0x02);
        bench.write(&mut mcg, MC, 0x82);
        bench.write(&mut mcg, C1, 0x42);
        let sources = mcg.sources().expect("the clock generator");
        assert_eq!(
            (sources.out, sources.internal),
            (Rate::hz(2_000_000).divided(2), Some(Rate::hz(2_000_000).divided(8)))
        );
    }

    #[test]
    fn without_an_external_reference_the_generator_stays_where_it_is() {
        let (mut bench, mut mcg) = (Bench::default(), McgLite::new(None));
        bench.write(&mut mcg, C1, 0x80);
        assert_eq!((mcg.next(), bench.read(&mut mcg, S)), (Time::NEVER, 0x04));
        let mut mcg = McgLite::new(Some(8_000_000));
        bench.write(&mut mcg, C2, 0x15);
        bench.write(&mut mcg, C1, 0x80);
        bench.run_to(&mut mcg, Time(700_000_000));
        assert_eq!(bench.read(&mut mcg, S), 0x0A);
    }
}
