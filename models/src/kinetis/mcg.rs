//! MCG — multipurpose clock generator with FLL and PLL (reference manual, chapter of that name).
//!
//! The core's clock comes from one of four places: the FLL, an internal reference, the crystal, or the PLL. Control bits
//! say what is wanted (C1\[CLKS, IREFS\], C6\[PLLS\]); the status register follows when oscillators have started, the
//! PLL has locked, and the multiplexers have switched. The manual's modes are the combinations: FEI, FEE, FBI, FBE, PBE,
//! PEE, BLPI, BLPE.

use twinboard_sim::bus::Size;
use twinboard_sim::fault::SharedFault;
use twinboard_sim::time::{Span, Time};

use super::clock::{Rate, Sources};
use super::peripheral::{Cx, Peripheral, Reset};
use crate::fault::clock::ClockFaults;

const C1: u32 = 0x0;
const C2: u32 = 0x1;
const C3: u32 = 0x2;
const C4: u32 = 0x3;
const C5: u32 = 0x4;
const C6: u32 = 0x5;
const S: u32 = 0x6;
const SC: u32 = 0x8;
const ATCVH: u32 = 0xA;
const ATCVL: u32 = 0xB;
const C7: u32 = 0xC;
const C8: u32 = 0xD;
const C9: u32 = 0xE;
const C10: u32 = 0xF;

const C1_IREFS: u8 = 1 << 2;
const C1_IRCLKEN: u8 = 1 << 1;
const C2_EREFS0: u8 = 1 << 2;
const C2_IRCS: u8 = 1;
const C5_PLLCLKEN0: u8 = 1 << 6;
const C6_PLLS: u8 = 1 << 6;
const C6_LOLIE0: u8 = 1 << 7;

const S_IRCST: u8 = 1;
const S_OSCINIT0: u8 = 1 << 1;
const S_IREFST: u8 = 1 << 4;
const S_PLLST: u8 = 1 << 5;
const S_LOCK0: u8 = 1 << 6;
const S_LOLS0: u8 = 1 << 7;

/// S\[CLKST\].
const FLL: u8 = 0;
const INTERNAL: u8 = 1;
const EXTERNAL: u8 = 2;
const PLL: u8 = 3;

/// The slow and the fast internal reference clock, trimmed.
const SLOW_IRC: Rate = Rate::hz(32_768);
const FAST_IRC: Rate = Rate::hz(4_000_000);

/// FLL factors by C4\[DRST_DRS\], for DMX32 = 0 and 1 (manual, table "DCO frequency range").
const FLL_FACTORS: [[u32; 4]; 2] = [[640, 1280, 1920, 2560], [732, 1464, 2197, 2929]];

/// Start of a crystal of 8 to 32 MHz in low-power mode (data sheet, "Oscillator frequency specifications": 0.6 ms).
const CRYSTAL_START: Span = Span::us(600);
/// The PLL locks within 150 µs and 1075 periods of its reference (data sheet, "MCG specifications").
const PLL_LOCK: Span = Span::us(150);
const PLL_LOCK_PERIODS: u64 = 1_075;
/// A multiplexer switches within some cycles of the slower of its clocks.
const SWITCH: Span = Span::us(1);
/// The FLL's reference is about 32 kHz: two of its cycles.
const SWITCH_REFERENCE: Span = Span::us(61);

/// The register machine, with the crystal oscillator that it switches on.
#[derive(Debug)]
pub struct Mcg {
    /// The crystal between EXTAL0 and XTAL0.
    crystal: Option<Rate>,
    c: [u8; 6],
    s: u8,
    sc: u8,
    atcv: [u8; 2],
    c8: u8,
    /// When the crystal has started and the PLL has locked; never while they are off or ready.
    crystal_due: Time,
    lock_due: Time,
    /// What the multiplexers switch to, and when.
    reference_due: Time,
    clkst: (u8, Time),
    pllst_due: Time,
    ircst_due: Time,
    faults: ClockFaults,
    /// The crystal was switched on and did not start.
    dead: bool,
}

impl Mcg {
    /// An MCG with a crystal of that many hertz.
    #[must_use]
    pub fn new(crystal: Option<u32>) -> Mcg {
        Mcg {
            crystal: crystal.map(Rate::hz),
            c: [0x04, 0x80, 0x80, 0, 0, 0],
            s: S_IREFST,
            sc: 0x02,
            atcv: [0; 2],
            c8: 0x80,
            crystal_due: Time::NEVER,
            lock_due: Time::NEVER,
            reference_due: Time::NEVER,
            clkst: (FLL, Time::NEVER),
            pllst_due: Time::NEVER,
            ircst_due: Time::NEVER,
            faults: ClockFaults::default(),
            dead: false,
        }
    }

    fn external(&self) -> Option<Rate> {
        self.crystal.filter(|_| self.s & S_OSCINIT0 != 0)
    }

    /// MCGIRCLK, if C1\[IRCLKEN\] lets it out or it is the core's.
    fn internal(&self) -> Rate {
        if self.s & S_IRCST == 0 { SLOW_IRC } else { FAST_IRC.divided(1 << (self.sc >> 1 & 7)) }
    }

    fn fll(&self) -> Rate {
        let reference = match self.external() {
            Some(external) if self.s & S_IREFST == 0 => {
                let (range, frdiv) = (self.c[1] >> 4 & 3, self.c[0] >> 3 & 7);
                external.divided(match (range, frdiv) {
                    (0, _) => 1 << frdiv,
                    (_, 6) => 1280,
                    (_, 7) => 1536,
                    _ => 32 << frdiv,
                })
            }
            _ => SLOW_IRC,
        };
        let c4 = self.c[3];
        reference.times(FLL_FACTORS[usize::from(c4 >> 7)][usize::from(c4 >> 5 & 3)])
    }

    fn pll_reference(&self) -> Option<Rate> {
        self.external().map(|external| external.divided(u32::from(self.c[4] & 0x1F) + 1))
    }

    fn pll(&self) -> Option<Rate> {
        let reference = self.pll_reference().filter(|_| self.s & S_LOCK0 != 0)?;
        Some(reference.times(u32::from(self.c[5] & 0x1F) + 24))
    }

    fn pll_enabled(&self) -> bool {
        self.c[5] & C6_PLLS != 0 || self.c[4] & C5_PLLCLKEN0 != 0
    }

    /// Sets or clears a bit of S.
    fn status(&mut self, bit: u8, on: bool) {
        self.s = if on { self.s | bit } else { self.s & !bit };
    }

    /// Starts what the control registers ask for and is not on its way, as far as it can be had now.
    fn pursue(&mut self, now: Time) {
        let soon = |due: &mut Time, wanted: bool, span: Span| {
            *due = match (wanted, *due) {
                (false, _) => Time::NEVER,
                (true, Time::NEVER) => now + span,
                (true, due) => due,
            };
        };
        let [c1, c2, .., c6] = self.c;
        let ready = self.s & S_OSCINIT0 != 0;
        let crystal = c2 & C2_EREFS0 != 0 && self.crystal.is_some();
        if !crystal {
            self.status(S_OSCINIT0, false);
            self.dead = false;
        } else if !ready && !self.dead && self.crystal_due == Time::NEVER {
            self.dead = self.faults.stays_dead(now);
        }
        soon(&mut self.crystal_due, crystal && !ready && !self.dead, CRYSTAL_START);
        let lockable = self.pll_enabled() && ready;
        if !lockable {
            self.status(S_LOCK0, false);
        }
        let lock = self.pll_reference().map_or(Span::ZERO, |reference| PLL_LOCK + reference.span(PLL_LOCK_PERIODS));
        soon(&mut self.lock_due, lockable && self.s & S_LOCK0 == 0, lock);
        let internal = c1 & C1_IREFS != 0;
        let differs = internal != (self.s & S_IREFST != 0);
        soon(&mut self.reference_due, differs && (internal || ready), SWITCH_REFERENCE);
        let plls = c6 & C6_PLLS != 0;
        soon(&mut self.pllst_due, plls != (self.s & S_PLLST != 0), SWITCH);
        soon(&mut self.ircst_due, (c2 & C2_IRCS != 0) != (self.s & S_IRCST != 0), SWITCH);
        let (wanted, there) = match c1 >> 6 {
            0 if plls => (PLL, self.s & S_LOCK0 != 0),
            0 => (FLL, true),
            1 => (INTERNAL, true),
            2 => (EXTERNAL, ready),
            // Reserved: what is, stays.
            _ => (self.s >> 2 & 3, true),
        };
        if self.clkst.0 != wanted {
            self.clkst = (wanted, Time::NEVER);
        }
        soon(&mut self.clkst.1, wanted != self.s >> 2 & 3 && there, SWITCH);
    }
}

impl Peripheral for Mcg {
    fn width(&self) -> Size {
        Size::Byte
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(u32::from(match offset {
            C1..=C6 => self.c[offset as usize],
            S => self.s,
            SC => self.sc,
            ATCVH | ATCVL => self.atcv[(offset - ATCVH) as usize],
            C8 => self.c8,
            C7 | C9 | C10 => 0,
            _ => return None,
        }))
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, _: u32) -> Option<()> {
        let value = value as u8;
        match offset {
            C1 | C2 | C3 | C4 => self.c[offset as usize] = value,
            C5 | C6 => {
                let bits = if offset == C5 { 0x7F } else { 0xFF };
                let old = std::mem::replace(&mut self.c[offset as usize], value & bits);
                // Another divider: the PLL has to lock again.
                if (old ^ value) & 0x1F != 0 {
                    self.status(S_LOCK0, false);
                    self.lock_due = Time::NEVER;
                }
            }
            S => self.s &= !(value & S_LOLS0),
            // ATMF is cleared by a 1; the automatic trim machine is not there.
            SC => self.sc = value & 0x4E,
            ATCVH | ATCVL => self.atcv[(offset - ATCVH) as usize] = value,
            C8 => self.c8 = value & 0x80,
            C7 | C9 | C10 => {}
            _ => return None,
        }
        self.pursue(cx.now);
        Some(())
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        let faults = std::mem::take(&mut self.faults);
        *self = Mcg { crystal: self.crystal, faults, ..Mcg::new(None) };
    }

    fn irq(&self) -> bool {
        self.s & S_LOLS0 != 0 && self.c[5] & C6_LOLIE0 != 0
    }

    fn next(&self) -> Time {
        let due = [self.crystal_due, self.lock_due, self.reference_due, self.clkst.1, self.pllst_due, self.ircst_due];
        due.into_iter().min().unwrap_or(Time::NEVER)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        let is_due = |due: &mut Time| {
            let is_due = *due <= cx.now;
            if is_due {
                *due = Time::NEVER;
            }
            is_due
        };
        if is_due(&mut self.crystal_due) {
            self.s |= S_OSCINIT0;
        }
        if is_due(&mut self.lock_due) {
            self.s |= S_LOCK0;
        }
        if is_due(&mut self.reference_due) {
            self.s ^= S_IREFST;
        }
        if is_due(&mut self.pllst_due) {
            self.s ^= S_PLLST;
        }
        if is_due(&mut self.ircst_due) {
            self.s ^= S_IRCST;
        }
        if is_due(&mut self.clkst.1) {
            self.s = self.s & !(3 << 2) | self.clkst.0 << 2;
        }
        self.pursue(cx.now);
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
        let out = match self.s >> 2 & 3 {
            INTERNAL => self.internal(),
            EXTERNAL => self.external().unwrap_or(SLOW_IRC),
            PLL => self.pll().unwrap_or(SLOW_IRC),
            _ => self.fll(),
        };
        Some(Sources {
            out,
            fast: [Some(self.fll()), self.pll().map(|pll| pll.divided(2))],
            internal: (self.c[0] & C1_IRCLKEN != 0).then(|| self.internal()),
            external: self.external(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    fn out(mcg: &Mcg) -> Rate {
        mcg.sources().expect("sources").out
    }

    fn wait(bench: &mut Bench, mcg: &mut Mcg) {
        while mcg.next() != Time::NEVER {
            let next = mcg.next();
            bench.run_to(mcg, next);
        }
    }

    #[test]
    fn after_reset_the_fll_makes_21_mhz_of_the_internal_reference() {
        assert_eq!(Rate::hz(20_971_520).ticks(Span::secs(1)), out(&Mcg::new(None)).ticks(Span::secs(1)));
    }

    #[test]
    fn through_fbe_and_pbe_to_pee_status_follows_control_when_the_clocks_are_there() {
        let (mut bench, mut mcg) = (Bench::default(), Mcg::new(Some(16_000_000)));
        bench.write(&mut mcg, C2, 0x24);
        bench.write(&mut mcg, C1, 0xA2);
        assert_eq!(bench.read(&mut mcg, S), u32::from(S_IREFST), "nothing has switched yet");
        bench.run_to(&mut mcg, Time::ZERO + CRYSTAL_START);
        assert_eq!(bench.read(&mut mcg, S), u32::from(S_IREFST | S_OSCINIT0));
        wait(&mut bench, &mut mcg);
        assert_eq!(bench.read(&mut mcg, S), u32::from(S_OSCINIT0 | EXTERNAL << 2), "FBE");
        assert_eq!(out(&mcg), Rate::hz(16_000_000));
        bench.write(&mut mcg, C5, 3);
        bench.write(&mut mcg, C6, 0x40);
        let asked = bench.now;
        wait(&mut bench, &mut mcg);
        assert_eq!(bench.read(&mut mcg, S), u32::from(S_OSCINIT0 | EXTERNAL << 2 | S_PLLST | S_LOCK0), "PBE");
        assert_eq!(bench.now.since(asked), Span::us(150) + Span::ns(1075 * 250));
        bench.write(&mut mcg, C1, 0x1A);
        wait(&mut bench, &mut mcg);
        assert_eq!(bench.read(&mut mcg, S) >> 2 & 3, u32::from(PLL), "PEE");
        assert_eq!(out(&mcg).ticks(Span::secs(1)), 96_000_000);
        bench.write(&mut mcg, C1, 0xA2);
        wait(&mut bench, &mut mcg);
        assert_eq!(bench.read(&mut mcg, S) >> 2 & 3, u32::from(EXTERNAL), "back in PBE");
    }

    #[test]
    fn without_a_crystal_the_external_reference_never_comes() {
        let (mut bench, mut mcg) = (Bench::default(), Mcg::new(None));
        bench.write(&mut mcg, C2, 0x24);
        bench.write(&mut mcg, C1, 0xA2);
        assert_eq!(mcg.next(), Time::NEVER);
        assert_eq!(bench.read(&mut mcg, S), u32::from(S_IREFST));
    }

    #[test]
    fn in_fbi_the_core_runs_from_the_internal_reference_that_ircs_chooses() {
        let (mut bench, mut mcg) = (Bench::default(), Mcg::new(None));
        bench.write(&mut mcg, C1, 0x46);
        wait(&mut bench, &mut mcg);
        assert_eq!((bench.read(&mut mcg, S) >> 2 & 3, out(&mcg)), (1, SLOW_IRC));
        bench.write(&mut mcg, C2, 0x81);
        wait(&mut bench, &mut mcg);
        assert_eq!(out(&mcg).ticks(Span::secs(1)), 2_000_000, "SC[FCRDIV] is 1 after reset");
    }
}
