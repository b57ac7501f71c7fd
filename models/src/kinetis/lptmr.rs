//! LPTMR — low-power timer (reference manual, chapter of that name) as a time counter. Counting pulses of a pin is not modelled.

use twinboard_sim::bus::Size;
use twinboard_sim::time::Time;

use super::clock::Rate;
use super::peripheral::{Cx, Peripheral, Reset, merged};

const CSR: u32 = 0x0;
const PSR: u32 = 0x4;
const CMR: u32 = 0x8;
const CNR: u32 = 0xC;

const CSR_TCF: u32 = 1 << 7;
const CSR_TIE: u32 = 1 << 6;
const CSR_TFC: u32 = 1 << 2;
const CSR_TMS: u32 = 1 << 1;
const CSR_TEN: u32 = 1;
/// TPS, TPP, TFC, TMS, which are only to be changed while the timer is off.
const CSR_MODE: u32 = 0x3E;
const PSR_PBYP: u32 = 1 << 2;
/// The counter has 16 bits.
const WRAP: u64 = 0x1_0000;

/// The register machine.
#[derive(Debug)]
pub struct Lptmr {
    csr: u32,
    psr: u32,
    cmr: u32,
    /// CNR as it was at the last write to it, which is what a read gives.
    latched: u32,
    clock: Option<Rate>,
    /// The counter `noted` ticks after `since`.
    count: u64,
    since: Time,
    noted: u64,
}

impl Lptmr {
    /// An LPTMR at its reset values.
    #[must_use]
    pub fn new() -> Lptmr {
        Lptmr { csr: 0, psr: 0, cmr: 0, latched: 0, clock: None, count: 0, since: Time::ZERO, noted: 0 }
    }

    /// PSR\[PCS\] behind the prescaler, while the timer is on.
    fn source(&self, cx: &Cx<'_>) -> Option<Rate> {
        let sources = &cx.clocks.sources;
        let rate = match self.psr & 3 {
            0 => sources.internal,
            1 => Some(Rate::LPO),
            2 => cx.clocks.erclk32k,
            _ => sources.external,
        };
        let divider = if self.psr & PSR_PBYP != 0 { 1 } else { 2 << (self.psr >> 3 & 15) };
        rate.filter(|_| self.csr & (CSR_TEN | CSR_TMS) == CSR_TEN).map(|rate| rate.divided(divider))
    }

    /// Ticks from the present count to the one with which TCF is set: the counter equals CMR and increments.
    fn to_match(&self) -> u64 {
        let compare = u64::from(self.cmr);
        if self.count <= compare { compare - self.count + 1 } else { WRAP - self.count + compare + 1 }
    }

    /// Notes what happened until `now`.
    fn advance(&mut self, now: Time) {
        let Some(clock) = self.clock else { return };
        let ticks = clock.ticks(now.since(self.since));
        let passed = ticks.saturating_sub(self.noted);
        self.noted = ticks;
        let to_match = self.to_match();
        if passed < to_match {
            self.count = (self.count + passed) % WRAP;
            return;
        }
        self.csr |= CSR_TCF;
        self.count = if self.csr & CSR_TFC != 0 {
            (self.count + passed) % WRAP
        } else {
            // From 0 with each match.
            (passed - to_match) % (u64::from(self.cmr) + 1)
        };
    }

    fn restart(&mut self, cx: &Cx<'_>) {
        (self.since, self.noted) = (cx.now, 0);
        self.clock = self.source(cx);
    }
}

impl Default for Lptmr {
    fn default() -> Lptmr {
        Lptmr::new()
    }
}

impl Peripheral for Lptmr {
    fn width(&self) -> Size {
        Size::Word
    }

    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        self.advance(cx.now);
        Some(match offset {
            CSR => self.csr,
            PSR => self.psr,
            CMR => self.cmr,
            CNR => self.latched,
            _ => return None,
        })
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, lanes: u32) -> Option<()> {
        self.advance(cx.now);
        let off = self.csr & CSR_TEN == 0;
        match offset {
            CSR => {
                let flag = self.csr & !(value & lanes) & CSR_TCF;
                let bits = CSR_TIE | CSR_TEN | if off { CSR_MODE } else { 0 };
                self.csr = merged(self.csr, value, lanes & bits) & !CSR_TCF | flag;
                if self.csr & CSR_TEN == 0 {
                    // Off: the counter and its flag are reset.
                    (self.count, self.csr) = (0, self.csr & !CSR_TCF);
                }
                self.restart(cx);
                return (self.csr & (CSR_TEN | CSR_TMS) != CSR_TEN | CSR_TMS).then_some(());
            }
            PSR if off => self.psr = merged(self.psr, value, lanes & 0x7F),
            // To be changed while the timer is off or TCF is set.
            CMR if off || self.csr & CSR_TCF != 0 => self.cmr = merged(self.cmr, value, lanes & 0xFFFF),
            PSR | CMR => {}
            CNR => self.latched = self.count as u32,
            _ => return None,
        }
        Some(())
    }

    /// "Reset on power-on and low-voltage reset only" is what the manual says of its registers.
    fn reset(&mut self, cx: &mut Cx<'_>, reset: Reset) {
        if reset == Reset::PowerOn {
            *self = Lptmr { since: cx.now, ..Lptmr::new() };
        }
    }

    fn irq(&self) -> bool {
        self.csr & (CSR_TCF | CSR_TIE) == CSR_TCF | CSR_TIE
    }

    fn next(&self) -> Time {
        match self.clock {
            Some(clock) if self.csr & (CSR_TCF | CSR_TIE) == CSR_TIE => {
                self.since + clock.span(self.noted + self.to_match())
            }
            _ => Time::NEVER,
        }
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.advance(cx.now);
    }

    fn steady(&self, offset: u32) -> bool {
        matches!(offset, PSR | CMR | CNR)
    }

    fn reclocked(&mut self, cx: &mut Cx<'_>) {
        self.advance(cx.now);
        self.restart(cx);
    }
}

#[cfg(test)]
mod tests {
    use twinboard_sim::time::Span;

    use super::super::peripheral::testing::Bench;
    use super::*;

    /// PCS: the LPO, without the prescaler.
    const LPO: u32 = PSR_PBYP | 1;

    fn count(bench: &mut Bench, lptmr: &mut Lptmr) -> u32 {
        bench.write(lptmr, CNR, 0);
        bench.read(lptmr, CNR)
    }

    #[test]
    fn the_flag_comes_with_the_tick_behind_the_compare_value_and_the_counter_begins_anew() {
        let (mut bench, mut lptmr) = (Bench::default(), Lptmr::new());
        bench.write(&mut lptmr, PSR, LPO);
        bench.write(&mut lptmr, CMR, 9);
        bench.write(&mut lptmr, CSR, CSR_TIE | CSR_TEN);
        for round in 1..4 {
            bench.run_to(&mut lptmr, Time::ZERO + Span::us(10_000 * round - 1));
            assert_eq!((lptmr.irq(), count(&mut bench, &mut lptmr)), (false, 9), "{round}");
            bench.run_to(&mut lptmr, Time::ZERO + Span::ms(10 * round));
            assert_eq!((lptmr.irq(), count(&mut bench, &mut lptmr)), (true, 0), "{round}");
            bench.write(&mut lptmr, CSR, CSR_TCF | CSR_TIE | CSR_TEN);
            assert!(!lptmr.irq());
        }
    }

    #[test]
    fn a_free_running_counter_goes_on_to_its_end() {
        let (mut bench, mut lptmr) = (Bench::default(), Lptmr::new());
        // The prescaler divides by 4.
        bench.write(&mut lptmr, PSR, 1 << 3 | 1);
        bench.write(&mut lptmr, CMR, 9);
        bench.write(&mut lptmr, CSR, CSR_TFC | CSR_TEN);
        bench.run_to(&mut lptmr, Time::ZERO + Span::ms(60));
        assert_eq!((bench.read(&mut lptmr, CSR) & CSR_TCF, count(&mut bench, &mut lptmr)), (CSR_TCF, 15));
        bench.run_to(&mut lptmr, Time::ZERO + Span::ms(4 * 0x1_0007));
        assert_eq!(count(&mut bench, &mut lptmr), 7);
    }

    #[test]
    fn the_counter_is_read_as_it_was_at_the_last_write_to_it() {
        let (mut bench, mut lptmr) = (Bench::default(), Lptmr::new());
        bench.write(&mut lptmr, PSR, LPO);
        bench.write(&mut lptmr, CMR, 1_000);
        bench.write(&mut lptmr, CSR, CSR_TEN);
        bench.run_to(&mut lptmr, Time::ZERO + Span::ms(5));
        assert_eq!(count(&mut bench, &mut lptmr), 5);
        bench.run_to(&mut lptmr, Time::ZERO + Span::ms(8));
        assert_eq!(bench.read(&mut lptmr, CNR), 5);
        // Switched off, it is 0, and what chooses the clock can be changed again.
        bench.write(&mut lptmr, PSR, 0);
        assert_eq!(bench.read(&mut lptmr, PSR), LPO);
        bench.write(&mut lptmr, CSR, 0);
        assert_eq!(count(&mut bench, &mut lptmr), 0);
        bench.write(&mut lptmr, PSR, 0);
        assert_eq!(bench.read(&mut lptmr, PSR), 0);
    }

    #[test]
    fn counting_pulses_is_not_taken_silently_and_only_power_on_resets() {
        let (mut bench, mut lptmr) = (Bench::default(), Lptmr::new());
        assert_eq!(lptmr.write(&mut bench.cx(), CSR, CSR_TMS | CSR_TEN, u32::MAX), None);
        bench.write(&mut lptmr, CSR, 0);
        bench.write(&mut lptmr, CMR, 5);
        lptmr.reset(&mut bench.cx(), Reset::Software);
        assert_eq!(bench.read(&mut lptmr, CMR), 5);
        lptmr.reset(&mut bench.cx(), Reset::PowerOn);
        assert_eq!(bench.read(&mut lptmr, CMR), 0);
    }
}
