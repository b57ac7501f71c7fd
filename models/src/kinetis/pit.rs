//! PIT — periodic interrupt timer (reference manual, chapter of that name): two timers that count the bus clock down, of which
//! the second can count the expirations of the first.

use twinboard_sim::bus::Size;
use twinboard_sim::time::Time;

use super::clock::Rate;
use super::peripheral::{Cx, Peripheral, Reset, merged};

const MCR: u32 = 0x00;
const LTMR64H: u32 = 0xE0;
const LTMR64L: u32 = 0xE4;
const LDVAL0: u32 = 0x100;
const TFLG1: u32 = 0x11C;

const MCR_MDIS: u32 = 1 << 1;
const MCR_FRZ: u32 = 1;
const TCTRL_CHN: u32 = 1 << 2;
const TCTRL_TIE: u32 = 1 << 1;
const TCTRL_TEN: u32 = 1;
const TFLG_TIF: u32 = 1;

#[derive(Clone, Copy, Default, Debug)]
struct Channel {
    ldval: u32,
    tctrl: u32,
    tflg: u32,
    /// CVAL, as of the tick up to which all is noted.
    cval: u32,
}

impl Channel {
    fn runs(&self) -> bool {
        self.tctrl & TCTRL_TEN != 0
    }

    fn chained(&self) -> bool {
        self.tctrl & TCTRL_CHN != 0
    }

    fn interrupts(&self) -> bool {
        self.tctrl & TCTRL_TIE != 0 && self.tflg & TFLG_TIF != 0
    }

    /// Somebody waits for the next expiration.
    fn is_awaited(&self) -> bool {
        self.tctrl & (TCTRL_TEN | TCTRL_TIE) == TCTRL_TEN | TCTRL_TIE && self.tflg & TFLG_TIF == 0
    }

    /// Counts `ticks` down. LDVAL is loaded after 0, so a change of it begins with the next period. Answers how often it expired.
    fn count(&mut self, ticks: u64) -> u64 {
        let left = u64::from(self.cval);
        if ticks <= left {
            self.cval = (left - ticks) as u32;
            return 0;
        }
        let (over, period) = (ticks - left - 1, u64::from(self.ldval) + 1);
        self.cval = (u64::from(self.ldval) - over % period) as u32;
        self.tflg |= TFLG_TIF;
        1 + over / period
    }

    /// Ticks until it has expired `times` times (1 or more).
    fn until(&self, times: u64) -> u64 {
        (u64::from(self.cval) + 1).saturating_add((times - 1).saturating_mul(u64::from(self.ldval) + 1))
    }
}

/// The register machine.
#[derive(Debug)]
pub struct Pit {
    mcr: u32,
    channels: [Channel; 2],
    /// LTMR64L, as it was when LTMR64H was read.
    lifetime_low: u32,
    halted: bool,
    /// The bus clock, if the timers have it.
    clock: Option<Rate>,
    /// Where ticks are counted from, and how many of them are noted.
    since: Time,
    noted: u64,
}

impl Pit {
    /// A PIT at its reset values.
    #[must_use]
    pub fn new() -> Pit {
        Pit {
            mcr: MCR_MDIS,
            channels: [Channel::default(); 2],
            lifetime_low: 0,
            halted: false,
            clock: None,
            since: Time::ZERO,
            noted: 0,
        }
    }

    /// Notes what happened until `now`.
    fn advance(&mut self, now: Time) {
        let Some(clock) = self.clock else { return };
        let ticks = clock.ticks(now.since(self.since));
        let passed = ticks.saturating_sub(self.noted);
        self.noted = ticks;
        let [first, second] = &mut self.channels;
        let expired = if first.runs() { first.count(passed) } else { 0 };
        if second.runs() {
            second.count(if second.chained() { expired } else { passed });
        }
    }

    /// The clock comes, goes or changes its frequency.
    fn reclock(&mut self, cx: &Cx<'_>) {
        self.advance(cx.now);
        let stopped = self.mcr & MCR_MDIS != 0 || (self.halted && self.mcr & MCR_FRZ != 0);
        self.clock = (!stopped).then_some(cx.clocks.bus);
        (self.since, self.noted) = (cx.now, 0);
    }

    /// Channel and register of an offset.
    fn place(offset: u32) -> Option<(usize, u32)> {
        matches!(offset, LDVAL0..=TFLG1).then_some(((offset - LDVAL0) as usize / 16, offset & 12))
    }
}

impl Default for Pit {
    fn default() -> Pit {
        Pit::new()
    }
}

impl Peripheral for Pit {
    fn width(&self) -> Size {
        Size::Word
    }

    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        self.advance(cx.now);
        Some(match offset {
            MCR => self.mcr,
            LTMR64H => {
                self.lifetime_low = self.channels[0].cval;
                self.channels[1].cval
            }
            LTMR64L => self.lifetime_low,
            _ => {
                let (n, register) = Pit::place(offset)?;
                let Channel { ldval, tctrl, tflg, cval } = self.channels[n];
                [ldval, cval, tctrl, tflg][register as usize / 4]
            }
        })
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, lanes: u32) -> Option<()> {
        self.advance(cx.now);
        match offset {
            MCR => {
                self.mcr = merged(self.mcr, value, lanes & (MCR_MDIS | MCR_FRZ));
                self.reclock(cx);
            }
            LTMR64H | LTMR64L => {}
            _ => {
                let (n, register) = Pit::place(offset)?;
                let channel = &mut self.channels[n];
                match register {
                    0 => channel.ldval = merged(channel.ldval, value, lanes),
                    8 => {
                        let ran = channel.runs();
                        // Timer 0 has nobody to be chained to.
                        let bits = if n == 0 { TCTRL_TIE | TCTRL_TEN } else { TCTRL_CHN | TCTRL_TIE | TCTRL_TEN };
                        channel.tctrl = merged(channel.tctrl, value, lanes & bits);
                        if channel.runs() && !ran {
                            channel.cval = channel.ldval;
                        }
                    }
                    12 => channel.tflg &= !(value & lanes),
                    _ => {}
                }
            }
        }
        Some(())
    }

    fn reset(&mut self, cx: &mut Cx<'_>, _: Reset) {
        *self = Pit { since: cx.now, halted: self.halted, ..Pit::new() };
    }

    fn irq(&self) -> bool {
        self.channels.iter().any(Channel::interrupts)
    }

    /// Only what interrupts is an event; everything else is computed when somebody looks.
    fn next(&self) -> Time {
        let Some(clock) = self.clock else { return Time::NEVER };
        let [first, second] = &self.channels;
        let of_first = first.is_awaited().then(|| first.until(1));
        let of_second = match (second.is_awaited(), second.chained()) {
            (true, false) => Some(second.until(1)),
            (true, true) if first.runs() => Some(first.until(second.until(1))),
            _ => None,
        };
        let ticks = of_first.into_iter().chain(of_second).min();
        ticks.map_or(Time::NEVER, |ticks| self.since + clock.span(self.noted.saturating_add(ticks)))
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.advance(cx.now);
    }

    fn steady(&self, offset: u32) -> bool {
        matches!(offset, MCR | LTMR64L)
    }

    fn reclocked(&mut self, cx: &mut Cx<'_>) {
        self.reclock(cx);
    }

    fn core_halted(&mut self, cx: &mut Cx<'_>, halted: bool) {
        self.halted = halted;
        self.reclock(cx);
    }
}

#[cfg(test)]
mod tests {
    use twinboard_sim::time::Span;

    use super::super::peripheral::testing::Bench;
    use super::*;

    const CVAL0: u32 = 0x104;
    const TCTRL0: u32 = 0x108;
    const TFLG0: u32 = 0x10C;
    const LDVAL1: u32 = 0x110;
    const CVAL1: u32 = 0x114;
    const TCTRL1: u32 = 0x118;

    fn bench() -> (Bench, Pit) {
        let (mut bench, mut pit) = (Bench::default(), Pit::new());
        bench.write(&mut pit, MCR, 0);
        (bench, pit)
    }

    fn after(span: Span) -> Time {
        Time::ZERO + span
    }

    #[test]
    fn a_timer_interrupts_every_ldval_plus_one_bus_clocks() {
        let (mut bench, mut pit) = bench();
        // 24 MHz: 24 clocks are a microsecond.
        bench.write(&mut pit, LDVAL0, 23);
        bench.write(&mut pit, TCTRL0, TCTRL_TIE | TCTRL_TEN);
        assert_eq!(bench.read(&mut pit, CVAL0), 23);
        for round in 1..4 {
            bench.run_to(&mut pit, Time(round * 1_000_000 - 1));
            assert_eq!((pit.irq(), bench.read(&mut pit, CVAL0)), (false, 0), "{round}");
            bench.run_to(&mut pit, Time(round * 1_000_000));
            assert_eq!((pit.irq(), bench.read(&mut pit, CVAL0)), (true, 23), "{round}");
            bench.write(&mut pit, TFLG0, 1);
            assert!(!pit.irq());
        }
    }

    #[test]
    fn a_new_ldval_begins_with_the_next_period_and_at_once_if_the_timer_is_enabled_anew() {
        let (mut bench, mut pit) = bench();
        bench.write(&mut pit, LDVAL0, 23);
        bench.write(&mut pit, TCTRL0, TCTRL_TEN);
        bench.run_to(&mut pit, Time(500_000));
        bench.write(&mut pit, LDVAL0, 47);
        bench.run_to(&mut pit, Time(999_999));
        assert_eq!(bench.read(&mut pit, TFLG0), 0);
        bench.run_to(&mut pit, Time(1_000_000));
        assert_eq!((bench.read(&mut pit, TFLG0), bench.read(&mut pit, CVAL0)), (1, 47));
        bench.write(&mut pit, TCTRL0, 0);
        bench.write(&mut pit, LDVAL0, 9);
        bench.write(&mut pit, TCTRL0, TCTRL_TEN);
        assert_eq!(bench.read(&mut pit, CVAL0), 9);
    }

    #[test]
    fn chained_timers_are_a_lifetime_of_64_bits() {
        let (mut bench, mut pit) = bench();
        bench.write(&mut pit, LDVAL1, u32::MAX);
        bench.write(&mut pit, TCTRL1, TCTRL_CHN | TCTRL_TEN);
        bench.write(&mut pit, LDVAL0, u32::MAX);
        bench.write(&mut pit, TCTRL0, TCTRL_TEN);
        bench.run_to(&mut pit, after(Span::secs(1_000)));
        // Both count down; the low half is that of the moment at which the high one was read.
        let high = bench.read(&mut pit, LTMR64H);
        bench.run_to(&mut pit, after(Span::secs(1_001)));
        let low = bench.read(&mut pit, LTMR64L);
        assert_eq!(!(u64::from(high) << 32 | u64::from(low)), 24_000_000_000);
    }

    #[test]
    fn a_chained_timer_interrupts_after_so_many_expirations_of_the_first() {
        let (mut bench, mut pit) = bench();
        bench.write(&mut pit, LDVAL1, 2);
        bench.write(&mut pit, TCTRL1, TCTRL_CHN | TCTRL_TIE | TCTRL_TEN);
        bench.write(&mut pit, LDVAL0, 23);
        bench.write(&mut pit, TCTRL0, TCTRL_TEN);
        bench.run_to(&mut pit, Time(2_999_999));
        assert_eq!((pit.irq(), bench.read(&mut pit, CVAL1)), (false, 0));
        bench.run_to(&mut pit, Time(3_000_000));
        assert!(pit.irq());
    }

    #[test]
    fn mdis_stops_the_timers_and_frz_does_while_the_core_is_halted() {
        let (mut bench, mut pit) = bench();
        bench.write(&mut pit, LDVAL0, 2399);
        bench.write(&mut pit, TCTRL0, TCTRL_TIE | TCTRL_TEN);
        bench.run_to(&mut pit, after(Span::us(10)));
        bench.write(&mut pit, MCR, MCR_MDIS);
        bench.run_to(&mut pit, after(Span::us(500)));
        bench.write(&mut pit, MCR, MCR_FRZ);
        assert_eq!(bench.read(&mut pit, CVAL0), 2399 - 240);
        pit.core_halted(&mut bench.cx(), true);
        bench.run_to(&mut pit, after(Span::us(900)));
        assert_eq!(bench.read(&mut pit, CVAL0), 2399 - 240);
        pit.core_halted(&mut bench.cx(), false);
        bench.run_to(&mut pit, after(Span::us(990)));
        assert!(pit.irq());
    }
}
