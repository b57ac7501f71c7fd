//! RTC — real-time counter (PS chapter "RTC"): 24 bits on the 32.768 kHz clock, which keeps running in sleep.
//!
//! Unlike elsewhere, an event appears only if EVTEN or INTEN enables it. The counter does not start its clock.

use super::clock::LfClk;
use super::peripheral::{Cx, Events, NEVER, Peripheral, Reset, index};
use super::ppi::bits;

const START: u32 = 0x000;
const STOP: u32 = 0x004;
const CLEAR: u32 = 0x008;
const TRIGOVRFLW: u32 = 0x00C;
const EVTEN: u32 = 0x340;
const EVTENSET: u32 = 0x344;
const EVTENCLR: u32 = 0x348;
const COUNTER: u32 = 0x504;
const PRESCALER: u32 = 0x508;
const CC: u32 = 0x540;

const TICK: u32 = 0;
const OVRFLW: u32 = 1;
const COMPARE0: u32 = 16;
const MAX: u32 = 0xFF_FFFF;
const TURN: u64 = 1 << 24;

/// The register machine.
#[derive(Debug)]
pub struct Rtc {
    events: Events,
    channels: u32,
    evten: u32,
    prescaler: u32,
    cc: [u32; 4],
    running: bool,
    counter: u32,
    /// The edge of the low frequency clock at which `counter` became what it is.
    edge: u64,
    polled: u32,
}

impl Rtc {
    /// An RTC with `channels` CC registers (3 or 4).
    #[must_use]
    pub fn new(channels: u32) -> Rtc {
        Rtc {
            events: Events::new(((1 << channels) - 1) << COMPARE0 | 1 << TICK | 1 << OVRFLW),
            channels,
            evten: 0,
            prescaler: 0,
            cc: [0; 4],
            running: false,
            counter: 0,
            edge: 0,
            polled: 0,
        }
    }

    fn enabled(&self) -> u32 {
        self.evten | self.events.inten()
    }

    fn divisor(&self) -> u64 {
        u64::from(self.prescaler) + 1
    }

    fn distance(&self, target: u32) -> u64 {
        let ticks = target.wrapping_sub(self.counter) & MAX;
        if ticks == 0 { TURN } else { ticks.into() }
    }

    /// Ticks until event `n`.
    fn until(&self, n: u32) -> u64 {
        match n {
            TICK => 1,
            OVRFLW => self.distance(0),
            n => self.distance(self.cc[(n - COMPARE0) as usize & 3]),
        }
    }

    fn advance(&mut self, cx: &Cx<'_>) {
        if self.running {
            let ticks = (cx.lfclk.edges(cx.now) - self.edge) / self.divisor();
            if ticks > 0 {
                let happened =
                    bits(self.enabled()).filter(|&n| self.until(n) <= ticks).fold(0, |mask, n| mask | 1 << n);
                self.events.raise_all(happened);
                self.polled &= !happened;
                self.counter = self.counter.wrapping_add(ticks as u32) & MAX;
                self.edge += ticks * self.divisor();
            }
        }
    }

    fn set_counter(&mut self, cx: &Cx<'_>, value: u32) {
        self.counter = value;
        self.edge = cx.lfclk.edges(cx.now);
    }
}

impl Peripheral for Rtc {
    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(match offset {
            EVTEN | EVTENSET | EVTENCLR => self.evten,
            COUNTER => self.counter,
            PRESCALER => self.prescaler,
            _ => self.cc[index(offset, CC, 4, self.channels)?],
        })
    }

    fn write(&mut self, _: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        match offset {
            EVTEN => self.evten = value,
            EVTENSET => self.evten |= value,
            EVTENCLR => self.evten &= !value,
            PRESCALER if !self.running => self.prescaler = value & 0xFFF,
            COUNTER | PRESCALER => {}
            _ => self.cc[index(offset, CC, 4, self.channels)?] = value & MAX,
        }
        Some(())
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        match offset {
            START if !self.running => {
                self.running = true;
                self.edge = cx.lfclk.edges(cx.now);
            }
            START => {}
            STOP => self.running = false,
            CLEAR => self.set_counter(cx, 0),
            TRIGOVRFLW => self.set_counter(cx, 0xFF_FFF0),
            _ => return None,
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        let mut events = std::mem::take(&mut self.events);
        events.reset();
        *self = Rtc { events, ..Rtc::new(self.channels) };
    }

    fn next(&self, lfclk: &LfClk) -> u64 {
        if !self.running {
            return NEVER;
        }
        let watched = self.enabled() & (self.events.observed() | self.polled);
        let ticks = bits(watched).map(|n| self.until(n)).min();
        ticks.map_or(NEVER, |ticks| lfclk.cycle_of(self.edge + ticks * self.divisor()))
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.advance(cx);
    }

    fn sync(&mut self, cx: &mut Cx<'_>) {
        self.advance(cx);
    }

    fn polled(&mut self, n: u32) {
        self.polled |= 1 << n;
    }

    fn steady(&self, offset: u32) -> bool {
        offset != COUNTER
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::{Clock, Crystals, LFCLKSTART};
    use super::super::peripheral::testing::Bench;
    use super::super::peripheral::us;
    use super::super::table::Series;
    use super::*;

    /// A bench whose low frequency clock has just started.
    fn bench() -> Bench {
        let (mut bench, mut clock) = (Bench::default(), Clock::new(Series::Nrf52, Crystals { lfxo: false }));
        clock.task(&mut bench.cx(), LFCLKSTART);
        bench.now = clock.next();
        clock.run(&mut bench.cx());
        bench
    }

    const SECOND: u64 = us(1_000_000);

    #[test]
    fn the_counter_runs_at_32768_hz_over_prescaler_plus_1() {
        for (prescaler, expected) in [(0, 32_768), (32, 992), (4095, 8)] {
            let (mut bench, mut rtc) = (bench(), Rtc::new(4));
            rtc.write(&mut bench.cx(), PRESCALER, prescaler);
            rtc.task(&mut bench.cx(), START);
            let end = bench.now + SECOND;
            bench.run_to(&mut rtc, end);
            assert_eq!(rtc.read(&mut bench.cx(), COUNTER), Some(expected));
        }
    }

    #[test]
    fn it_stands_still_without_its_clock() {
        let (mut bench, mut rtc) = (Bench::default(), Rtc::new(4));
        rtc.task(&mut bench.cx(), START);
        bench.run_to(&mut rtc, SECOND);
        assert_eq!(rtc.read(&mut bench.cx(), COUNTER), Some(0));
    }

    #[test]
    fn a_compare_event_appears_only_if_evten_or_inten_enables_it() {
        let (mut bench, mut rtc) = (bench(), Rtc::new(4));
        let start = bench.now;
        rtc.write(&mut bench.cx(), CC, 3277);
        rtc.task(&mut bench.cx(), START);
        bench.run_to(&mut rtc, start + SECOND / 2);
        assert!(!rtc.events.is_set(COMPARE0));
        rtc.task(&mut bench.cx(), CLEAR);
        let start = bench.now;
        rtc.write(&mut bench.cx(), EVTENSET, 1 << COMPARE0);
        let at = bench.wait(&mut rtc, COMPARE0, start + SECOND).expect("an event");
        assert!((at - start).abs_diff(SECOND / 10) < 2 * 1_954, "100 ms within two edges");
    }

    #[test]
    fn overflow_follows_16_ticks_after_trigovrflw() {
        let (mut bench, mut rtc) = (bench(), Rtc::new(4));
        rtc.events.write(0x304, 1 << OVRFLW);
        rtc.task(&mut bench.cx(), START);
        rtc.task(&mut bench.cx(), TRIGOVRFLW);
        let start = bench.now;
        let at = bench.wait(&mut rtc, OVRFLW, start + SECOND).expect("an event");
        assert_eq!(at - start, 31_250, "16 edges of 1953.125 cycles");
        assert!(rtc.events.irq());
    }

    #[test]
    fn the_prescaler_is_locked_while_it_runs() {
        let (mut bench, mut rtc) = (bench(), Rtc::new(3));
        rtc.task(&mut bench.cx(), START);
        rtc.write(&mut bench.cx(), PRESCALER, 7);
        assert_eq!(rtc.read(&mut bench.cx(), PRESCALER), Some(0));
        assert_eq!(rtc.read(&mut bench.cx(), CC + 12), None, "RTC0 has three CC registers");
    }
}
