//! TIMER — timer/counter (PS chapter "TIMER"): counts PCLK16M divided by 2^PRESCALER, compares and captures.
//!
//! A timer that interrupts nobody and drives no PPI channel costs nothing: its state is computed in closed form when
//! somebody looks. Only compare events that would be noticed are scheduled.

use super::clock::LfClk;
use super::peripheral::{Cx, Events, NEVER, PCLK16M, Peripheral, Reset, SHORTS, index};
use super::ppi::bits;

const START: u32 = 0x000;
const STOP: u32 = 0x004;
const COUNT: u32 = 0x008;
const CLEAR: u32 = 0x00C;
const SHUTDOWN: u32 = 0x010;
const CAPTURE: u32 = 0x040;
const MODE: u32 = 0x504;
const BITMODE: u32 = 0x508;
const PRESCALER: u32 = 0x510;
const CC: u32 = 0x540;

/// Event number of COMPARE\[0\].
const COMPARE0: u32 = 16;
const MAX_CC: usize = 6;

/// What distinguishes one timer from another.
#[derive(Clone, Copy, Debug)]
pub struct TimerSpec {
    /// How many CC registers there are, at most 6.
    pub cc: u32,
    /// Bits of the counter, 16 or 32: a wider BITMODE counts in as many as there are.
    pub bits: u32,
}

/// The register machine.
#[derive(Debug)]
pub struct Timer {
    spec: TimerSpec,
    events: Events,
    /// How many CC registers there are: 4 or 6.
    channels: u32,
    shorts: u32,
    mode: u32,
    bitmode: u32,
    prescaler: u32,
    cc: [u32; MAX_CC],
    running: bool,
    counter: u32,
    /// The cycle at which `counter` became what it is (while running as a timer).
    synced: u64,
    /// COUNT tasks on their way to the counter, and when they arrive.
    counting: u32,
    count_due: u64,
    /// Compare channels whose event somebody polls.
    polled: u32,
    /// In so many ticks, at least, the counter comes by no CC register: less than that passes at once.
    clear: u64,
    /// The tick at which COMPARE events happened last, as a cycle, and which.
    latest: (u64, u32),
}

impl Timer {
    /// A timer of this kind.
    #[must_use]
    pub fn new(spec: TimerSpec) -> Timer {
        let channels = spec.cc;
        Timer {
            spec,
            events: Events::new(((1 << channels) - 1) << COMPARE0),
            channels,
            shorts: 0,
            mode: 0,
            bitmode: 0,
            prescaler: 4,
            cc: [0; MAX_CC],
            running: false,
            counter: 0,
            synced: 0,
            counting: 0,
            count_due: NEVER,
            polled: 0,
            clear: 0,
            latest: (0, 0),
        }
    }

    /// Core cycles per tick.
    fn period(&self) -> u64 {
        1 << self.shift()
    }

    /// The binary logarithm of [`Timer::period`].
    fn shift(&self) -> u32 {
        PCLK16M.trailing_zeros() + self.prescaler
    }

    /// BITMODE: 0 = 16, 1 = 8, 2 = 24, 3 = 32 bits.
    fn mask(&self) -> u32 {
        [0xFFFF, 0xFF, 0xFF_FFFF, u32::MAX][self.bitmode as usize & 3] & (u32::MAX >> (32 - self.spec.bits))
    }

    /// Ticks until the counter *becomes* equal to CC\[n\]: a whole turn if it already is.
    fn distance(&self, counter: u32, n: u32) -> u64 {
        let ticks = self.cc[n as usize].wrapping_sub(counter) & self.mask();
        if ticks == 0 { u64::from(self.mask()) + 1 } else { ticks.into() }
    }

    /// Ticks from `counter` until a short clears or stops it.
    fn until_short(&self, counter: u32) -> u64 {
        let shorted = (self.shorts | self.shorts >> 8) & 0x3F;
        bits(shorted).map(|n| self.distance(counter, n)).min().unwrap_or(u64::MAX)
    }

    /// Lets `ticks` ticks pass, the last one at cycle `end`.
    fn tick(&mut self, mut ticks: u64, end: u64) {
        if self.running && ticks < self.clear {
            self.clear -= ticks;
            self.counter = self.counter.wrapping_add(ticks as u32) & self.mask();
            self.latest = (end, 0);
            return;
        }
        while ticks > 0 && self.running {
            let step = self.until_short(self.counter).min(ticks);
            for n in 0..self.channels {
                if self.distance(self.counter, n) <= step {
                    self.events.raise(COMPARE0 + n);
                    self.polled &= !(1 << n);
                }
            }
            self.counter = self.counter.wrapping_add(step as u32) & self.mask();
            ticks -= step;
            let hit = (0..self.channels).filter(|&n| self.cc[n as usize] & self.mask() == self.counter);
            let hit = hit.fold(0, |mask, n| mask | 1 << n);
            if ticks == 0 {
                self.latest = (end, hit);
            }
            if self.shorts >> 8 & hit != 0 {
                self.running = false;
            }
            if self.shorts & hit != 0 {
                self.counter = 0;
                // From here on every turn is like the last: one more shows all there is to see.
                let turn = self.until_short(0);
                if self.running && ticks > 2 * turn {
                    ticks = ticks % turn + turn;
                }
            }
        }
        self.look_ahead();
    }

    /// Finds out how far the next CC register is, with or without a short.
    fn look_ahead(&mut self) {
        let nearest = (0..self.channels).map(|n| self.distance(self.counter, n)).min().unwrap_or(0);
        self.clear = nearest.min(self.until_short(self.counter));
    }

    fn advance(&mut self, now: u64) {
        if self.running && self.mode == 0 {
            let ticks = (now - self.synced) >> self.shift();
            if ticks > 0 {
                self.synced += ticks << self.shift();
                self.tick(ticks, self.synced);
            }
        }
    }

    /// Ticks until COMPARE\[n\], if the counter ever gets there.
    fn until_compare(&self, n: u32) -> Option<u64> {
        let direct = self.distance(self.counter, n);
        if self.shorts == 0 {
            return Some(direct);
        }
        let short = self.until_short(self.counter);
        if direct <= short {
            return Some(direct);
        }
        // The clearing short comes first: the next chance is after it, below the clearing value.
        let landing = self.counter.wrapping_add(short as u32) & self.mask();
        let clears = bits(self.shorts & 0x3F).any(|m| self.cc[m as usize] & self.mask() == landing);
        let stops = bits(self.shorts >> 8 & 0x3F).any(|m| self.cc[m as usize] & self.mask() == landing);
        let again = self.distance(0, n);
        (clears && !stops && again <= self.until_short(0)).then_some(short + again)
    }
}

impl Peripheral for Timer {
    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(match offset {
            SHORTS => self.shorts,
            MODE => self.mode,
            BITMODE => self.bitmode,
            PRESCALER => self.prescaler,
            _ => self.cc[index(offset, CC, 4, self.channels)?],
        })
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        self.clear = 0;
        match offset {
            SHORTS => self.shorts = value & 0x3F3F,
            MODE => {
                self.mode = value & 3;
                self.synced = cx.now;
            }
            BITMODE => {
                self.bitmode = value & 3;
                self.counter &= self.mask();
            }
            PRESCALER => self.prescaler = (value & 0xF).min(9),
            _ => self.cc[index(offset, CC, 4, self.channels)?] = value,
        }
        Some(())
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        match offset {
            START if !self.running => (self.running, self.synced) = (true, cx.now),
            START => {}
            STOP => self.running = false,
            COUNT if self.running && self.mode != 0 => {
                self.counting += 1;
                self.count_due = self.count_due.min(cx.now + PCLK16M);
            }
            COUNT => {}
            CLEAR => (self.counter, self.synced, self.clear) = (0, cx.now, 0),
            SHUTDOWN => (self.running, self.counter, self.clear) = (false, 0, 0),
            // What becomes of CC is a whole turn away, and so no nearer than before.
            _ => self.cc[index(offset, CAPTURE, 4, self.channels)?] = self.counter,
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        let mut events = std::mem::take(&mut self.events);
        events.reset();
        *self = Timer { events, ..Timer::new(self.spec) };
    }

    fn next(&self, _: &LfClk) -> u64 {
        if self.mode != 0 {
            return self.count_due;
        }
        if !self.running {
            return NEVER;
        }
        let watched = self.events.observed() >> COMPARE0 | self.polled;
        let ticks = bits(watched & 0x3F).filter_map(|n| self.until_compare(n)).min();
        ticks.map_or(NEVER, |ticks| self.synced.saturating_add(ticks.saturating_mul(self.period())))
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.advance(cx.now);
        if self.count_due <= cx.now {
            self.count_due = NEVER;
            let ticks = std::mem::take(&mut self.counting);
            self.tick(ticks.into(), cx.now);
        }
    }

    fn sync(&mut self, cx: &mut Cx<'_>) {
        self.advance(cx.now);
    }

    /// Only the last tick is remembered: a tick is no shorter than the way of an event through the PPI.
    fn last_raised(&self, n: u32) -> Option<u64> {
        let (at, events) = self.latest;
        Some(if events >> n.wrapping_sub(COMPARE0) & 1 == 1 { at } else { 0 })
    }

    fn polled(&mut self, n: u32) {
        self.polled |= 1 << n >> COMPARE0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::super::peripheral::{EVENTS, us};
    use super::*;
    use proptest::prelude::*;

    fn timer(bench: &mut Bench, registers: &[(u32, u32)]) -> Timer {
        let mut timer = Timer::new(TimerSpec { cc: 6, bits: 32 });
        for &(offset, value) in registers {
            timer.write(&mut bench.cx(), offset, value).expect("a register");
        }
        timer.task(&mut bench.cx(), START);
        timer
    }

    fn capture(bench: &mut Bench, timer: &mut Timer) -> u32 {
        timer.task(&mut bench.cx(), CAPTURE + 4 * 5);
        timer.read(&mut bench.cx(), CC + 4 * 5).expect("CC[5]")
    }

    #[test]
    fn the_reset_prescaler_of_4_counts_microseconds_in_16_bits() {
        let mut bench = Bench::default();
        let mut timer = timer(&mut bench, &[]);
        bench.run_to(&mut timer, us(65_536 + 100) + 63);
        assert_eq!(capture(&mut bench, &mut timer), 100);
    }

    #[test]
    fn compare_fires_when_the_counter_becomes_equal_and_not_when_cc_is_written_so() {
        let mut bench = Bench::default();
        let mut timer = timer(&mut bench, &[(CC, 0)]);
        assert_eq!(bench.wait(&mut timer, COMPARE0, us(70_000)), Some(us(65_536)), "a whole turn later");
        timer.events.write(EVENTS + 4 * (COMPARE0 + 1), 0);
        timer.write(&mut bench.cx(), CC + 4, 10);
        assert_eq!(bench.wait(&mut timer, COMPARE0 + 1, us(70_000)), Some(us(65_546)));
    }

    #[test]
    fn the_clear_short_makes_a_period_of_cc_ticks() {
        let mut bench = Bench::default();
        let registers = [(PRESCALER, 0), (BITMODE, 3), (CC, 16_000), (SHORTS, 1)];
        let mut timer = timer(&mut bench, &registers);
        for ms in 1..=3 {
            assert_eq!(bench.wait(&mut timer, COMPARE0, NEVER - 1), Some(us(1_000) * ms));
            timer.events.write(EVENTS + 4 * COMPARE0, 0);
        }
    }

    #[test]
    fn the_stop_short_keeps_the_counter() {
        let mut bench = Bench::default();
        let mut timer = timer(&mut bench, &[(CC, 50), (SHORTS, 1 << 8)]);
        bench.run_to(&mut timer, us(1_000));
        assert_eq!(capture(&mut bench, &mut timer), 50);
        timer.task(&mut bench.cx(), START);
        bench.run_to(&mut timer, us(1_010));
        assert_eq!(capture(&mut bench, &mut timer), 60);
    }

    #[test]
    fn a_counter_counts_tasks_and_its_event_comes_after_the_task() {
        let mut bench = Bench::default();
        let mut timer = timer(&mut bench, &[(MODE, 1), (CC, 2)]);
        for _ in 0..2 {
            timer.task(&mut bench.cx(), COUNT);
            assert!(!timer.events.is_set(COMPARE0));
            let next = bench.now + us(1);
            bench.run_to(&mut timer, next);
        }
        assert!(timer.events.is_set(COMPARE0));
    }

    #[test]
    fn a_timer_that_nobody_watches_schedules_nothing() {
        let mut bench = Bench::default();
        let timer = timer(&mut bench, &[(PRESCALER, 0), (CC, 0x5B), (SHORTS, 1)]);
        assert_eq!(timer.next(&bench.lfclk), NEVER);
    }

    proptest! {
        /// The closed form against the counter that takes every single tick.
        #[test]
        fn looking_seldom_sees_what_looking_at_every_tick_sees(
            cc in prop::array::uniform6(0u32..40), shorts in 0u32..0x4000, bitmode in 0u32..2, ticks in 1u64..900,
        ) {
            let mut bench = Bench::default();
            let mut registers = vec![(SHORTS, shorts & 0x0103), (BITMODE, bitmode)];
            registers.extend(cc.iter().enumerate().map(|(n, &cc)| (CC + 4 * n as u32, cc)));
            let (mut seldom, mut often) = (timer(&mut bench, &registers), timer(&mut bench, &registers));
            for tick in 1..=ticks {
                bench.now = us(tick);
                often.sync(&mut bench.cx());
            }
            seldom.sync(&mut bench.cx());
            prop_assert_eq!(seldom.counter, often.counter);
            for n in 0..6 {
                prop_assert_eq!(seldom.events.is_set(COMPARE0 + n), often.events.is_set(COMPARE0 + n), "COMPARE[{}]", n);
            }
        }

        /// A scheduled event comes at the tick at which the counter that takes every tick has it.
        #[test]
        fn a_scheduled_compare_comes_at_its_tick(
            cc in prop::array::uniform6(0u32..40), shorts in 0u32..0x4000, start in 0u64..60, n in 0u32..6,
        ) {
            let mut bench = Bench::default();
            let mut registers = vec![(SHORTS, shorts & 0x0103), (BITMODE, 1)];
            registers.extend(cc.iter().enumerate().map(|(n, &cc)| (CC + 4 * n as u32, cc)));
            let (mut watched, mut often) = (timer(&mut bench, &registers), timer(&mut bench, &registers));
            bench.now = us(start);
            watched.sync(&mut bench.cx());
            often.sync(&mut bench.cx());
            watched.events.reset();
            often.events.reset();
            let mut expected = None;
            for tick in start + 1..start + 600 {
                bench.now = us(tick);
                often.sync(&mut bench.cx());
                if often.events.is_set(COMPARE0 + n) {
                    expected = Some(us(tick));
                    break;
                }
            }
            watched.polled(COMPARE0 + n);
            prop_assert_eq!(Some(watched.next(&bench.lfclk)).filter(|&at| at != NEVER), expected);
        }
    }
}
